"""The fake metadata service on a real socket."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.faults import Fault, take
from rancheros_ec2_metadata.fake_ec2.protocol import (
    Answer,
    Asked,
    Shown,
    Tokens,
    answer,
    decoded,
    error_page,
)
from rancheros_ec2_metadata.fake_ec2.tree import metadata

_POLL = 0.02  # seconds until a stopped server notices
_SILENT_CLIENT = 30  # seconds


class Request(NamedTuple):
    """One request that came in; status 0 is one that got no answer."""

    method: str
    path: str
    status: int


class FakeImds:
    """A metadata service that runs while its context is open.

    Args:
        instance: whose; replace it at any time while running.
        host: address or name to listen on, IPv4 or IPv6.
        port: 0 is any free one.
        now: the time in seconds since the epoch: of tokens, of ``Date``, of pending_time ``now``.

    Attributes:
        requests: those that came in, in order, noted before they are answered.
        faults: the first that befalls a request is used; change the list at any time.
    """

    def __init__(
        self,
        instance: FakeInstance | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.now = now
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._host = host
        self._port = port
        self._started = now()
        self._tokens = Tokens(now)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.instance = instance or FakeInstance()

    @property
    def instance(self) -> FakeInstance:
        """The instance that is shown; assigning another shows that from then on."""
        return self._shown.instance

    @instance.setter
    def instance(self, instance: FakeInstance) -> None:
        self._shown = Shown(instance, metadata(instance, self._started))

    @property
    def url(self) -> str:
        """Return the base URL, without a slash at its end."""
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def expire_tokens(self) -> None:
        """Make every token given out so far invalid, as if its time were over."""
        self._tokens.expire()

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the address is no such, in use or not permitted.
        """
        self._server = _Server(self, self._host, self._port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="fake-imds", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, target: str, headers: Message) -> Answer | None:
        """Return the answer to a request, waited for as a fault wants; None is no answer."""
        path = decoded(target)
        with self._lock:
            fault = take(self.faults, method, path) or Fault()
            if fault.expire_tokens:
                self.expire_tokens()
            found = (
                _planted(fault)
                if fault.close or fault.status is not None
                else answer(Asked(method, path, headers), self._shown, self._tokens)
            )
            self.requests.append(Request(method, target, found.status if found else 0))
        if found is None and not fault.close:
            self._stopping.wait()
        return None if self._stopping.wait(fault.delay) else found


def _planted(fault: Fault) -> Answer | None:
    if fault.close or fault.status is None:
        return None
    if fault.body is None:
        page = error_page(fault.status)
        return Answer(page.status, page.body, {**page.headers, **fault.headers})
    return Answer(fault.status, fault.body, {"Content-Type": "text/plain", **fault.headers})


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for every thread
    request_queue_size = 128

    def __init__(self, imds: FakeImds, host: str, port: int) -> None:
        self.imds = imds
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks a resolver for the host's name, which can take its time.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that are open, whatever their threads are at."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up, or says nothing, is what tests are about.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _SILENT_CLIENT
    wbufsize = -1  # head and body leave in one packet

    def handle_one_request(self) -> None:
        # The real service closes after each answer, and knows no method it does not answer.
        self.close_connection = True
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            return
        self.close_connection = True
        found = self.server.imds.answer(self.command, self.path, self.headers)
        if found is None:
            return
        self.send_response(found.status)
        for name, value in found.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(found.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(found.body)

    def version_string(self) -> str:
        return "EC2ws"

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(self.server.imds.now() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass
