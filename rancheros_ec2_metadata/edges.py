"""Where a run touches the world: the firmware's files, EC2, the clock, ``ros``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.boot import Edges
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2 import detect, transport
from rancheros_ec2_metadata.ec2.asking import Asker
from rancheros_ec2_metadata.ec2.imds import Imds
from rancheros_ec2_metadata.errors import Level, Note, shown
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.rancheros.ros import Ros
from rancheros_ec2_metadata.rancheros.store import Store
from rancheros_ec2_metadata.settings import Settings

if TYPE_CHECKING:
    import requests

# Reading EC2 ends so long before the deadline, or a sixth of it where that is less; what is known
# is then planned, written and read back.
_LAST_SECONDS = 10.0
_LAST_PART = 6
# The run itself stops waiting a little before the supervisor ends it.
_MARGIN = 0.2


@dataclass(frozen=True)
class Limits:
    """A run's two limits, counted from the start of its process."""

    reading: Limit
    deadline: Limit

    @classmethod
    def of(cls, seconds: float, age: float, clock: Clock) -> Limits:
        """Return the limits of a run with a deadline of ``seconds``, ``age`` seconds old."""
        reading = seconds - min(_LAST_SECONDS, seconds / _LAST_PART)
        return cls(
            Limit.after(reading - age, clock),
            Limit.after(seconds - min(_MARGIN, seconds / _LAST_PART) - age, clock),
        )


def edges(settings: Settings, log: Log, limits: Limits, store: Store) -> Edges:
    """Return the real edges of a run."""
    machine = detect.detect(settings.root)
    session = transport.session()
    if settings.debug:
        session.hooks["response"].append(lambda answer, **_: log.note(_request(answer)))
    imds = Imds(session, settings.imds, limits.reading)
    return Edges(
        log=log,
        now=datetime.now(UTC),
        machine=machine,
        ec2=Asker(settings, machine, imds, log, limits.deadline),
        store=store,
        ros=ros_of(settings),
        deadline=limits.deadline,
        boot_id=boot_id(settings.root),
    )


def boot_id(root: Path) -> str | None:
    """Return the kernel's name for this boot; None where it does not say."""
    try:
        return (root / "proc/sys/kernel/random/boot_id").read_text("utf-8").strip() or None
    except (OSError, ValueError):
        return None


def ros_of(settings: Settings) -> Ros | None:
    """Return the ``ros`` command that the settings name, if any."""
    return Ros(str(settings.ros)) if settings.ros else None


def _request(answer: requests.Response) -> Note:
    """Return a request and its status: tokens are in headers and bodies, not in addresses."""
    text = f"{answer.request.method} {shown(answer.url, 200)}: {answer.status_code}"
    return Note(Level.DEBUG, text)
