"""How long each part of a run took."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


class Times:
    """A stopwatch with parts; a part within a part is not counted to the outer one.

    Args:
        now: seconds on a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._running: list[str] = []
        self._since = now()
        self.seconds: dict[str, float] = {}
        """Of each part that has ended, in the order of their starts."""

    @contextlib.contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what is done meanwhile to ``part``."""
        self._turn()
        self.seconds.setdefault(part, 0.0)
        self._running.append(part)
        try:
            yield
        finally:
            self._turn()
            self._running.pop()

    def _turn(self) -> None:
        now = self._now()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now
