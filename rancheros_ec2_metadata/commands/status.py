"""``status``: how the last run ended, and whether its files are still as it left them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
    status = make_status(state, files, host.check_docker(state, boot), boot)
    is_json = invocation.given.format == "json"
    invocation.process.print([json.dumps(status, indent=2)] if is_json else render_status(status))
    return int(status["exit_status"])


def make_status(
    state: State, files: Sequence[FileStatus], docker: DockerStatus, boot_id: str | None
) -> dict[str, Any]:
    """Compare the machine with the state of its last run; return the result as the JSON has it."""
    run = state.last_run
    this_boot = None
    if run is not None and run.boot_id is not None and boot_id is not None:
        this_boot = run.boot_id == boot_id
    known = {int(status): status for status in ExitStatus}
    statuses = [ExitStatus.FILES for file in files if not file.as_left]
    statuses += [known.get(run.exit_status, ExitStatus.BUG) if run else ExitStatus.FILES]
    statuses += [ExitStatus.DEADLINE] if this_boot is False else []
    changed = sum(not file.as_left for file in files)
    return {
        "schema": SCHEMA,
        "verdict": _judge(state, docker, changed, this_boot=this_boot),
        "exit_status": int(worst(statuses)),
        "instance_id": state.instance_id,
        "outcome": state.status,
        "this_boot": this_boot,
        "last_run": run and run._asdict(),
        "files": [file._asdict() for file in files],
        "docker": docker._asdict(),
    }


def render_status(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines to print, with control characters escaped."""
    return map(escape, _render_lines(status))


def _render_lines(status: Mapping[str, Any]) -> Iterator[str]:
    yield f"status: {status['verdict']}"
    run = status["last_run"]
    if run is not None:
        yield ""
        yield "LAST RUN"
        version = run["version"] and f"version {run['version']}"
        words = (run["time"], status["instance_id"], run["release"], version)
        yield f"  {', '.join(filter(None, words))}"
        yield f"  {status['outcome'] or 'nothing set'}, exit {run['exit_status']}"
        # What is left out is a note too, with its level.
        noted = {note.partition(": ")[2] for note in run["notes"]}
        summary = (x for x in run["summary"] if x.removeprefix("left out: ") not in noted)
        yield from (f"  {line}" for line in (*summary, *run["notes"]))
    if status["files"]:
        yield ""
        yield "FILES"
    for file in status["files"]:
        is_left = "as" if file["as_left"] else "NOT as"
        yield f"  {file['path']}: {is_left} the last run left it, {file['what']}"
    yield ""
    yield "DOCKER"
    yield f"  {status['docker']['what']}"


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
