"""Runs of the program against something that goes wrong, timed from outside."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rancheros_ec2_metadata.rancheros.disk import read_disk
from rancheros_ec2_metadata.rancheros.layers import Layers, stack

from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.settings import STATUS_VARIABLE

# What a loaded machine may need after the deadline to end a process and tell its parent. Where
# nothing ended the run, each of these would take for ever.
SLACK = 4.0


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
        """Return what the layers say of the outcome."""
        return layers_of(self.disk).environment().get(STATUS_VARIABLE)


def user_machine(folder: Path) -> MachineDisk:
    """Return an EC2 instance's disk, with an argument of the user's for Docker."""
    disk = MachineDisk(folder)
    disk.user_data("#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n")
    program.on_ec2(disk)
    return disk


def run(
    disk: MachineDisk,
    *arguments: str,
    deadline: float,
    variables: Mapping[str, str],
    before: Sequence[str] = (),
) -> Timed:
    """Run the program on a disk to its end; it must come by itself.

    Args:
        disk: the machine's.
        arguments: command and flags; ``--deadline`` and ``--root`` follow.
        deadline: seconds.
        variables: of the environment.
        before: a command that starts the program's.
    """
    argv = [
        *before,
        *program.command(*arguments, f"--deadline={deadline}", "--root", str(disk.root)),
    ]
    started = time.monotonic()
    done = subprocess.run(
        argv,
        env=program.environment(**variables),
        capture_output=True,
        text=True,
        timeout=deadline + 30,
        check=False,
    )
    return Timed(program.Ran.of(done), time.monotonic() - started, disk)


def release_of(disk: MachineDisk) -> str:
    """Return the name of the release on a disk."""
    return releases.of(read_disk(disk.root)).text


def layers_of(disk: MachineDisk) -> Layers:
    """Return what is in force on a disk, as ``ros`` would load it."""
    files = read_disk(disk.root)
    return stack(files, releases.of(files))
