"""``status``: how the last run ended, and whether it is still so."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from rancheros_ec2_metadata.commands.call import Call
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.hosts.rancheros.found import count_missing_items
from rancheros_ec2_metadata.hosts.rancheros.snapshot import Snapshot, read_file, read_snapshot
from rancheros_ec2_metadata.runtime import boot_id, make_host
from rancheros_ec2_metadata.status import DOCKER_PID, make_status, status_lines, status_tree


def run(call: Call) -> int:
    """Print what the last run did and what is there now; nothing is asked or written."""
    root = call.settings.root
    host = make_host(call.settings, Limit.after(0, Clock()))
    state, notes = host.read_state()
    call.log.notes(notes)
    digests = {}
    for path in state.last_run.files if state.last_run is not None else ():
        # The file may be damaged: nothing outside of the root is looked at.
        if path.startswith("/") and ".." not in path.split("/"):
            raw = read_file(root, Snapshot(), path).files.get(path)
            digests[path] = None if raw is None else hashlib.sha256(raw).hexdigest()
    missing = count_missing_items(read_snapshot(root), state)
    now = make_status(
        state, digests, missing, boot_id(root), _written_at(root / DOCKER_PID.lstrip("/"))
    )
    if call.given.format == "json":
        call.terminal.print([json.dumps(status_tree(now), indent=2)])
    else:
        call.terminal.print(status_lines(now))
    return now.exit_status


def _written_at(path: Path) -> float | None:
    try:
        return path.lstat().st_mtime
    except OSError:
        return None
