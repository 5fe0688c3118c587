"""The run's clock: every wait is inside one limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """Time as the run sees it; tests pass a clock of their own.

    Args:
        now: seconds on a clock that never goes back.
        sleep: waits so many seconds.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Limit(NamedTuple):
    """A point on a clock after which no more waiting is done."""

    clock: Clock
    ends: float

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> Limit:
        """Return the limit that ends ``seconds`` from now."""
        return cls(clock, clock.now() + seconds)

    def remaining(self) -> float:
        """Return the seconds left, never negative."""
        return max(0.0, self.ends - self.clock.now())

    def passed(self) -> bool:
        """Tell whether nothing is left."""
        return self.remaining() <= 0

    def within(self, seconds: float) -> Limit:
        """Return the limit ``seconds`` from now, or this one if it is earlier."""
        return Limit(self.clock, min(self.ends, self.clock.now() + seconds))

    def sleep(self, seconds: float) -> None:
        """Wait ``seconds``, or until the limit if that is sooner."""
        self.clock.sleep(min(seconds, self.remaining()))
