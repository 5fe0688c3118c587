"""The end of a run at its deadline, whatever it is doing.

The run is a child process; its parent waits for it no longer than the deadline. A thread could not
do this: blocked in C code the run may hold the interpreter, and on the system's older Docker
threads may not start at all. Killing is safe at any time: files are written so (rancheros.store).

Imports next to nothing, see `start`.
"""

from __future__ import annotations

import os
import select
import signal
import time

TYPE_CHECKING = False  # the one of `typing` takes as long to import as all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    RunFor: TypeAlias = Callable[[float], None]
    """Says how many seconds after its process's start the run has to be over."""

_WAITED_FOR = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
_SILENT_SECONDS = 120.0  # the default deadline, until the run has said what its own is
_BUG, _DEADLINE = 1, 7  # of errors.ExitStatus


def process_age() -> float:
    """Return the seconds since this process was started, its interpreter's start included."""
    try:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - pathlib is not imported here
            stat = file.read()
    except OSError:
        return 0.0
    # Field 22 of proc(5); the name in field 2 may hold spaces and parentheses.
    ticks = int(stat.rpartition(b")")[2].split()[19])
    started = ticks / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)


def supervised(
    run: Callable[[RunFor], int],
    overdue: Callable[[], object],
    killed: Callable[[int], object],
    stopped: Callable[[int], object],
) -> int:
    """Run ``run`` in a child for as long as it says that it may take; return its exit status.

    Args:
        run: is given the function to say so with, and returns an exit status.
        overdue: called after the child, and all it has started, was killed because the time was
            over.
        killed: called with the signal where somebody else has killed the child.
        stopped: called with the signal that ended the parent, after the child was killed in the
            same way; the status is then 128 and its number.

    Raises:
        OSError: no process can be made.
    """
    started = time.monotonic() - process_age()
    # Inherited, it could be that no child leaves a status, nor a signal.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    heard, said = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # else Python would end without a word
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        status = _BUG
        try:
            status = run(lambda seconds: _say(said, seconds))
        finally:
            # Threads that were left behind (a look-up that never ends) must not hold the end up.
            os._exit(status)
    os.close(said)
    try:
        return _wait(child, started + _hear(heard), overdue, killed, stopped)
    finally:
        os.close(heard)
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _say(said: int, seconds: float) -> None:
    os.write(said, str(seconds).encode())
    os.close(said)


def _hear(heard: int) -> float:
    """Return what the child has said; it ends without a word where the usage is wrong."""
    ready, _, _ = select.select([heard], [], [], _SILENT_SECONDS)
    return float((os.read(heard, 64) if ready else b"") or _SILENT_SECONDS)


def _wait(
    child: int,
    ends: float,
    overdue: Callable[[], object],
    killed: Callable[[int], object],
    stopped: Callable[[int], object],
) -> int:
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            if code >= 0:
                return code
            killed(-code)
            return _BUG
        left = ends - time.monotonic()
        if left <= 0:
            _kill(child)
            overdue()
            return _DEADLINE
        received = signal.sigtimedwait(_WAITED_FOR, left)
        if received is not None and received.si_signo != signal.SIGCHLD:
            _kill(child)
            stopped(received.si_signo)
            return 128 + received.si_signo


def _kill(child: int) -> None:
    """Kill the child, its group, and what it waits for: ``ros`` runs in a group of its own."""
    os.kill(child, signal.SIGSTOP)  # so that it starts nothing more
    for process in (*_children(child), child):
        for kill in (os.killpg, os.kill):
            try:
                kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
    os.waitpid(child, 0)


def _children(process: int) -> list[int]:
    """Return the processes that a process's threads have started."""
    children = []
    try:
        for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - as above
            with open(f"/proc/{process}/task/{thread}/children", "rb") as file:  # noqa: PTH123 - as above
                children += [int(number) for number in file.read().split()]
    except OSError:
        # Not every kernel has it. In a container the end of its first process ends all anyway.
        pass
    return children
