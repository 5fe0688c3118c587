"""When a request is made again: the policies, and the reasons why requests fail."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection
from enum import Enum
from random import uniform
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from rancheros_ec2_metadata.errors import Ec2Error

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit

T = TypeVar("T")

YOUNG_SECONDS = 5 * 60


class Reason(str, Enum):
    """Why a request failed."""

    __str__ = str.__str__

    UNREACHABLE = "unreachable"  # no connection, or it broke
    TIMED_OUT = "timed out"  # connected, and no whole answer in time
    BUSY = "busy"  # 429, 5xx, throttled
    ABSENT = "absent"  # not there, perhaps not yet
    REFUSED = "refused"  # the credentials or their rights, perhaps not yet known
    FINAL = "final"  # a retry would not help


SILENT = frozenset({Reason.UNREACHABLE, Reason.TIMED_OUT})
PASSING = SILENT | {Reason.BUSY}


class RequestError(Ec2Error):
    """A request to IMDS or the EC2 API failed.

    Args:
        text: the message for the operator; holds neither a token nor a credential.
        reason: why.
        retry_after: seconds that the server asks to wait.
    """

    def __init__(self, text: str, reason: Reason = Reason.FINAL, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.reason = reason
        self.retry_after = retry_after


class RetryPolicy(NamedTuple):
    """Full jitter: a pause drawn evenly from a window that doubles with each failure.

    Args:
        first: window of the first pause, seconds.
        longest: largest window, seconds.
        reserve: seconds of the limit that the last try itself may need.
        tries: tries in all; None: as many as there is time for.
        shortest: seconds that must be left for a pause; with less there is no other try.
    """

    first: float
    longest: float
    reserve: float = 0.0
    tries: int | None = None
    shortest: float = 0.1

    def gives_up(self, failures: int, left: float) -> bool:
        """Tell whether there is no other try, after so many and with so many seconds left."""
        return left - self.reserve < self.shortest or failures == self.tries

    def pause(self, failures: int, left: float, asked: float = 0.0) -> float:
        """Return the seconds to wait before the next try.

        If the server ``asked`` for more (Retry-After) than there is, the last try comes as late as
        it can.
        """
        room = max(0.0, left - self.reserve)
        window = min(self.longest, self.first * (1 << min(failures - 1, 16)), room)
        return min(max(uniform(0, window), asked), room)  # noqa: S311 - no secret


IMDS = RetryPolicy(first=0.2, longest=2, reserve=0.2)
"""The metadata service is one link away and serves this instance alone."""

THROTTLED = RetryPolicy(first=8, longest=18, reserve=6, shortest=1)
"""A whole fleet shares the API's token bucket (100 calls, 20 a second more). A thousand instances
at once need 45 s of it; these windows serve the last in under 1.3 times that, with less than four
calls each. Smaller windows cost calls, larger ones leave the last waiting beside a full bucket."""

UNREACHABLE = RetryPolicy(first=1, longest=2, reserve=1, tries=3)
"""An API that does not answer: mostly a missing route, which waiting does not repair."""

LATE = RetryPolicy(first=2, longest=18, shortest=1)
"""What AWS has promised and not shown yet, asked of the API: new tags, a new policy."""

LATE_IMDS = RetryPolicy(first=0.5, longest=1)
"""The same, asked of the metadata service, where asking costs nobody anything."""


class GracePeriods(NamedTuple):
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


def choose_grace_periods(age: float | None, *, kept: bool) -> GracePeriods:
    """Return how long to wait for what an instance does not have yet.

    Tags, roles and policies reach a new instance late, so a young one is given time for them; one
    of unknown age counts as old. With values of its last run it waits for required tags alone.
    """
    if kept:
        return GracePeriods(required=15)
    if age is None or age >= YOUNG_SECONDS:
        return GracePeriods()
    return GracePeriods(tags=10, role=20, policy=30)


def retry(
    request: Callable[[], T],
    policy: RetryPolicy,
    limit: Limit,
    *,
    reasons: Collection[Reason] = PASSING,
) -> T:
    """Return what ``request`` returns, made again while it fails for one of ``reasons``.

    Raises:
        RequestError: the last one, if the policy or the limit allows no other try.
    """
    try:
        return request()
    except RequestError as failure:
        if failure.reason not in reasons:
            raise
        pending = [failure]
    # Imported after a failure only: most runs have none, and it takes 10 ms of some 150.
    import tenacity  # noqa: PLC0415 - see above

    def attempt() -> T:
        if pending:
            raise pending.pop()
        return request()

    def pause(state: tenacity.RetryCallState) -> float:
        error: Any = state.outcome and state.outcome.exception()
        return policy.pause(state.attempt_number, limit.remaining(), error.retry_after)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, RequestError) and error.reason in reasons
        ),
        stop=lambda state: policy.gives_up(state.attempt_number, limit.remaining()),
        wait=pause,
        sleep=limit.sleep,
        reraise=True,
    )(attempt)


def retry_api(ask: Callable[[], T], grace: GracePeriods, limit: Limit) -> T:
    """Return what the EC2 API answers; each kind of failure is counted by itself.

    Throttled, it is asked until ``limit``; out of reach, three times; refused, for as long as a
    late policy is given.
    """
    of_policy = limit.within(grace.policy)

    def reach() -> T:
        return retry(ask, UNREACHABLE, limit, reasons=SILENT)

    def be_allowed() -> T:
        return retry(reach, LATE, of_policy, reasons={Reason.REFUSED})

    return retry(be_allowed, THROTTLED, limit, reasons={Reason.BUSY})


def poll(
    look: Callable[[Limit], None],
    done: Callable[[], bool],
    policy: RetryPolicy,
    limit: Limit,
) -> None:
    """Look again and again, each time after a pause, until ``done`` or the limit."""
    looks = 1
    while not done() and not policy.gives_up(looks, limit.remaining()):
        limit.sleep(policy.pause(looks, limit.remaining()))
        # If this look fails, the first result stays: it is only for what comes late.
        with contextlib.suppress(RequestError):
            look(limit)
        looks += 1
