"""How long what is not there yet is waited for, and how long a failing API."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .abandon import abandonable
from .failure import AttemptError, Kind
from .retry import LATE, THROTTLED, UNREACHABLE, Draw, Patience, persist

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit

T = TypeVar("T")

_YOUNG_SECONDS = 5 * 60
_UNREACHABLE_SECONDS = 15


@dataclass(frozen=True)
class Waits:
    """Seconds that are given to what may be late; 0: the first answer counts.

    Args:
        tags: no tag at all, or none that a mapping or prefix wants.
        role: no role, or no credentials of it.
        policy: the API does not know the role's rights, or its credentials, yet.
        required: a tag without which the run is not complete.
    """

    tags: float = 0
    role: float = 0
    policy: float = 0
    required: float = math.inf


def waits(age: float | None, *, kept: bool) -> Waits:
    """Return what an instance is given.

    A young one is given time: tags, roles and policies reach a new instance late. An older one
    has what it has, and one that keeps values of its last run can do without.

    Args:
        age: seconds since its start; None counts as old.
        kept: something of this instance is kept from its last run.
    """
    required = 15 if kept else math.inf
    if age is None or age >= _YOUNG_SECONDS or kept:
        return Waits(required=required)
    return Waits(tags=10, role=20, policy=30, required=required)


def ask_patiently(ask: Callable[[], T], given: Waits, limit: Limit, draw: Draw) -> T:
    """Return what the API answers.

    Throttled, it is asked until ``limit``; out of reach (or its name not found: a look-up takes no
    time-out), three times and 15 s in all; refused, for as long as a late policy is given.

    Raises:
        AttemptError: the last one.
    """
    patience = ApiPatience(given, limit, draw)

    def attempt() -> T:
        seconds = patience.seconds()
        try:
            return abandonable(ask, seconds)
        except TimeoutError:
            raise AttemptError(
                f"the EC2 API has not answered within {seconds:.0f} s: check the name server, the "
                "route, the security group and the proxy, or add a VPC endpoint for ec2",
                Kind.TIMED_OUT,
            ) from None

    return persist(attempt, patience, limit.sleep)


class ApiPatience:
    """Counts each kind of failure by itself."""

    def __init__(self, given: Waits, limit: Limit, draw: Draw) -> None:
        self._limit = limit
        self._draw = draw
        self._busy = Patience(THROTTLED, limit, frozenset({Kind.BUSY}), draw)
        late = frozenset({Kind.DENIED, Kind.UNAUTHENTIC})
        self._late = Patience(LATE, limit.within(given.policy), late, draw)
        self._silences = 0
        self._silent_until = limit

    def seconds(self) -> float:
        """Return how long the next try may take."""
        if not self._silences:
            self._silent_until = self._limit.within(_UNREACHABLE_SECONDS)
        return self._silent_until.left()

    def __call__(self, failure: AttemptError) -> float | None:
        """Return how long to wait before the next try; None to give up."""
        if failure.silent:
            self._silences += 1
            return UNREACHABLE.pause(self._silences, self._silent_until.left(), self._draw())
        self._silences = 0
        return self._busy(failure) if failure.kind is Kind.BUSY else self._late(failure)
