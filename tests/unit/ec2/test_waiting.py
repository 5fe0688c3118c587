"""How long the API is asked, failure by failure; time passes only in the fake clock."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable

import pytest

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.failure import AttemptError, Kind
from rancheros_ec2_metadata.ec2.waiting import Waits, ask_patiently, waits
from unit.ec2.metadata_server import FakeClock

OLD = Waits()
YOUNG = waits(60, kept=False)


@pytest.mark.parametrize("age", [0, 60, 299, -5])
def test_a_young_instance_is_given_time(age: float) -> None:
    assert waits(age, kept=False) == Waits(tags=10, role=20, policy=30, required=math.inf)


@pytest.mark.parametrize("age", [300, 1e9, None])
def test_an_older_one_is_not(age: float | None) -> None:
    assert waits(age, kept=False) == Waits(tags=0, role=0, policy=0, required=math.inf)


@pytest.mark.parametrize("age", [60, 1e9, None])
def test_one_that_keeps_values_waits_for_required_tags_only_and_not_long(
    age: float | None,
) -> None:
    assert waits(age, kept=True) == Waits(tags=0, role=0, policy=0, required=15)


class Api:
    """Raises these kinds of failures, each after some seconds, then answers."""

    def __init__(self, clock: FakeClock, kinds: Iterable[Kind], takes: float = 0) -> None:
        self.clock = clock
        self.kinds = iter(kinds)
        self.takes = takes
        self.asked_at: list[float] = []

    def ask(self) -> str:
        self.asked_at.append(self.clock.time - 1000)
        self.clock.time += self.takes
        for kind in self.kinds:
            raise AttemptError(f"{kind} {len(self.asked_at)}", kind)
        return "answer"


def forever(kind: Kind) -> Iterable[Kind]:
    while True:
        yield kind


def ask(api: Api, given: Waits = OLD, draw: float = 0.5) -> str:
    return ask_patiently(api.ask, given, api.clock.limit(), lambda: draw)


def test_a_lone_instance_calls_at_once_and_once(clock: FakeClock) -> None:
    api = Api(clock, [])
    assert ask(api) == "answer"
    assert api.asked_at == [0]


def test_throttled_it_asks_until_the_limit_with_growing_pauses(clock: FakeClock) -> None:
    api = Api(clock, forever(Kind.BUSY))
    with pytest.raises(AttemptError, match=r"busy \d+"):
        ask(api)
    assert api.asked_at[:4] == [0, 4, 12, 21]
    assert 100 < api.asked_at[-1] <= 104


def test_throttling_that_passes_is_no_failure(clock: FakeClock) -> None:
    assert ask(Api(clock, [Kind.BUSY] * 5)) == "answer"


@pytest.mark.parametrize("kind", [Kind.UNREACHABLE, Kind.TIMED_OUT])
def test_out_of_reach_it_is_tried_three_times(clock: FakeClock, kind: Kind) -> None:
    api = Api(clock, forever(kind))
    with pytest.raises(AttemptError, match=f"{kind} 3"):
        ask(api)
    assert api.asked_at == [0, 0.5, 1.5]


def test_out_of_reach_it_ends_within_15_seconds(clock: FakeClock) -> None:
    api = Api(clock, forever(Kind.TIMED_OUT), takes=7)
    with pytest.raises(AttemptError, match="timed out"):
        ask(api)
    assert len(api.asked_at) == 2
    assert clock.time - 1000 <= 15


def test_the_15_seconds_begin_with_the_first_try_that_is_not_answered(clock: FakeClock) -> None:
    kinds = [Kind.BUSY] * 4 + [Kind.UNREACHABLE] * 2
    assert ask(Api(clock, kinds)) == "answer"
    kinds = [Kind.UNREACHABLE, Kind.UNREACHABLE, Kind.BUSY, Kind.UNREACHABLE, Kind.UNREACHABLE]
    assert ask(Api(clock, kinds)) == "answer"


@pytest.mark.parametrize("kind", [Kind.DENIED, Kind.UNAUTHENTIC])
def test_a_late_policy_is_given_30_seconds_on_a_young_instance(
    clock: FakeClock, kind: Kind
) -> None:
    api = Api(clock, forever(kind))
    with pytest.raises(AttemptError, match=str(kind)):
        ask(api, YOUNG)
    assert len(api.asked_at) > 3
    assert 25 < clock.time - 1000 <= 30
    assert ask(Api(FakeClock(), [kind] * 3), YOUNG) == "answer"


@pytest.mark.parametrize("kind", [Kind.DENIED, Kind.UNAUTHENTIC])
def test_an_older_one_takes_a_refusal_as_it_is(clock: FakeClock, kind: Kind) -> None:
    api = Api(clock, forever(kind))
    with pytest.raises(AttemptError, match=f"{kind} 1"):
        ask(api)
    assert api.asked_at == [0]


@pytest.mark.parametrize("given", [OLD, YOUNG])
@pytest.mark.parametrize("kind", [Kind.FINAL, Kind.ABSENT])
def test_any_other_failure_is_final(clock: FakeClock, given: Waits, kind: Kind) -> None:
    api = Api(clock, forever(kind))
    with pytest.raises(AttemptError, match=f"{kind} 1"):
        ask(api, given)
    assert api.asked_at == [0]


def test_a_name_server_that_never_answers_is_left_behind() -> None:
    go_on = threading.Event()
    started = time.monotonic()
    try:
        with pytest.raises(AttemptError, match="check the name server") as caught:
            ask_patiently(go_on.wait, OLD, Limit.after(0.1, Clock()), lambda: 0.5)
    finally:
        go_on.set()
    assert caught.value.silent
    assert time.monotonic() - started < 5
