"""The commands that work on a machine, each with its edges to the world."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from rancheros_ec2_metadata import __version__, watchdog
from rancheros_ec2_metadata.boot import Edges, boot, release_of
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2 import detect, transport
from rancheros_ec2_metadata.ec2.asking import Asker
from rancheros_ec2_metadata.ec2.imds import Imds
from rancheros_ec2_metadata.errors import ExitStatus, Level, Note, shown
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.plan.local import Local
from rancheros_ec2_metadata.plan.mapping import NOTHING
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.disk import read_disk
from rancheros_ec2_metadata.rancheros.ros import Ros
from rancheros_ec2_metadata.rancheros.state import State
from rancheros_ec2_metadata.rancheros.store import Store
from rancheros_ec2_metadata.records import dataclass, replace
from rancheros_ec2_metadata.settings import Settings
from rancheros_ec2_metadata.writing import Writer

if TYPE_CHECKING:
    import requests

    from rancheros_ec2_metadata.show import Format

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


def apply(settings: Settings, log: Log, waited: float) -> int:
    """Run at boot; `start` ends it at the deadline whatever it is doing.

    Args:
        settings: the run's.
        log: the boot log.
        waited: seconds since the start of the process that do not count (--splay).
    """
    limits = Limits.of(settings.deadline, watchdog.process_age() - waited, Clock())
    boot(settings, edges(settings, log, limits, Store(settings.root)))
    return log.status()


def plan(settings: Settings, log: Log, out: TextIO) -> int:
    """Do all that a run does but write, and print what would change."""
    limits = Limits.of(settings.deadline, 0, Clock())
    dry = replace(edges(settings, log, limits, Store(settings.root, dry=True)), ros=None)
    made = boot(settings, dry)
    changes = made.changes if made else ()
    _print_diff(out, changes)
    return log.status() or (ExitStatus.WOULD_CHANGE if changes else ExitStatus.OK)


def show(settings: Settings, log: Log, out: TextIO, form: Format) -> int:
    """Print what the instance and all its tags are, and where each came from."""
    limits = Limits.of(settings.deadline, 0, Clock())
    everything = replace(settings, metadata=True, label_prefixes=("", "aws:"))
    asker = edges(everything, log, limits, Store(settings.root, dry=True)).ec2
    found = asker.ask(kept=False, so_far=lambda _: None)
    from rancheros_ec2_metadata.show import lines  # noqa: PLC0415 - not at boot

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
    limit = Limit.after(settings.deadline, Clock())
    with store.locked(limit):
        release, _ = release_of(read_disk(settings.root), _ros(settings), limit)
        may_go = Local.of(settings, legacy=legacy)
        writer = Writer(settings.root, release, store, log, may_go)
        writer.write(lambda _: (NOTHING, State()))
    paths = list(writer.written)
    if dry_run and writer.plan:
        paths = [change.path for change in writer.plan.changes]
        _print_diff(out, writer.plan.changes)
    done = ", ".join(dict.fromkeys(paths)) or "nothing"
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
        ros=_ros(settings),
        deadline=limits.deadline,
    )


def _ros(settings: Settings) -> Ros | None:
    return Ros(str(settings.ros)) if settings.ros else None


def _request(answer: requests.Response) -> Note:
    """Return a request and its status: tokens are in headers and bodies, not in addresses."""
    text = f"{answer.request.method} {shown(answer.url, 200)}: {answer.status_code}"
    return Note(Level.DEBUG, text)


def _print_diff(out: TextIO, changes: Sequence[FileChange]) -> None:
    from rancheros_ec2_metadata.diff import diff  # noqa: PLC0415 - not at boot

    _print(out, diff(changes))


def _print(out: TextIO, lines: Iterable[str]) -> None:
    out.writelines(line + "\n" for line in lines)
    out.flush()
