"""Runs of the program against something that goes wrong, timed from outside."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.settings import STATUS_VARIABLE
from real_parts.namespace import Namespace
from real_parts.polling import until
from ros_stand_in import in_effect

# What a loaded machine may need to start a run, ask ros and write, and to end a process after the
# deadline. A run that nothing ends takes for ever.
SLACK = 60.0
IN_VAIN = 75.0
"""The deadline, in seconds, of a run that waits for what never comes; reading ends before it."""


@dataclass(frozen=True)
class Timed:
    """A run that ended.

    Args:
        ran: how.
        seconds: from before its process was made until its parent knew of its end.
        disk: that it ran on.
    """

    ran: program.Ran
    seconds: float
    disk: MachineDisk

    @property
    def outcome(self) -> str | None:
        """Return what the machine's configuration says of the outcome."""
        return environment(self.disk).get(STATUS_VARIABLE)


def user_machine(folder: Path, release: str = "v1.5.8") -> MachineDisk:
    """Return an EC2 instance's disk, with an argument of the user's for Docker."""
    disk = MachineDisk(folder, release)
    disk.user_data("#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n")
    program.on_ec2(disk)
    return disk


def run(
    disk: MachineDisk,
    *arguments: str,
    deadline: float,
    variables: Mapping[str, str],
    before: Sequence[str] = (),
    namespace: Namespace | None = None,
) -> Timed:
    """Run the program on a disk to its end, which must come by itself.

    Args:
        disk: the machine's.
        arguments: command and flags; ``--deadline``, ``--root`` and ``--ros`` follow.
        deadline: seconds.
        variables: of the environment.
        before: a command that starts the program's.
        namespace: where it runs; None is out here.
    """
    flags = (f"--deadline={deadline}", *program.machine_flags(disk, arguments))
    argv = [*before, *program.command(*arguments, *flags)]
    environment, seconds = program.environment(**variables), deadline + SLACK
    started = time.monotonic()
    if namespace is None:
        done = program.ended(argv, env=environment, timeout=seconds)
    else:
        done = namespace.run(argv, env=environment, seconds=seconds)
    return Timed(program.Ran.of(done), time.monotonic() - started, disk)


def items(disk: MachineDisk) -> list[str]:
    """Return Docker's arguments in effect on a machine, as ``ros`` reads its files."""
    return in_effect.docker_arguments(disk.read(), disk.release)


def environment(disk: MachineDisk) -> dict[str, str]:
    """Return the variables in effect."""
    return in_effect.environment(disk.read(), disk.release)


@contextlib.contextmanager
def locked(disk: MachineDisk) -> Iterator[None]:
    """Hold the lock of a machine, as a run that does not end."""
    conf = os.open(disk.path(paths.CONF), os.O_RDONLY)
    try:
        fcntl.flock(conf, fcntl.LOCK_EX)
        yield
    finally:
        os.close(conf)


def child_of(run: subprocess.Popen[str]) -> int:
    """Return the process that does the work of a run."""
    (child,) = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    return int(child)


def waits_for_lock(disk: MachineDisk, run: subprocess.Popen[str]) -> bool:
    """Tell whether a run has conf/ open, to lock it."""
    with contextlib.suppress(OSError, ValueError):  # a file may be closed while it is looked at
        opened = Path(f"/proc/{child_of(run)}/fd").iterdir()
        return any(one.resolve() == disk.path(paths.CONF) for one in opened)
    return False


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until something is so."""
    assert until(what, expected=True)
