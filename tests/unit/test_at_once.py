from __future__ import annotations

import threading
import time

import pytest

from rancheros_ec2_metadata.at_once import AtOnce


def test_calls_are_made_at_once() -> None:
    barrier = threading.Barrier(4, timeout=10)
    at_once = AtOnce(3)
    met: list[int] = []
    for _ in range(2):
        at_once.call(lambda: met.append(barrier.wait()), 4)
    assert sorted(met) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_there_are_no_more_threads_than_may_be_and_they_stay() -> None:
    threads: set[int] = set()
    at_once = AtOnce(3)
    for _ in range(20):
        at_once.call(lambda: threads.add(threading.get_ident()), 50)
    assert threading.get_ident() in threads
    assert len(threads) <= 4


def test_it_returns_when_all_calls_have() -> None:
    ended: list[int] = []

    def work() -> None:
        time.sleep(0.05 if threading.current_thread() is not threading.main_thread() else 0)
        ended.append(1)

    AtOnce(3).call(work, 3)
    assert len(ended) == 3


def test_one_call_is_made_in_place() -> None:
    threads: list[int] = []
    AtOnce(3).call(lambda: threads.append(threading.get_ident()), 1)
    assert threads == [threading.get_ident()]


def test_where_threads_cannot_start_there_is_the_callers_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    threads: list[int] = []
    AtOnce(3).call(lambda: threads.append(threading.get_ident()), 4)
    assert threads == [threading.get_ident()]


def test_its_threads_end_with_it() -> None:
    class Imds:
        """Hands out work that holds on to it."""

        def __init__(self) -> None:
            self.at_once = AtOnce(3)
            self.seen: list[threading.Thread] = []

        def ask(self) -> None:
            self.at_once.call(lambda: self.seen.append(threading.current_thread()), 4)

    imds = Imds()
    imds.ask()
    others = [thread for thread in imds.seen if thread is not threading.current_thread()]
    assert others
    del imds
    for thread in others:
        thread.join(10)
        assert not thread.is_alive()


def test_answers_come_in_the_order_of_what_was_asked() -> None:
    barrier = threading.Barrier(4, timeout=10)

    def ask(number: int) -> int:
        if number < 4:
            barrier.wait()
        return number * 10

    assert AtOnce(3).map(ask, range(9)) == [number * 10 for number in range(9)]
    assert AtOnce(3).map(ask, []) == []


def test_what_is_raised_is_raised_to_the_caller_and_nothing_more_is_asked() -> None:
    asked: list[int] = []

    def ask(number: int) -> None:
        asked.append(number)
        raise ValueError(str(number))

    with pytest.raises(ValueError, match="0"):
        AtOnce(0).map(ask, range(5))
    assert asked == [0]


def test_of_several_failures_the_first_asked_is_raised() -> None:
    barrier = threading.Barrier(2, timeout=10)

    def ask(number: int) -> None:
        if number == 0:
            barrier.wait()
            time.sleep(0.05)
        else:
            barrier.wait()
        raise ValueError(str(number))

    with pytest.raises(ValueError, match="0"):
        AtOnce(1).map(ask, range(2))
