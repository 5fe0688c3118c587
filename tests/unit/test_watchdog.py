import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, subprocess, sys, time
from rancheros_ec2_metadata import watchdog
def run(run_for):
    run_for({seconds})
    {run}
def say(*words):
    print(*words, flush=True)
say(watchdog.supervised(run, lambda: say("overdue"), lambda number: say("killed", number),
    lambda number: say("stopped", number)))
"""


def supervised(run: str, seconds: float = 60) -> list[str]:
    return _ran(PROGRAM.format(run=run, seconds=seconds))


def _ran(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("run", "status"),
    [
        ("return 4", "4"),
        ("os._exit(5)", "5"),
        ("raise SystemExit(9)", "1"),
    ],
)
def test_the_childs_status_is_the_status(run: str, status: str) -> None:
    assert supervised(run) == [status]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_child_that_somebody_kills_is_a_bug_and_told_with_the_signal(number: int) -> None:
    assert supervised(f"os.kill(os.getpid(), {number})") == ["killed", str(int(number)), "1"]


@pytest.mark.parametrize(
    "run",
    [
        "time.sleep(60)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)); time.sleep(60)",
        "subprocess.run(['sleep', '60'])",
        "sum(range(10**12))",
    ],
)
def test_at_the_deadline_the_run_ends_whatever_it_is_doing(run: str) -> None:
    assert supervised(run, 0.3) == ["overdue", "7"]


def test_at_the_deadline_what_its_threads_have_started_ends_too(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # A session of its own, as `ros` is given one. It holds the pipe until it ends.
    start = f"lambda: subprocess.run(['sh', '-c', 'exec sleep 60 <{fifo}'], start_new_session=True)"
    run = f"import subprocess, threading; threading.Thread(target={start}).start(); time.sleep(60)"
    program = PROGRAM.format(run=run, seconds=1.5)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        writing = os.open(fifo, os.O_WRONLY)
        process.wait(30)
        poll = select.poll()
        poll.register(writing, 0)
        assert poll.poll(10_000) == [(writing, select.POLLERR)]  # nobody reads any more
        os.close(writing)


def test_a_child_that_has_not_said_how_long_is_waited_for_all_the_same() -> None:
    program = PROGRAM.replace("run_for({seconds})", "pass").format(run="time.sleep(0.3); return 3")
    assert _ran(program) == ["3"]


def test_the_time_counts_from_the_start_of_the_parent() -> None:
    in_time = PROGRAM.format(run="time.sleep(0.2); return 0", seconds=0.8)
    assert _ran(f"import time; time.sleep(1)\n{in_time}") == ["overdue", "7"]


def test_a_thread_left_behind_does_not_hold_the_end_up() -> None:
    run = "import threading; threading.Thread(target=time.sleep, args=(60,)).start(); return 0"
    assert supervised(run) == ["0"]


def test_a_signal_ends_the_child_too(tmp_path: Path) -> None:
    run = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()) + '.'); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(run=run.replace("60)", "60)"), seconds=60)],
        stdout=subprocess.PIPE,
        text=True,
    )
    written = tmp_path / "pid"
    ends = time.monotonic() + 30
    while not (written.exists() and written.read_text().endswith(".")):
        assert time.monotonic() < ends
        os.sched_yield()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert out.split() == ["stopped", str(int(signal.SIGTERM)), str(128 + signal.SIGTERM)]
    assert not Path(f"/proc/{written.read_text()[:-1]}").exists()


def test_where_the_ends_of_children_are_ignored_the_end_is_seen_all_the_same() -> None:
    ignore = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    started = time.monotonic()
    assert _ran(ignore + PROGRAM.format(run="return 4", seconds=20)) == ["4"]
    assert time.monotonic() - started < 15


def test_the_age_of_a_process_counts_its_interpreters_start() -> None:
    code = "from rancheros_ec2_metadata import watchdog; print(watchdog.process_age())"
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    age = float(done.stdout)
    # The kernel counts in ticks of 10 ms.
    assert 0.01 <= age <= time.monotonic() - started + 0.02
