"""An EC2 API whose answers are given."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from typing_extensions import Self

Answer = tuple[int, str | bytes]


def tags(instance_id: str, found: Mapping[str, str], token: str = "") -> Answer:
    """Return the answer that an instance has these tags, and more behind ``token``."""
    items = "".join(
        f"<item><resourceId>{instance_id}</resourceId><resourceType>instance</resourceType>"
        f"<key>{escape(key)}</key><value>{escape(value)}</value></item>"
        for key, value in found.items()
    )
    more = f"<nextToken>{token}</nextToken>" if token else ""
    return 200, (
        '<DescribeTagsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>1</requestId><tagSet>{items}</tagSet>{more}</DescribeTagsResponse>"
    )


def refusal(status: int, code: str) -> Answer:
    """Return the answer that is an error of this code."""
    return status, (
        f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors>"
        "<RequestID>1</RequestID></Response>"
    )


DENIED = refusal(403, "UnauthorizedOperation")
THROTTLED = refusal(503, "RequestLimitExceeded")


class AnsweringApi:
    """An API that answers while its context is open.

    Args:
        answers: status and body, one after the other, the last for ever; replace them at any time.

    Attributes:
        by_action: answers to single actions, which count more.
        heads, bodies: of the requests.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.by_action: dict[str, Answer] = {}
        self.heads: list[Message] = []
        self.bodies: list[dict[str, list[str]]] = []

    @property
    def authorizations(self) -> list[str]:
        return [head["Authorization"] for head in self.heads]

    @property
    def actions(self) -> list[str]:
        return [body["Action"][0] for body in self.bodies]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
                api.heads.append(self.headers)
                api.bodies.append(parse_qs(asked))
                status, text = api.by_action.get(api.actions[-1]) or (
                    api.answers.pop(0) if len(api.answers) > 1 else api.answers[0]
                )
                body = text.encode() if isinstance(text, str) else text
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
