"""When to ask again: policies, and the loop that follows one."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .failure import AttemptError, Kind

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit

T = TypeVar("T")
Draw = Callable[[], float]


@dataclass(frozen=True)
class Policy:
    """Full jitter: a pause drawn evenly from a window that doubles with each failure.

    Pure, so that the fleet simulation in benchmarks/ runs the very same policy.

    Args:
        first: window of the first pause, seconds.
        longest: largest window, seconds.
        reserve: seconds of the limit that the last try itself may need.
        tries: tries in all; None: as many as there is time for.
        shortest: with less room than this for a pause, seconds, there is no other try.
    """

    first: float
    longest: float
    reserve: float = 0.0
    tries: int | None = None
    shortest: float = 0.1

    def pause(self, failures: int, left: float, drawn: float, asked: float = 0.0) -> float | None:
        """Return the seconds to wait before the next try, or None to give up.

        Args:
            failures: tries that have failed, at least 1.
            left: seconds until the limit.
            drawn: a number of [0, 1).
            asked: seconds that the server asked to wait (Retry-After); if they are more than
                there is, the last try comes as late as it can.
        """
        room = left - self.reserve
        if room < self.shortest or (self.tries is not None and failures >= self.tries):
            return None
        window = min(self.longest, self.first * (1 << min(failures - 1, 16)), room)
        return min(max(window * drawn, asked), room)


IMDS = Policy(first=0.2, longest=2, reserve=0.2)
"""The metadata service is one link away and serves this instance alone."""

THROTTLED = Policy(first=8, longest=18, reserve=6, shortest=1)
"""A whole fleet shares the API's token bucket (100 calls, 20 a second more). A thousand instances
at once need 45 s of it; these windows serve the last in under 1.3 times that, with less than four
calls each. Smaller windows cost calls, larger ones leave the last waiting beside a full bucket."""

UNREACHABLE = Policy(first=1, longest=2, reserve=1, tries=3)
"""An API that does not answer: mostly a missing route, which no patience mends."""

LATE = Policy(first=2, longest=18, shortest=1)
"""What AWS has promised and not shown yet, asked of the API: new tags, a new policy."""

LATE_IMDS = Policy(first=0.5, longest=1)
"""The same, asked of the metadata service, where asking costs nobody anything."""


class Patience:
    """Count the failures of one task, and say how long to wait after each.

    Args:
        policy: how to wait.
        limit: until when.
        kinds: the failures worth another try.
        draw: returns a random number of [0, 1).
    """

    def __init__(
        self,
        policy: Policy,
        limit: Limit,
        kinds: frozenset[Kind] = frozenset({Kind.UNREACHABLE, Kind.TIMED_OUT, Kind.BUSY}),
        draw: Draw = random.random,
    ) -> None:
        self._policy = policy
        self._limit = limit
        self._kinds = kinds
        self._draw = draw
        self._failures = 0

    def __call__(self, failure: AttemptError) -> float | None:
        """Return the seconds to wait, or None to give up."""
        if failure.kind not in self._kinds:
            return None
        self._failures += 1
        left = self._limit.left()
        return self._policy.pause(self._failures, left, self._draw(), failure.retry_after)


def persist(
    attempt: Callable[[], T],
    patience: Callable[[AttemptError], float | None],
    sleep: Callable[[float], None],
) -> T:
    """Return what ``attempt`` returns, trying again for as long as ``patience`` says.

    Raises:
        AttemptError: the last one, when patience is at its end.
    """
    try:
        return attempt()
    except AttemptError as failure:
        first = failure
    # Imported after a failure only: most runs have none, and it takes some milliseconds.
    import tenacity  # noqa: PLC0415 - see above

    pending = [first]
    pauses: list[float] = []

    def again() -> T:
        if pending:
            raise pending.pop()
        return attempt()

    def worth_it(error: BaseException) -> bool:
        pause = patience(error) if isinstance(error, AttemptError) else None
        if pause is None:
            return False
        pauses.append(pause)
        return True

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(worth_it),
        wait=lambda _state: pauses[-1],
        sleep=sleep,
        reraise=True,
    )(again)


def until(
    done: Callable[[], bool], look: Callable[[], None], policy: Policy, limit: Limit, draw: Draw
) -> bool:
    """Look again and again until ``done`` says so or the limit comes; tell whether it is done."""
    looks = 0
    while not done():
        looks += 1
        pause = policy.pause(looks, limit.left(), draw())
        if pause is None:
            return False
        limit.sleep(pause)
        look()
    return True
