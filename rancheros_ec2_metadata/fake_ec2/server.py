"""The fake metadata service: what it answers, on a socket too."""

from __future__ import annotations

import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.tree import make_tree

if TYPE_CHECKING:
    from typing_extensions import Self

TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path, no secret
_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
_MAX_TTL = 21600  # seconds

# The oldest, the one RancherOS was written for, the first with tags, the newest, as IMDS lists
# them among others. All show the same here.
_VERSIONS = ("1.0", "2009-04-04", "2016-09-02", "2021-03-23", "2024-04-11", "latest")

_ERROR_PAGE = """<?xml version="1.0" encoding="iso-8859-1"?>
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
 </head>
 <body>
  <h1>{title}</h1>
 </body>
</html>
"""


class Answer(NamedTuple):
    """One HTTP answer, less the headers that all answers have."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


def make_error_page(status: int) -> Answer:
    """Return IMDS's XHTML page for an error."""
    title = f"{status} - {HTTPStatus(status).phrase}"
    return Answer(status, _ERROR_PAGE.format(title=title).encode(), {"Content-Type": "text/html"})


class FakeImds(ThreadingTCPServer):
    """A metadata service, which answers on a socket while its context is open.

    Args:
        instance: whose; replace it at any time.
        host: address or name to listen on, IPv4 or IPv6.
        port: 0 is any free one.
        now: the time in seconds since the epoch: of tokens, and of pending_time ``now``.

    Attributes:
        tokens: those given out, each with the time of its end and its instance.

    Raises:
        OSError: the address is no such, in use or not permitted.
    """

    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        instance: FakeInstance,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._started = now()
        self.tokens: dict[str, tuple[float, str]] = {}
        self.instance = instance
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        super().__init__((host, port), _Handler)

    @property
    def instance(self) -> FakeInstance:
        """The instance that is shown; assigning another shows that from then on."""
        return self._instance

    @instance.setter
    def instance(self, instance: FakeInstance) -> None:
        self._instance, self._tree = instance, make_tree(instance, self._started)

    def answer(self, method: str, target: str, headers: Message) -> Answer:
        """Return what IMDS answers to a request, whose target is percent-encoded."""
        path = unquote(target.partition("?")[0])
        if path == TOKEN_PATH:
            return self._give_token(method, headers)
        if method not in ("GET", "HEAD"):
            return Answer(405, headers={"Allow": "GET, HEAD, OPTIONS"})
        if not self._may_read(headers.get(_TOKEN_HEADER)):
            return make_error_page(401)
        text = self._find_text(path)
        if text is None:
            return make_error_page(404)
        # IMDS names no charset, so that whoever takes HTTP's default gets Latin-1.
        return Answer(200, text.encode("utf-8", "replace"), {"Content-Type": "text/plain"})

    def _give_token(self, method: str, headers: Message) -> Answer:
        if method != "PUT":
            return Answer(405, headers={"Allow": "OPTIONS, PUT"})
        if "X-Forwarded-For" in headers:
            return make_error_page(403)
        ttl = headers.get(_TTL_HEADER, "")
        if not re.fullmatch("[0-9]{1,5}", ttl) or not 1 <= int(ttl) <= _MAX_TTL:
            return make_error_page(400)
        token = f"AQAE{secrets.token_urlsafe(38)}=="
        self.tokens[token] = (self._now() + int(ttl), self.instance.instance_id)
        return Answer(200, token.encode(), {"Content-Type": "text/plain", _TTL_HEADER: ttl})

    def _may_read(self, token: str | None) -> bool:
        if token is None:
            return self.instance.tokens == "optional"
        # A token that is sent must be right even if none is required.
        ends, owner = self.tokens.get(token, (0.0, ""))
        return owner == self.instance.instance_id and self._now() < ends

    def _find_text(self, path: str) -> str | None:
        if path == "/":
            return "\n".join(_VERSIONS)
        root, version, *below = path.split("/", 2)
        if root or version not in _VERSIONS:
            return None
        wanted = "".join(below)
        # A folder can be requested with or without a final slash, a leaf only without.
        return self._tree.get(wanted, self._tree.get(f"{wanted}/"))

    @property
    def url(self) -> str:
        """Return the base URL, without a slash at its end."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print a traceback, unless a client has hung up."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: FakeImds
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds that a client may say nothing

    def do_GET(self) -> None:
        found = self.server.answer(self.command, self.path, self.headers)
        self.send_response(found.status)
        headers = {"Content-Length": str(len(found.body)), "Connection": "close"}
        for name, value in {**found.headers, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(found.body)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the base's names

    def version_string(self) -> str:
        return "EC2ws"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass
