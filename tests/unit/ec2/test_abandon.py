from __future__ import annotations

import threading

import pytest

from rancheros_ec2_metadata.ec2.abandon import abandonable


def test_the_result_comes_back() -> None:
    assert abandonable(lambda: "done", 5) == "done"


def test_an_error_is_raised_where_it_was_called_for() -> None:
    def fails() -> None:
        raise LookupError("why")

    with pytest.raises(LookupError, match="why"):
        abandonable(fails, 5)


def test_work_that_does_not_end_is_left_behind() -> None:
    go_on = threading.Event()
    try:
        with pytest.raises(TimeoutError, match=r"0\.1 s"):
            abandonable(go_on.wait, 0.05)
    finally:
        go_on.set()


def test_what_is_left_behind_does_not_keep_the_process_alive() -> None:
    daemons: list[bool] = []
    abandonable(lambda: daemons.append(threading.current_thread().daemon), 5)
    assert daemons == [True]


def test_where_threads_cannot_start_it_is_done_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert abandonable(threading.get_ident, 5) == threading.get_ident()
