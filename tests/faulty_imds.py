"""The fake metadata service with faults planted: an answer in place of the real one, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from fnmatch import fnmatchcase
from typing import Any

from rancheros_ec2_metadata.fake_ec2.server import (
    Answer,
    FakeImds,
    Request,
    decoded,
    make_error_page,
)


@dataclass
class Fault:
    """What befalls the next requests to a path.

    Args:
        path: pattern (``*``, ``?``) of the whole path, version included.
        status: answered instead of the real answer; None leaves the real answer.
        headers: of that answer.
        times: requests it still befalls; None is all of them.
        method: the only method it befalls; None is any.
        delay: seconds before anything is answered. Stopping the fake ends the wait.
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
    """The fake; of ``faults`` the first that befalls a request is used, and may be changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.faults: list[Fault] = []

    def reply(self, method: str, target: str, headers: Message) -> Answer | None:
        path = decoded(target)
        fault = next((one for one in self.faults if one.befalls(method, path)), Fault())
        if fault.times is not None:
            fault.times -= 1
        if fault.expire_tokens:
            self.tokens.clear()
        if fault.status is not None:
            self.requests.append(Request(method, target, fault.status))
            page = make_error_page(fault.status)
            return page._replace(headers={**page.headers, **fault.headers})
        found = super().reply(method, target, headers)
        return None if self.stopping.wait(fault.delay) else found
