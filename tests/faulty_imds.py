"""The fake metadata service, watched: what was asked of it, and faults that are planted."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import unquote

from rancheros_ec2_metadata.fake_ec2.server import Answer, FakeImds, make_error_page


class Request(NamedTuple):
    """One request that came in, and the status of its answer."""

    method: str
    path: str
    status: int


@dataclass
class Fault:
    """What befalls the next requests to a path.

    Args:
        path: pattern (``*``, ``?``) of the whole path, version included.
        status: answered instead of the real answer; None leaves the real answer.
        headers: of that answer.
        times: requests it still befalls; None is all of them.
        method: the only method it befalls; None is any.
        delay: seconds before anything is answered. Stopping the fake ends the wait, unanswered.
        expire_tokens: every token given out becomes invalid, then the real answer is made.
    """

    path: str = "*"
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = 1
    method: str | None = None
    delay: float = 0
    expire_tokens: bool = False

    def befalls(self, method: str, path: str) -> bool:
        """Tell whether this request meets the fault."""
        return self.times != 0 and self.method in (None, method) and fnmatchcase(path, self.path)


class FaultyImds(FakeImds):
    """The fake, watched.

    Attributes:
        faults: the first that befalls a request is used; may be changed.
        requests: those that came in, in order, noted before they are answered.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self._stopping = threading.Event()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        super().__exit__()

    def answer(self, method: str, target: str, headers: Message) -> Answer:
        path = unquote(target.partition("?")[0])
        fault = next((one for one in self.faults if one.befalls(method, path)), Fault())
        if fault.times is not None:
            fault.times -= 1
        if fault.expire_tokens:
            self.tokens.clear()
        if fault.status is None:
            found = super().answer(method, target, headers)
        else:
            page = make_error_page(fault.status)
            found = page._replace(headers={**page.headers, **fault.headers})
        self.requests.append(Request(method, target, found.status))
        if self._stopping.wait(fault.delay):
            raise ConnectionAbortedError
        return found
