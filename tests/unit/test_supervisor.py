from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, subprocess, sys, time
from rancheros_ec2_metadata import supervisor
def run(started, run_for):
    age = time.monotonic() - started
    run_for({seconds} + age)
    {run}
print(supervisor.supervise(run, lambda text, status: print(text, status, sep="|")), flush=True)
"""
NOTHING_HALF = "each file is as it was or as planned"
OVERDUE = f"the deadline passed, and the run was ended; {NOTHING_HALF}|7"
BUG = "this is a bug of rancheros-ec2-metadata, or its files are damaged: ZeroDivisionError|1"


def supervised(run: str, seconds: float = 60, before: str = "") -> list[str]:
    """Return the last line that the supervisor wrote, if any, and the status that it returned."""
    done = subprocess.run(
        [sys.executable, "-c", before + PROGRAM.format(run=run, seconds=seconds)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("return 4", ["4"]),
        ("os._exit(5)", ["5"]),
        ("raise SystemExit(9)", ["1"]),
        ("print(1 / 0)", ["1"]),
        # A thread that is left behind does not hold the end up.
        (
            "import threading; threading.Thread(target=time.sleep, args=(60,)).start(); return 0",
            ["0"],
        ),
    ],
)
def test_the_status_of_the_run_is_the_status(run: str, said: list[str]) -> None:
    assert supervised(run)[-1:] == said


def test_a_run_that_cannot_begin_is_a_bug_that_is_named_without_its_message() -> None:
    at_once = "import functools; print = functools.partial(print, flush=True)\n"
    assert supervised("1 / 0", before=at_once) == [BUG, "1"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_run_that_somebody_kills_is_named_with_the_signal(number: int) -> None:
    text = f"the run was killed by signal {int(number)}, see dmesg; {NOTHING_HALF}|1"
    assert supervised(f"os.kill(os.getpid(), {int(number)})") == [text, "1"]


@pytest.mark.parametrize(
    "run",
    [
        "time.sleep(60)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); time.sleep(60)",
        "subprocess.run(['sleep', '60'])",
        "sum(range(10**12))",
    ],
)
def test_at_the_deadline_the_run_ends_whatever_it_is_doing(run: str) -> None:
    assert supervised(run, 0.3) == [OVERDUE, "7"]


def test_at_the_deadline_what_its_threads_have_started_ends_too(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # A session of its own, as `ros` is given one. It reads until it ends.
    start = f"subprocess.run(['sh', '-c', 'exec sleep 60 <{fifo}'], start_new_session=True)"
    thread = f"import threading; threading.Thread(target=lambda: {start}).start()"
    # Waits for the reader before it says how long.
    program = PROGRAM.replace("run_for({seconds} + age)", f"{thread}; open('{fifo}', 'w').close()")
    done = subprocess.run(
        [sys.executable, "-c", program.format(run="run_for(0); time.sleep(60)")],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == [OVERDUE, "7"]
    ends = time.monotonic() + 30
    while is_read(fifo):
        assert time.monotonic() < ends


def is_read(fifo: Path) -> bool:
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def test_a_run_that_has_not_said_how_long_is_waited_for_all_the_same() -> None:
    assert supervised("return 3", before="import os; os.write = lambda *_: None\n") == ["3"]


def test_the_time_counts_from_the_start_of_the_program() -> None:
    before = "import time; began = time.monotonic(); time.sleep(0.2)\n"
    (told, status) = supervised("print(began - started, flush=True); return 0", before=before)
    # The kernel counts in ticks of 10 ms; the interpreter started before `began`.
    assert -0.01 <= float(told) < 60
    assert status == "0"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_too(tmp_path: Path, number: signal.Signals) -> None:
    run = "print(os.getpid(), flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(run=run, seconds=60)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        child = process.stdout.readline().strip()
        process.send_signal(number)
        out, _ = process.communicate(timeout=90)
    text = f"the run was stopped by signal {number.value}; {NOTHING_HALF}|{128 + number}"
    assert out.splitlines() == [text, str(128 + number)]
    assert not Path(f"/proc/{child}").exists()


def test_where_the_ends_of_children_are_ignored_the_end_is_seen_all_the_same() -> None:
    ignore = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    assert supervised("return 4", before=ignore) == ["4"]


def test_where_no_process_can_be_made_it_is_said() -> None:
    refuse = (
        "import errno, os\ndef fork(): raise OSError(errno.EAGAIN, 'no room')\nos.fork = fork\n"
    )
    text, status = supervised("return 0", before=refuse)
    assert (text.partition(": ")[0] + ": ", status) == ("no process can be made for the run: ", "1")
    assert "pids_limit" in text
