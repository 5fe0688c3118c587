"""Keeping the last runs on the disk; what goes wrong there is not the run's failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.errors import FilesError, warning
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import runs
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.disk import Disk, read_also

if TYPE_CHECKING:
    from rancheros_ec2_metadata.log import Log
    from rancheros_ec2_metadata.rancheros.runs import Runs
    from rancheros_ec2_metadata.rancheros.store import Store


def add(store: Store, log: Log, more: Callable[[Runs], Runs]) -> None:
    """Write the runs with what ``more`` adds to them, if they can be written; the lock is held."""
    raw = _raw(store)
    try:
        store.write(FileChange(paths.RUNS, raw, runs.render(more(runs.parse(raw)))))
    except FilesError as why:
        log.note(warning(f"this run will not be in `status`: {why}"))


def forgotten(store: Store) -> FileChange | None:
    """Return the change that removes the runs; None where there are none."""
    raw = _raw(store)
    return None if raw is None else FileChange(paths.RUNS, raw, None)


def _raw(store: Store) -> bytes | None:
    return read_also(store.root, Disk(), paths.RUNS).files.get(paths.RUNS)
