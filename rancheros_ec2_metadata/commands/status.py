"""``status``: how the last run ended, and whether its files are still as it left them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from rancheros_ec2_metadata.commands.invocation import Invocation
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import ExitStatus, escape, worst
from rancheros_ec2_metadata.hosts.base import DockerStatus, FileStatus, Host
from rancheros_ec2_metadata.hosts.files import digest_file
from rancheros_ec2_metadata.hosts.selection import make_host
from rancheros_ec2_metadata.hosts.state import LastRun, State
from rancheros_ec2_metadata.runtime import read_boot_id

SCHEMA = 2


def run(invocation: Invocation) -> int:
    """Print what the last run did and what is there now; nothing is asked or written."""
    host = make_host(invocation.settings, Limit.after(0, Clock()))
    state, notes = host.read_state()
    invocation.log.notes(notes)
    boot = read_boot_id(invocation.settings.root)
    files = (*_check_files(host, state.last_run), *host.check_files(state))
    now = make_status(state, files, host.check_docker(state, boot), boot)
    if invocation.given.format == "json":
        invocation.process.print([json.dumps(make_status_tree(now), indent=2)])
    else:
        invocation.process.print(render_status(now))
    return now.exit_status


class Status(NamedTuple):
    """All that `status` says.

    Args:
        verdict: the whole in one line.
        exit_status: 5 if a file has changed or no run is known, 7 if no run of this boot has
            ended, otherwise that of the last run.
        instance_id: that the last run was on.
        outcome: what EC2_METADATA_STATUS was set to.
        this_boot: whether the last run was since the machine started; None if not known.
        last_run: None if not known.
        files: those that it left.
        docker: the state of the user's Docker.
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
    state: State, files: tuple[FileStatus, ...], docker: DockerStatus, boot_id: str | None
) -> Status:
    """Return the status: the machine compared with the state of its last run.

    Args:
        state: of the last run.
        files: that it left, as they are now.
        docker: the state of the user's Docker.
        boot_id: the kernel's name for this boot.
    """
    run = state.last_run
    this_boot = None
    if run is not None and run.boot_id is not None and boot_id is not None:
        this_boot = run.boot_id == boot_id
    statuses = [ExitStatus.FILES for file in files if not file.as_left]
    statuses += [ExitStatus.FILES] if run is None else [_parse_exit_status(run.exit_status)]
    statuses += [ExitStatus.DEADLINE] if this_boot is False else []
    changed = sum(not file.as_left for file in files)
    return Status(
        verdict=_judge(state, docker, changed, this_boot=this_boot),
        exit_status=int(worst(statuses)),
        instance_id=state.instance_id,
        outcome=state.status,
        this_boot=this_boot,
        last_run=run,
        files=files,
        docker=docker,
    )


def make_status_tree(now: Status) -> dict[str, Any]:
    """Return the same for a program, in JSON's types."""
    return {
        "schema": SCHEMA,
        **now._asdict(),
        "last_run": now.last_run and now.last_run._asdict(),
        "files": [file._asdict() for file in now.files],
        "docker": now.docker._asdict(),
    }


def render_status(now: Status) -> Iterator[str]:
    """Yield the lines to print, with control characters escaped."""
    return map(escape, _render_lines(now))


def _render_lines(now: Status) -> Iterator[str]:
    yield f"status: {now.verdict}"
    run = now.last_run
    if run is not None:
        yield ""
        yield "LAST RUN"
        where = (now.instance_id, run.release, run.version and f"version {run.version}")
        yield f"  {', '.join(filter(None, (run.time, *where)))}"
        yield f"  {now.outcome or 'nothing set'}, exit {run.exit_status}"
        # What is left out is a note too, with its level.
        noted = {note.partition(": ")[2] for note in run.notes}
        summary = (x for x in run.summary if x.removeprefix("left out: ") not in noted)
        yield from (f"  {line}" for line in (*summary, *run.notes))
    if now.files:
        yield ""
        yield "FILES"
    for file in now.files:
        yield f"  {file.path}: {'' if file.as_left else 'NOT '}as the last run left it, {file.what}"
    yield ""
    yield "DOCKER"
    yield f"  {now.docker.what}"


def _judge(state: State, docker: DockerStatus, changed: int, *, this_boot: bool | None) -> str:
    if state.last_run is None:
        return "unknown: no run has ended here yet"
    if this_boot is False:
        return "no run has ended since this machine started: cut off, or the service not started"
    text = f"{state.status or 'nothing set'}, exit {state.last_run.exit_status}"
    if changed:
        text += f"; {changed} {'file has' if changed == 1 else 'files have'} changed since"
    if docker.has_labels is False:
        text += "; Docker still has the former labels"
    return text


def _parse_exit_status(status: int) -> ExitStatus:
    try:
        return ExitStatus(status)
    except ValueError:
        return ExitStatus.BUG


def _check_files(host: Host, run: LastRun | None) -> Iterator[FileStatus]:
    for path, left in run.files.items() if run is not None else ():
        # The file may be damaged: nothing outside of the root is looked at.
        is_inside = path.startswith("/") and ".." not in path.split("/")
        there = digest_file(host.locate(path)) if is_inside else None
        if there == left:
            yield FileStatus(path, as_left=True, what="there" if left else "not there")
        else:
            what = "it is gone" if there is None else "it has changed" if left else "it is new"
            yield FileStatus(path, as_left=False, what=what)
