"""``clean``: the way back."""

from __future__ import annotations

from rancheros_ec2_metadata import __version__, history
from rancheros_ec2_metadata.boot import release_of
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.diff import diff
from rancheros_ec2_metadata.edges import ros_of
from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.plan.local import Local
from rancheros_ec2_metadata.plan.mapping import NOTHING
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.disk import RUNS
from rancheros_ec2_metadata.rancheros.state import State
from rancheros_ec2_metadata.rancheros.store import Store
from rancheros_ec2_metadata.writing import Writer

from .call import Call


def run(call: Call) -> int:
    """Take back everything that earlier runs wrote."""
    return take_back(call, Store(call.settings.root, dry=call.given.dry_run))


def take_back(call: Call, store: Store) -> int:
    """Take it back through ``store``; return the exit status.

    Raises:
        FilesError: there is nothing to write to.
        DeadlineError: another run is in the way.
    """
    settings, log, dry_run = call.settings, call.log, store.dry
    log.line(f"rancheros-ec2-metadata {__version__}, clean")
    limit = Limit.after(settings.deadline, Clock())
    with store.locked(limit):
        release, _ = release_of(settings.root, ros_of(settings), limit)
        may_go = Local.of(settings, legacy=call.given.legacy)
        writer = Writer(settings.root, release, store, log, may_go)
        writer.write(lambda _: (NOTHING, State()))
        runs = history.forgotten(store)
        with_runs = runs is not None and _removed(runs, store, log)
    paths = list(writer.written)
    if dry_run and writer.plan:
        paths = [change.path for change in writer.plan.changes]
        call.terminal.print(diff(writer.plan.changes, writer.plan.given.state.items))
    if with_runs:
        paths.append(RUNS)
    done = ", ".join(dict.fromkeys(paths)) or "nothing"
    log.last(f"{'would take' if dry_run else 'took'} back: {done}; exit {int(log.status())}")
    return log.status()


def _removed(change: FileChange, store: Store, log: Log) -> bool:
    try:
        store.write(change)
    except FilesError as error:
        log.note(error.note())
        return False
    return True
