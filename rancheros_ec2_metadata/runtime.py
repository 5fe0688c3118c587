"""What a run uses of the system: the firmware's files, EC2, the clock, ``ros``."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.firmware import detect
from rancheros_ec2_metadata.ec2.imds import Imds
from rancheros_ec2_metadata.ec2.read import Reader
from rancheros_ec2_metadata.hosts.files import Files
from rancheros_ec2_metadata.hosts.selection import make_host
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from rancheros_ec2_metadata.ec2.facts import Facts
    from rancheros_ec2_metadata.ec2.firmware import Machine
    from rancheros_ec2_metadata.hosts.base import Host

# Reading EC2 ends so long before the deadline, or a sixth of it if that is less; what is known
# is then planned, rehearsed and written.
_LAST_SECONDS = 10.0
_LAST_PART = 6
# Of a later run of the same boot, if that may delay a restart of Docker.
_LATER_READING = 10.0
# The run itself stops waiting a little before the supervisor ends it.
_MARGIN = 0.2


class Ec2(Protocol):
    """EC2, as a run asks it; see ec2.read."""

    def read(self, *, kept: bool, so_far: Callable[[Facts], None]) -> Facts:
        """Return what EC2 says."""


class Target(NamedTuple):
    """What is configured: the machine's configuration, what writes it, and the boot log."""

    host: Host
    files: Files
    log: Log


class Runtime(NamedTuple):
    """What a run uses of the system.

    Args:
        target: what is configured.
        now: the time of day.
        machine: what the firmware says.
        ec2: is asked for metadata and tags.
        deadline: until when anything may be waited for.
        boot_id: the kernel's name for this boot, for `status`.
    """

    target: Target
    now: datetime
    machine: Machine
    ec2: Ec2
    deadline: Limit
    boot_id: str | None = None


def make_runtime(settings: Settings, log: Log, *, age: float = 0, dry: bool = False) -> Runtime:
    """Return what a run uses of the system.

    Args:
        settings: the run's.
        log: the boot log.
        age: of the run's process, in seconds.
        dry: write nothing.
    """
    clock, seconds = Clock(), settings.deadline
    deadline = Limit.after(seconds - min(_MARGIN, seconds / _LAST_PART) - age, clock)
    machine = detect(settings.root)
    host = make_host(settings, deadline, off_machine=dry and settings.root != Path("/"))
    boot = read_boot_id(settings.root)
    reading = limit_reading(seconds, age, clock)
    if host.later_runs_read_briefly:
        last = host.read_state()[0].last_run
        if last is not None and boot is not None and last.boot_id == boot:
            # `systemctl restart docker` waits for this run.
            reading = reading.within(_LATER_READING)
    return Runtime(
        target=Target(host, Files(host.locate, dry=dry), log),
        now=datetime.now(timezone.utc),
        machine=machine,
        ec2=Reader(settings, machine, Imds(settings.imds, reading, log), log),
        deadline=deadline,
        boot_id=boot,
    )


def limit_reading(seconds: float, age: float, clock: Clock) -> Limit:
    """Return until when EC2 is read, in a run that ends after ``seconds`` and is ``age`` old."""
    return Limit.after(seconds - min(_LAST_SECONDS, seconds / _LAST_PART) - age, clock)


def read_boot_id(root: Path) -> str | None:
    """Return the kernel's name for this boot; None if it does not say."""
    try:
        return (root / "proc/sys/kernel/random/boot_id").read_text("utf-8").strip() or None
    except (OSError, ValueError):
        return None
