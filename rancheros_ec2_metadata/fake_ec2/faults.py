"""Faults that a test plants in the fake: an answer in place of the real one, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass
class Fault:
    """What befalls the next requests to a path.

    Args:
        path: pattern (``*``, ``?``) of the whole path, version included.
        status: answered instead of the real answer; None leaves the real answer.
        body: of that answer; None is IMDS's page for the status.
        headers: of that answer.
        times: requests it still befalls; None is all of them.
        method: the only method it befalls; None is any.
        delay: seconds before anything is answered. Stopping the fake ends the wait.
        close: the connection is closed without an answer.
        expire_tokens: every token given out becomes invalid, then the real answer is made.
    """

    path: str = "*"
    status: int | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = 1
    method: str | None = None
    delay: float = 0
    close: bool = False
    expire_tokens: bool = False

    def befalls(self, method: str, path: str) -> bool:
        """Tell whether this request meets the fault."""
        return self.times != 0 and self.method in (None, method) and fnmatchcase(path, self.path)


def take(faults: Sequence[Fault], method: str, path: str) -> Fault | None:
    """Return the first fault that befalls the request, counted as used once."""
    found = next((fault for fault in faults if fault.befalls(method, path)), None)
    if found and found.times is not None:
        found.times -= 1
    return found
