"""``status``: how the last run ended, and whether it is still as that left it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rancheros_ec2_metadata.commands.call import Call
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import ExitStatus, printable, worst
from rancheros_ec2_metadata.hosts.rancheros.found import count_missing_items
from rancheros_ec2_metadata.hosts.rancheros.snapshot import Snapshot, read_file, read_snapshot
from rancheros_ec2_metadata.hosts.state import LastRun, State
from rancheros_ec2_metadata.runtime import boot_id, make_host

SCHEMA = 2
DOCKER_PID = "/var/run/docker.pid"


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


@dataclass(frozen=True)
class FileStatus:
    """One file: whether it is as the last run left it, and what it is now in words."""

    path: str
    as_left: bool
    what: str


@dataclass(frozen=True)
class DockerStatus:
    """Whether Docker has the labels.

    Args:
        started: when it was started, as 2026-01-05T08:00:00Z; None where that is not known.
        has_labels: it was started after they last changed; None where that is not known.
        what: the same in words.
    """

    started: str | None
    has_labels: bool | None
    what: str


@dataclass(frozen=True)
class Status:
    """All that `status` says.

    Args:
        verdict: the whole in one line.
        exit_status: 5 where a file is not as it was left or no run is known, 7 where none of this
            boot has ended, else that of the last run.
        instance_id: that the last run was on.
        outcome: what EC2_METADATA_STATUS was set to.
        this_boot: the last run was since the machine started; None where that is not known.
        last_run: None where none is known.
        files: those that it left.
        docker: the user's.
    """

    verdict: str
    exit_status: int
    instance_id: str | None
    outcome: str | None
    this_boot: bool | None
    last_run: LastRun | None
    files: tuple[FileStatus, ...]
    docker: DockerStatus


def make_status(
    state: State,
    digests: Mapping[str, str | None],
    missing_items: int,
    boot_id: str | None,
    docker_started: float | None,
) -> Status:
    """Return how the machine is beside what its last run left.

    Args:
        state: of the last run.
        digests: of the files that it left, as they are now.
        missing_items: how many of our items are no longer in cloud-config.yml.
        boot_id: the kernel's name for this boot.
        docker_started: when Docker wrote its pid, in seconds since 1970; None where it has not.
    """
    run = state.last_run
    files = tuple(_files(run, digests, state, missing_items))
    this_boot = None
    if run is not None and run.boot_id is not None and boot_id is not None:
        this_boot = run.boot_id == boot_id
    statuses = [ExitStatus.FILES for file in files if not file.as_left]
    statuses += [ExitStatus.FILES] if run is None else [_exit_status(run.exit_status)]
    statuses += [ExitStatus.DEADLINE] if this_boot is False else []
    docker = _docker(state, boot_id, docker_started)
    changed = sum(not file.as_left for file in files)
    return Status(
        verdict=_verdict(state, docker, changed, this_boot=this_boot),
        exit_status=int(worst(statuses)),
        instance_id=state.instance_id,
        outcome=state.status,
        this_boot=this_boot,
        last_run=run,
        files=files,
        docker=docker,
    )


def status_tree(now: Status) -> dict[str, Any]:
    """Return the same for a program, in JSON's types."""
    return {"schema": SCHEMA, **asdict(now)}


def status_lines(now: Status) -> Iterator[str]:
    """Yield the lines to print; nothing in them can steer a terminal."""
    return map(printable, _lines(now))


def _lines(now: Status) -> Iterator[str]:
    yield f"status: {now.verdict}"
    run = now.last_run
    if run is not None:
        yield ""
        yield "LAST RUN"
        where = (now.instance_id, run.release, run.version and f"version {run.version}")
        yield f"  {', '.join(filter(None, (run.time, *where)))}"
        yield f"  {now.outcome or 'nothing set'}, exit {run.exit_status}"
        yield from (f"  {line}" for line in (*run.summary, *run.notes))
    if now.files:
        yield ""
        yield "FILES"
    for file in now.files:
        yield f"  {file.path}: {'' if file.as_left else 'NOT '}as the last run left it, {file.what}"
    yield ""
    yield "DOCKER"
    yield f"  {now.docker.what}"


def _verdict(state: State, docker: DockerStatus, changed: int, *, this_boot: bool | None) -> str:
    if state.last_run is None:
        return "unknown: no run has ended here yet"
    if this_boot is False:
        return "no run has ended since this machine started: cut off, or the service not started"
    text = f"{state.status or 'nothing set'}, exit {state.last_run.exit_status}"
    if changed:
        text += f"; {changed} {'file has' if changed == 1 else 'files have'} changed since"
    if docker.has_labels is False:
        text += "; Docker has the former labels until it restarts"
    return text


def _exit_status(status: int) -> ExitStatus:
    try:
        return ExitStatus(status)
    except ValueError:
        return ExitStatus.BUG


def _files(
    run: LastRun | None, digests: Mapping[str, str | None], state: State, missing: int
) -> Iterator[FileStatus]:
    for path, left in run.files.items() if run is not None else ():
        there = digests.get(path)
        if there == left:
            yield FileStatus(path, as_left=True, what="there" if left else "not there")
        else:
            what = "it is gone" if there is None else "it has changed" if left else "it is new"
            yield FileStatus(path, as_left=False, what=what)
    if state.edits:
        what = f"{missing} of our items are gone" if missing else "our items are in it"
        yield FileStatus("cloud-config.yml", as_left=not missing, what=what)


def _docker(state: State, boot_id: str | None, docker_started: float | None) -> DockerStatus:
    if docker_started is None:
        what = f"not known: there is no {DOCKER_PID} here; mount /var/run (/var/run:/var/run:ro)"
        return DockerStatus(None, None, what)
    at = datetime.fromtimestamp(docker_started, timezone.utc)
    started = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    if not state.labels_changed:
        return DockerStatus(started, None, f"started {started}; no run has changed its labels")
    changed, its_boot = (*state.labels_changed, "")[:2]
    has_labels = started >= changed or (bool(its_boot) and boot_id not in (None, its_boot))
    when = "after" if has_labels else "BEFORE"
    end = "" if has_labels else ": it has the former ones until it restarts"
    return DockerStatus(
        started, has_labels, f"started {started}, {when} its labels changed ({changed}){end}"
    )
