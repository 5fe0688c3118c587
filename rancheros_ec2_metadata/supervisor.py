"""The process that supervises a run: it ends the run at the deadline, in any state.

The run is a child process, forked before anything heavy is imported: parent and child share each
page of memory until one of them writes to it. A thread could not end it: the run may hold the
interpreter. Killing is safe at any time: each file is the old or the new one.
"""

from __future__ import annotations

import os
import select
import signal
import time

from rancheros_ec2_metadata import called_as

TYPE_CHECKING = False  # importing `typing` takes as long as all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, TypeAlias

    RunFor: TypeAlias = Callable[[float], None]
    """Says how many seconds after the start of the program the run has to be over."""

_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
_DEADLINE = 120.0  # seconds, until the run has reported its own
_BUG, _OVERDUE = 1, 7  # of errors.ExitStatus
_FILES = "each file is as it was or as planned"


def supervise(
    run: Callable[[float, RunFor], int], write_last_line: Callable[[str, int], object]
) -> int:
    """Run ``run`` in a child process until its deadline; return the exit status.

    Args:
        run: is given the time of the program's start, on the monotonic clock, and the function
            that reports the deadline. Returns an exit status.
        write_last_line: writes the last line of a run that ended without one, with its exit status.
    """

    def report_end(text: str, status: int) -> int:
        write_last_line(text, status)
        return status

    started = time.monotonic() - _read_process_age()
    # SIGCHLD may be inherited as ignored; children then leave no exit status.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError as why:
        fix = "raise the limit of processes (pids_limit, ulimits)"
        text = f"no process can be made for the run: {why.strerror}; {fix}"
        return report_end(text, _BUG)
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        _run(lambda: run(started, lambda seconds: _say(writing, seconds)), report_end)
    os.close(writing)
    ends = started + _hear(reading)
    while True:
        done, code = os.waitpid(child, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(code)
            if status >= 0:
                return status
            return report_end(f"the run was killed by signal {-status}, see dmesg; {_FILES}", _BUG)
        left = ends - time.monotonic()
        received = signal.sigtimedwait(_SIGNALS, left) if left > 0 else None
        if received is None:
            _kill(child)
            return report_end(f"the deadline passed, and the run was ended; {_FILES}", _OVERDUE)
        if (number := received.si_signo) != signal.SIGCHLD:
            _kill(child)
            return report_end(f"the run was stopped by signal {number}; {_FILES}", 128 + number)


def _run(run: Callable[[], int], report_end: Callable[[str, int], int]) -> NoReturn:
    """Run in the child, and end the process."""
    os.setpgid(0, 0)
    status = _BUG
    try:
        status = run()
    except Exception as bug:  # noqa: BLE001 - no traceback reaches an operator
        name = type(bug).__name__
        report_end(f"this is a bug of {called_as()}, or its files are damaged: {name}", _BUG)
    finally:
        # Threads that were left behind do not hold the end up.
        os._exit(status)


def _read_process_age() -> float:
    """Return the seconds since this process was started, its interpreter's start included."""
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - pathlib is not imported here
        stat = file.read()
    # Field 22 of proc(5); the name in field 2 may hold spaces and parentheses.
    ticks = int(stat.rpartition(b")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def _say(writing: int, seconds: float) -> None:
    os.write(writing, str(seconds).encode())
    os.close(writing)


def _hear(reading: int) -> float:
    """Return the deadline that the run reports; on wrong usage it ends without one."""
    ready, _, _ = select.select([reading], [], [], _DEADLINE)
    said = os.read(reading, 64) if ready else b""
    os.close(reading)
    return float(said or _DEADLINE)


def _kill(child: int) -> None:
    """Kill the child and all that it has started: ``ros`` runs in a group of its own."""
    os.kill(child, signal.SIGSTOP)  # so that it starts nothing more
    for process in (*_list_children(child), child):
        for kill in (os.killpg, os.kill):
            try:
                kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
    os.waitpid(child, 0)


def _list_children(process: int) -> list[int]:
    """Return the processes that a process's threads have started."""
    children = []
    try:
        for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - as above
            with open(f"/proc/{process}/task/{thread}/children", "rb") as file:  # noqa: PTH123 - as above
                children += [int(number) for number in file.read().split()]
    except OSError:
        # Not every kernel has this file. In a container all end with the first process anyway.
        pass
    return children
