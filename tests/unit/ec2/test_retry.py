from __future__ import annotations

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.ec2.failure import AttemptError, Kind
from rancheros_ec2_metadata.ec2.retry import (
    IMDS,
    LATE,
    LATE_IMDS,
    THROTTLED,
    UNREACHABLE,
    Patience,
    Policy,
    persist,
    until,
)
from unit.ec2.metadata_server import FakeClock

POLICIES = st.sampled_from([IMDS, LATE, LATE_IMDS, THROTTLED, UNREACHABLE])


@given(
    policy=POLICIES,
    failures=st.integers(1, 10_000),
    left=st.floats(0, 3600),
    drawn=st.floats(0, 1, exclude_max=True),
    asked=st.floats(0, 1e9),
)
def test_a_pause_is_never_negative_and_leaves_the_last_try_its_time(
    policy: Policy, failures: int, left: float, drawn: float, asked: float
) -> None:
    pause = policy.pause(failures, left, drawn, asked)
    assert pause is None or 0 <= pause <= left - policy.reserve


@given(policy=POLICIES, failures=st.integers(1, 2), drawn=st.floats(0, 1, exclude_max=True))
def test_without_a_wish_of_the_server_the_pause_is_drawn_from_the_window(
    policy: Policy, failures: int, drawn: float
) -> None:
    window = min(policy.longest, policy.first * 2 ** (failures - 1))
    assert policy.pause(failures, 3600, drawn) == pytest.approx(window * drawn)


def test_the_window_stops_growing() -> None:
    policy = Policy(first=1, longest=5)
    assert [policy.pause(n, 3600, 1.0) for n in (1, 2, 3, 4, 999)] == [1, 2, 4, 5, 5]


def test_what_the_server_asks_for_is_waited_for() -> None:
    assert Policy(first=1, longest=5).pause(1, 3600, 0.5, asked=30) == 30


def test_a_server_that_asks_for_more_than_there_is_gets_a_last_try_at_the_end() -> None:
    assert Policy(first=1, longest=5, reserve=2).pause(1, 50, 0.5, asked=3600) == 48


def test_the_number_of_tries_counts_the_first() -> None:
    policy = Policy(first=1, longest=5, tries=3)
    assert [policy.pause(n, 3600, 0.5) is None for n in (1, 2, 3)] == [False, False, True]


def _failing(times: int, kind: Kind = Kind.BUSY, retry_after: float = 0) -> list[AttemptError]:
    return [AttemptError(f"failure {n}", kind, retry_after) for n in range(1, times + 1)]


def _ask(failures: list[AttemptError], clock: FakeClock, patience: Patience) -> str:
    def attempt() -> str:
        if failures:
            raise failures.pop(0)
        return "answer"

    return persist(attempt, patience, clock.sleep)


def test_what_works_at_once_is_asked_once(clock: FakeClock) -> None:
    assert _ask([], clock, Patience(IMDS, clock.limit())) == "answer"
    assert clock.slept == []


def test_each_failure_is_waited_after_once(clock: FakeClock) -> None:
    patience = Patience(Policy(first=1, longest=9), clock.limit(), draw=lambda: 0.5)
    assert _ask(_failing(3), clock, patience) == "answer"
    assert clock.slept == [0.5, 1, 2]


def test_at_the_limit_the_last_failure_is_raised(clock: FakeClock) -> None:
    patience = Patience(Policy(first=4, longest=4), clock.limit(10), draw=lambda: 1)
    with pytest.raises(AttemptError, match="failure 4"):
        _ask(_failing(99), clock, patience)
    assert clock.time == 1010


@pytest.mark.parametrize("kind", [Kind.FINAL, Kind.DENIED, Kind.ABSENT, Kind.UNAUTHENTIC])
def test_what_asking_again_would_not_help_is_raised_at_once(clock: FakeClock, kind: Kind) -> None:
    with pytest.raises(AttemptError, match="failure 1"):
        _ask(_failing(2, kind), clock, Patience(IMDS, clock.limit()))
    assert clock.slept == []


def test_an_error_of_another_sort_is_not_tried_again(clock: FakeClock) -> None:
    errors: list[Exception] = [AttemptError("busy", Kind.BUSY), LookupError("a bug")]

    def attempt() -> None:
        raise errors.pop(0)

    with pytest.raises(LookupError):
        persist(attempt, Patience(IMDS, clock.limit(), draw=lambda: 0.5), clock.sleep)
    assert len(clock.slept) == 1


def test_looking_stops_as_soon_as_it_is_done(clock: FakeClock) -> None:
    looks: list[float] = []

    def look() -> None:
        looks.append(clock.time)

    assert until(lambda: len(looks) == 2, look, LATE_IMDS, clock.limit(), lambda: 0.5)
    assert len(clock.slept) == 2


def test_looking_stops_at_the_limit(clock: FakeClock) -> None:
    assert not until(lambda: False, lambda: None, LATE, clock.limit(10), lambda: 0.5)
    assert 1008 < clock.time <= 1010


def _fleet(instances: int, burst: float, rate: float, seed: int) -> tuple[int, list[float]]:
    """Let a fleet ask at once under `THROTTLED`; return all calls, and when each was served."""
    draw = random.Random(seed).random
    waiting = [(0.0, n, 0) for n in range(instances)]
    tokens, then, calls = burst, 0.0, 0
    served: list[float] = []
    while waiting:
        now, n, failures = heapq.heappop(waiting)
        tokens = min(burst, tokens + (now - then) * rate)
        then = now
        calls += 1
        if tokens >= 1:
            tokens -= 1
            served.append(now)
            continue
        pause = THROTTLED.pause(failures + 1, 110 - now - 0.1, draw())
        if pause is not None:
            heapq.heappush(waiting, (now + 0.1 + pause, n, failures + 1))
    return calls, served


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_instances_are_served_within_the_goal(seed: int) -> None:
    calls, served = _fleet(1000, burst=100, rate=20, seed=seed)
    assert len(served) == 1000
    assert max(served) <= 1.3 * 45
    assert calls <= 4 * 1000


def test_with_half_the_bucket_all_are_still_served_before_reading_ends() -> None:
    _, served = _fleet(1000, burst=50, rate=10, seed=1)
    assert len(served) == 1000
