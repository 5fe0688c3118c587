"""``status``: how the last runs went, and whether it is still as the last one left it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rancheros_ec2_metadata.errors import ExitStatus, printable, worst
from rancheros_ec2_metadata.outcome import digest
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import CLOUD_CONFIG, DOCKER, Layers
from rancheros_ec2_metadata.rancheros.runs import Run, Runs
from rancheros_ec2_metadata.rancheros.state import State

DOCKER_PID = "/var/run/docker.pid"

_NO_RUN_NOW = (
    "no run has ended since this machine started: it was cut off, or the service was not started"
)


@dataclass(frozen=True)
class FileNow:
    """One file.

    Args:
        path: as the machine names it.
        as_left: it is as the last run left it.
        what: what it is now, in words.
    """

    path: str
    as_left: bool
    what: str


@dataclass(frozen=True)
class DockerNow:
    """Whether Docker has the labels.

    Args:
        started: when it was started, as 2026-01-05T08:00:00Z; None where that is not known.
        since_labels_changed: it was started after they last changed; None where that is not known.
        what: the same in words.
    """

    started: str | None
    since_labels_changed: bool | None
    what: str


@dataclass(frozen=True)
class Status:
    """All that `status` says.

    Args:
        runs: the last ones, the latest first.
        this_boot: the latest was since the machine started; None where that is not known.
        files: those that it left.
        docker: the user's.
        exit_status: 5 where a file is not as it was left, 7 where no run of this boot has ended,
            else that of the latest run.
    """

    runs: tuple[Run, ...]
    this_boot: bool | None
    files: tuple[FileNow, ...]
    docker: DockerNow
    exit_status: int


@dataclass(frozen=True)
class Found:
    """The machine as it is found.

    Args:
        disk: with all files that the latest run left.
        layers: of the disk.
        state: of the last run.
        boot_id: the kernel's name for this boot.
        docker_started: when Docker wrote its pid, in seconds since 1970; None where it has not.
    """

    disk: Disk
    layers: Layers
    state: State
    boot_id: str | None
    docker_started: float | None


def status(runs: Runs, now: Found) -> Status:
    """Return how the machine is beside what its last runs left."""
    latest = runs.runs[0] if runs.runs else None
    this_boot = None
    if latest is not None and latest.boot_id is not None and now.boot_id is not None:
        this_boot = latest.boot_id == now.boot_id
    files = tuple(_files(latest, now)) if latest is not None else ()
    statuses = [] if latest is not None else [ExitStatus.FILES]
    statuses += [ExitStatus.FILES for file in files if not file.as_left]
    statuses += [ExitStatus.DEADLINE] if this_boot is False else []
    statuses += [_exit_status(latest.exit_status)] if latest is not None else []
    docker = _docker(runs.labels_changed, now)
    return Status(runs.runs, this_boot, files, docker, int(worst(statuses)))


def tree(now: Status) -> dict[str, Any]:
    """Return the same for a program, in JSON's types."""
    found: dict[str, Any] = asdict(now)
    return found


def lines(now: Status) -> Iterator[str]:
    """Yield the lines to print; nothing in them can steer a terminal."""
    return map(printable, _lines(now))


def _lines(now: Status) -> Iterator[str]:
    for number, run in enumerate(now.runs):
        if number == 0:
            yield f"LAST RUN: {run.time}"
            where = (run.instance_id, run.release, run.version and f"version {run.version}")
            yield "  " + (", ".join(filter(None, where)) or "(nothing is known of it)")
            yield f"  {_ended(run)}"
            yield from (f"  {line}" for line in (*run.summary, *run.notes))
            continue
        if number == 1:
            yield "BEFORE IT"
        yield f"  {run.time}  {_ended(run)}  {run.instance_id or ''}".rstrip()
    if now.this_boot is False:
        yield "THIS BOOT"
        yield f"  {_NO_RUN_NOW}"
    yield "FILES"
    for file in now.files:
        yield f"  {file.path}"
        yield f"    {'' if file.as_left else 'NOT '}as the last run left it: {file.what}"
    yield "DOCKER"
    yield f"  {now.docker.what}"


def _ended(run: Run) -> str:
    status = "unknown" if run.exit_status is None else run.exit_status
    return f"{run.outcome or 'nothing'}, exit {status}"


def _exit_status(status: int | None) -> ExitStatus:
    try:
        return ExitStatus(status or 0)
    except ValueError:
        return ExitStatus.BUG


def _files(latest: Run, now: Found) -> Iterator[FileNow]:
    for path, left in latest.files.items():
        there = digest(now.disk.files.get(path))
        why = now.disk.unreadable.get(path)
        if why is not None:
            yield FileNow(path, as_left=False, what=f"it cannot be read: {why}")
        elif there == left:
            yield FileNow(path, as_left=True, what="there" if left else "not there")
        else:
            what = "it has gone" if there is None else "it has changed" if left else "it has come"
            yield FileNow(path, as_left=False, what=what)
    yield from _cloud_config(now)


def _cloud_config(now: Found) -> Iterator[FileNow]:
    """Look for our items alone: the system writes this file anew in a form of its own."""
    if not now.state.edits and now.state.removal is None:
        return
    own = now.layers.only(paths.CLOUD_CONFIG)
    missing = sum(
        item not in own.texts((*DOCKER, key))
        for key, edit in now.state.edits.items()
        for item in edit.ours
    )
    taken_out = now.state.removal.values if now.state.removal is not None else {}
    back = len(own.environment().keys() & taken_out.keys())
    what = "our items are in it"
    if missing:
        what = f"{missing} of our items have gone"
    elif back:
        what = f"{back} variables that were taken out are back"
    as_left = not missing and not back
    yield FileNow(paths.CLOUD_CONFIG, as_left, f"{what} ({CLOUD_CONFIG} is looked at for these)")


def _docker(changed: Run | None, now: Found) -> DockerNow:
    if now.docker_started is None:
        what = (
            f"cannot tell when it was started: there is no {DOCKER_PID} here; mount /var/run"
            " (/var/run:/var/run:ro), or it does not run"
        )
        return DockerNow(None, None, what)
    at = datetime.fromtimestamp(now.docker_started, UTC)
    started = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    if changed is None:
        return DockerNow(started, None, f"started {started}; no run has changed its labels")
    since = _since(changed, now, at)
    if since is None:
        when = "; cannot tell when its labels changed"
    elif since:
        when = f", after its labels changed ({changed.time})"
    else:
        when = f", BEFORE its labels changed ({changed.time}): it has the former ones"
    return DockerNow(started, since, f"started {started}{when}")


def _since(changed: Run, now: Found, started: datetime) -> bool | None:
    """Tell whether Docker was started since labels changed; its pid does not outlive a boot."""
    if changed.boot_id is not None and now.boot_id not in (None, changed.boot_id):
        return True
    try:
        then = datetime.fromisoformat(changed.time)
    except ValueError:
        return None
    if then.tzinfo is None:
        return None
    # To the second, as the run's time is.
    return started.replace(microsecond=0) >= then
