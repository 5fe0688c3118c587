"""``status``: how the last runs went, and whether it is still so."""

from __future__ import annotations

import json
from pathlib import Path

from rancheros_ec2_metadata import status
from rancheros_ec2_metadata.edges import boot_id
from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros import runs
from rancheros_ec2_metadata.rancheros.disk import Disk, read_also, read_disk
from rancheros_ec2_metadata.rancheros.layers import stack
from rancheros_ec2_metadata.rancheros.runs import Runs
from rancheros_ec2_metadata.writing import state_of

from .call import Call


def run(call: Call) -> int:
    """Print what the last runs did and what is there now; nothing is asked or written."""
    root, log = call.settings.root, call.log
    disk = read_also(root, read_disk(root), paths.RUNS)
    known = runs.parse(disk.files.get(paths.RUNS))
    if not known.runs:
        log.note(_none(disk).note())
    now = status.status(known, _found(root, disk, known, log))
    if call.given.format == "json":
        call.terminal.print([json.dumps(status.tree(now), indent=2)])
    else:
        call.terminal.print(status.lines(now))
    return now.exit_status


def _found(root: Path, disk: Disk, known: Runs, log: Log) -> status.Found:
    for path in known.runs[0].files if known.runs else ():
        # The file may be damaged: nothing outside of the root is looked at.
        if path.startswith("/") and ".." not in path.split("/"):
            disk = read_also(root, disk, path)
    return status.Found(
        disk,
        stack(disk, releases.of(disk)),
        state_of(disk, log),
        boot_id(root),
        _written_at(root / status.DOCKER_PID.lstrip("/")),
    )


def _written_at(path: Path) -> float | None:
    try:
        return path.lstat().st_mtime
    except OSError:
        return None


def _none(disk: Disk) -> FilesError:
    why = disk.unreadable.get(paths.RUNS)
    if not disk.conf_exists:
        why = f"{paths.CONF} is not there: mount it into this container"
    elif why is None:
        why = "none has ended here yet" if paths.RUNS not in disk.files else "it is damaged"
    return FilesError(f"no run is known from {paths.RUNS}: {why}")
