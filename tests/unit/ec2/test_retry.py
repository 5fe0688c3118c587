from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.ec2.retry import (
    IMDS,
    LATE,
    LATE_IMDS,
    THROTTLED,
    UNREACHABLE,
    GracePeriods,
    Reason,
    RequestError,
    RetryPolicy,
    choose_grace_periods,
    poll,
    retry,
    retry_api,
)
from unit.ec2.metadata_server import FakeClock

POLICIES = st.sampled_from([IMDS, LATE, LATE_IMDS, THROTTLED, UNREACHABLE])
OLD = GracePeriods()
YOUNG = choose_grace_periods(60, kept=False)


@given(
    policy=POLICIES,
    failures=st.integers(1, 10_000),
    left=st.floats(0, 3600),
    asked=st.floats(0, 1e9),
)
def test_a_pause_is_never_negative_and_leaves_the_last_try_its_time(
    policy: RetryPolicy, failures: int, left: float, asked: float
) -> None:
    pause = policy.pause(failures, left, asked)
    assert 0 <= pause <= max(0, left - policy.reserve)
    assert pause or left <= policy.reserve


@given(policy=POLICIES, failures=st.integers(1, 9))
def test_without_a_wish_of_the_server_the_pause_is_drawn_from_a_window_that_doubles(
    policy: RetryPolicy, failures: int
) -> None:
    window = min(policy.longest, policy.first * 2 ** (failures - 1))
    assert policy.pause(failures, 3600) == pytest.approx(window / 2)


def test_a_server_that_asks_to_wait_is_waited_for_but_not_beyond_a_last_try() -> None:
    policy = RetryPolicy(first=1, longest=5, reserve=2)
    assert policy.pause(1, 3600, asked=30) == 30
    assert policy.pause(1, 50, asked=3600) == 48


class Service:
    """Fails for these reasons, then answers."""

    def __init__(self, clock: FakeClock, reasons: Iterable[Reason]) -> None:
        self.clock = clock
        self.reasons = iter(reasons)
        self.asked_at: list[float] = []

    def ask(self) -> str:
        self.asked_at.append(self.clock.time - 1000)
        for reason in self.reasons:
            raise RequestError(f"{reason} {len(self.asked_at)}", reason)
        return "answer"

    def retry(self, policy: RetryPolicy, seconds: float = 110) -> str:
        limit = self.clock.limit(seconds)
        return retry(self.ask, policy, limit)

    def retry_api(self, grace: GracePeriods = OLD) -> str:
        return retry_api(self.ask, grace, self.clock.limit())


def forever(*reasons: Reason) -> Iterable[Reason]:
    while True:
        yield from reasons


PASSING = [Reason.UNREACHABLE, Reason.TIMED_OUT, Reason.BUSY]


def test_each_failure_that_may_pass_is_waited_after_once(clock: FakeClock) -> None:
    assert Service(clock, PASSING).retry(RetryPolicy(first=1, longest=9)) == "answer"
    assert clock.slept == [0.5, 1, 2]


def test_at_the_limit_the_last_failure_is_raised(clock: FakeClock) -> None:
    with pytest.raises(RequestError, match="busy"):
        Service(clock, forever(Reason.BUSY)).retry(RetryPolicy(first=4, longest=4), 10)
    assert 1009.8 < clock.time <= 1010


@pytest.mark.parametrize("reason", [one for one in Reason if one not in PASSING])
def test_what_asking_again_would_not_help_is_raised_at_once(
    clock: FakeClock, reason: Reason
) -> None:
    for reasons in ([reason], [Reason.BUSY, reason]):
        with pytest.raises(RequestError, match=str(reason)):
            Service(clock, reasons).retry(RetryPolicy(first=1, longest=1))
    assert clock.slept == [0.5]


def test_looking_stops_when_it_is_done_or_at_the_limit(clock: FakeClock) -> None:
    looks: list[float] = []

    def look(_: Limit) -> None:
        looks.append(clock.time)

    poll(look, lambda: len(looks) == 2, LATE_IMDS, clock.limit())
    assert (len(looks), len(clock.slept)) == (2, 2)
    poll(look, lambda: False, LATE, clock.limit(10))
    assert 9 < clock.time - looks[1] <= 10


def test_throttled_the_api_is_asked_until_the_limit_with_growing_pauses(clock: FakeClock) -> None:
    api = Service(clock, forever(Reason.BUSY))
    with pytest.raises(RequestError, match=r"busy \d+"):
        api.retry_api()
    assert api.asked_at[:4] == [0, 4, 12, 21]
    assert 100 < api.asked_at[-1] <= 104


@pytest.mark.parametrize("reason", [Reason.UNREACHABLE, Reason.TIMED_OUT])
def test_out_of_reach_the_api_is_tried_three_times(clock: FakeClock, reason: Reason) -> None:
    api = Service(clock, forever(reason))
    with pytest.raises(RequestError, match=f"{reason} 3"):
        api.retry_api()
    assert api.asked_at == [0, 0.5, 1.5]


def test_each_kind_of_failure_is_counted_by_itself(clock: FakeClock) -> None:
    twice = [Reason.UNREACHABLE] * 2
    reasons = [*twice, Reason.BUSY, *twice, Reason.REFUSED, *twice, Reason.BUSY]
    assert Service(clock, reasons).retry_api(YOUNG) == "answer"


def test_a_late_policy_is_given_30_seconds_on_a_young_instance_alone(clock: FakeClock) -> None:
    api = Service(clock, forever(Reason.REFUSED))
    with pytest.raises(RequestError, match="refused 1"):
        api.retry_api(OLD)
    with pytest.raises(RequestError, match="refused"):
        api.retry_api(YOUNG)
    assert len(api.asked_at) > 4
    assert 25 < clock.time - 1000 <= 30
