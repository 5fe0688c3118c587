"""The last lines of a run that cannot write them itself: it was ended, killed, or never began.

In the form of the boot log. Imports next to nothing, see `start`.
"""

from __future__ import annotations

import os

from rancheros_ec2_metadata import __version__, kmsg

_FILES = "where the line above left it{}; every file is its old or its new self"


def of_overdue(device: str) -> None:
    """Say that the deadline has ended the run.

    Args:
        device: path of the kernel's log.
    """
    text = "the deadline passed"
    _say(f"{text}, and the run was ended {_FILES.format('')}", text, 7, device)


def of_killed(signal: int, device: str) -> None:
    """Say that somebody has killed the run, the kernel for want of memory mostly.

    Args:
        signal: its number.
        device: path of the kernel's log.
    """
    text = f"the run was killed by signal {signal}"
    _say(f"{text} {_FILES.format(', see dmesg')}", text, 1, device)


def of_stopped(signal: int, device: str) -> None:
    """Say that the whole program was asked to end, by `system-docker stop` mostly.

    Args:
        signal: its number.
        device: path of the kernel's log.
    """
    text = f"the run was stopped by signal {signal}"
    _say(f"{text} {_FILES.format('')}", text, 128 + signal, device)


def of_refused(why: OSError, device: str) -> int:
    """Say that no process can be made for the run; return the exit status.

    Args:
        why: what the system says.
        device: path of the kernel's log.
    """
    text = f"the run cannot be started, no process can be made ({why.strerror})"
    mend = "raise what limits this container's processes (pids_limit, ulimits)"
    _say(f"{text}: nothing was touched; {mend}", text, 1, device)
    return 1


def of_broken(bug: Exception, device: str, *, debug: bool) -> None:
    """Say that the program cannot be started.

    Args:
        bug: why; what it says may be anybody's, so it is not repeated.
        device: path of the kernel's log.
        debug: log where it was too.
    """
    if debug:
        import traceback  # noqa: PLC0415 - of this case alone

        _log("".join(traceback.format_tb(bug.__traceback__)).splitlines())
    text = f"this is a bug of rancheros-ec2-metadata {__version__}, or its image is damaged"
    _say(f"{text}: {type(bug).__name__}", "the program cannot be started", 1, device)


def _say(error: str, short: str, status: int, device: str) -> None:
    _log([f"error: {error}", f"exit {status}"])
    kmsg.tell(f"ec2-metadata: {short}; exit {status}", device)


def _log(lines: list[str]) -> None:
    text = "".join(f"ec2-metadata: {line}\n" for line in lines)
    try:
        former = os.get_blocking(2)
        # A log whose reader stands still must not hold the boot up. Asked before, a terminal would
        # say that it takes something, and then wait for room for the rest.
        os.set_blocking(2, False)
        try:
            os.write(2, text.encode("ascii", "backslashreplace"))
        finally:
            os.set_blocking(2, former)  # others may have it too
    except OSError:
        pass  # nor one that takes nothing more
