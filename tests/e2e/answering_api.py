"""An EC2 API that gives one answer to whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from typing_extensions import Self

Answer = tuple[int, str]


def tags(instance_id: str, found: Mapping[str, str]) -> Answer:
    """Return the answer that an instance has these tags."""
    items = "".join(
        f"<item><resourceId>{instance_id}</resourceId><resourceType>instance</resourceType>"
        f"<key>{escape(key)}</key><value>{escape(value)}</value></item>"
        for key, value in found.items()
    )
    return 200, (
        '<DescribeTagsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>1</requestId><tagSet>{items}</tagSet></DescribeTagsResponse>"
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
        answer: status and body; replace it at any time.

    Attributes:
        by_action: answers to single actions, which count more.
        authorizations: the ``Authorization`` of each request.
        actions: the action of each.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.by_action: dict[str, Answer] = {}
        self.authorizations: list[str] = []
        self.actions: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
                action = parse_qs(asked)["Action"][0]
                api.actions.append(action)
                api.authorizations.append(self.headers["Authorization"])
                status, text = api.by_action.get(action, api.answer)
                body = text.encode()
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
