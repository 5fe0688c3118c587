"""The end of a run at its deadline, whatever it is doing.

The run is a child process; its parent waits for it no longer than the deadline. A thread could not
do this: blocked in C code the run may hold the interpreter, and on the system's older Docker
threads may not start at all. Killing is safe at any time: files are written so (rancheros.store).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from rancheros_ec2_metadata.errors import ExitStatus

_WAITED_FOR = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


def process_age() -> float:
    """Return the seconds since this process was started, its interpreter's start included."""
    try:
        stat = Path("/proc/self/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    # Field 22 of proc(5); the name in field 2 may hold spaces and parentheses.
    ticks = int(stat.rpartition(")")[2].split()[19])
    started = ticks / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)


def supervised(run: Callable[[], int], seconds: float, overdue: Callable[[], None]) -> int:
    """Run ``run`` in a child, for at most ``seconds``, and return its exit status.

    Args:
        run: returns an exit status.
        seconds: after which the child, and all it has started in its process group, is killed.
        overdue: called then, to say so.

    A signal that ends the parent ends the child too; the status is then 128 and its number.
    """
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        status = int(ExitStatus.BUG)
        try:
            status = run()
        finally:
            # Threads that were left behind (a look-up that never ends) must not hold the end up.
            os._exit(status)
    try:
        return _wait(child, time.monotonic() + seconds, overdue)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _wait(child: int, ends: float, overdue: Callable[[], None]) -> int:
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else int(ExitStatus.BUG)
        left = ends - time.monotonic()
        if left <= 0:
            _kill(child)
            overdue()
            return int(ExitStatus.DEADLINE)
        received = signal.sigtimedwait(_WAITED_FOR, left)
        if received is not None and received.si_signo != signal.SIGCHLD:
            _kill(child)
            return 128 + received.si_signo


def _kill(child: int) -> None:
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue
    os.waitpid(child, 0)
