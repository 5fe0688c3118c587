"""The commands that work on a machine, each with its edges to the world."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from rancheros_ec2_metadata import __version__, watchdog
from rancheros_ec2_metadata.boot import Edges, boot
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.diff import diff
from rancheros_ec2_metadata.ec2 import detect, transport
from rancheros_ec2_metadata.ec2.asking import Asker
from rancheros_ec2_metadata.ec2.imds import Imds
from rancheros_ec2_metadata.errors import DeadlineError, ExitStatus, Level, Note, shown
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.plan.local import Local
from rancheros_ec2_metadata.plan.mapping import NOTHING
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros.disk import read_disk
from rancheros_ec2_metadata.rancheros.ros import Ros
from rancheros_ec2_metadata.rancheros.state import State
from rancheros_ec2_metadata.rancheros.store import Store
from rancheros_ec2_metadata.settings import Settings
from rancheros_ec2_metadata.show import Format, lines
from rancheros_ec2_metadata.writing import Writer

if TYPE_CHECKING:
    import requests

Guard = Callable[[Callable[[], int]], int]

# Reading EC2 ends so long before the deadline, or a sixth of it where that is less; what is known
# is then planned, written and read back.
_LAST_SECONDS = 10.0
_LAST_PART = 6
# The run itself stops waiting a little before the watchdog ends it.
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


def apply(settings: Settings, log: Log, guard: Guard) -> int:
    """Run at boot, and end at the deadline whatever the run is doing.

    Args:
        settings: the run's.
        log: the boot log.
        guard: calls a function, and returns the exit status also of what it raises.
    """
    age = watchdog.process_age()

    def overdue() -> None:
        error = DeadlineError(
            f"the deadline of {settings.deadline:g} s passed, and the run was ended where the line"
            " above left it; every file is its old or its new self"
        )
        log.note(error.note())
        log.line(f"exit {int(log.status())}")

    def run() -> int:
        limits = Limits.of(settings.deadline, age, Clock())
        boot(settings, edges(settings, log, limits, Store(settings.root)))
        return log.status()

    return watchdog.supervised(lambda: guard(run), settings.deadline - age, overdue)


def plan(settings: Settings, log: Log, out: TextIO) -> int:
    """Do all that a run does but write, and print what would change."""
    limits = Limits.of(settings.deadline, 0, Clock())
    dry = replace(edges(settings, log, limits, Store(settings.root, dry=True)), ros=None)
    made = boot(settings, dry)
    changes = made.changes if made else ()
    _print(out, diff(changes))
    return log.status() or (ExitStatus.WOULD_CHANGE if changes else ExitStatus.OK)


def show(settings: Settings, log: Log, out: TextIO, form: Format) -> int:
    """Print what the instance and all its tags are, and where each came from."""
    limits = Limits.of(settings.deadline, 0, Clock())
    everything = replace(settings, metadata=True, label_prefixes=("", "aws:"))
    asker = edges(everything, log, limits, Store(settings.root, dry=True)).ec2
    found = asker.ask(kept=False, so_far=lambda _: None)
    _print(out, lines(found, form))
    return log.status()


def clean(settings: Settings, log: Log, out: TextIO, *, legacy: bool, dry_run: bool) -> int:
    """Take back everything that earlier runs wrote.

    Args:
        settings: root and deadline of the run.
        log: the boot log.
        out: where a dry run prints what would change.
        legacy: also what the 2016 tool left in cloud-config.yml.
        dry_run: write nothing.
    """
    store = Store(settings.root, dry=dry_run)
    log.line(f"rancheros-ec2-metadata {__version__}, clean")
    with store.locked(Limit.after(settings.deadline, Clock())):
        release = releases.of(read_disk(settings.root))
        may_go = Local.of(settings, legacy=legacy)
        writer = Writer(settings.root, release, store, log, may_go)
        writer.write(lambda _: (NOTHING, State()))
    changes = writer.plan.changes if writer.plan else ()
    if dry_run:
        _print(out, diff(changes))
    done = ", ".join(change.path for change in changes) or "nothing"
    log.line(f"{'would take' if dry_run else 'took'} back: {done}; exit {int(log.status())}")
    return log.status()


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
        ros=Ros(str(settings.ros)) if settings.ros else None,
        deadline=limits.deadline,
    )


def _request(answer: requests.Response) -> Note:
    """Return a request and its status: tokens are in headers and bodies, not in addresses."""
    text = f"{answer.request.method} {shown(answer.url, 200)}: {answer.status_code}"
    return Note(Level.DEBUG, text)


def _print(out: TextIO, lines: Iterable[str]) -> None:
    out.writelines(line + "\n" for line in lines)
    out.flush()
