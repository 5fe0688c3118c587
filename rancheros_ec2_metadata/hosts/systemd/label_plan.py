"""Plans daemon.json: with our labels, or without them and why."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, info
from rancheros_ec2_metadata.hosts.systemd import daemon_json, docker_unit
from rancheros_ec2_metadata.hosts.systemd.daemon_json import CannotMergeError, Merged
from rancheros_ec2_metadata.hosts.systemd.docker_unit import UNIT, Docker, DockerUnit, NoAnswerError
from rancheros_ec2_metadata.hosts.systemd.found_machine import DAEMON_JSON, RECORD, FoundMachine
from rancheros_ec2_metadata.plan.provenance import LeftOut


class _RefusedError(Exception):
    """None of our labels is set; the message says why, and what to do."""


class _WaitingError(Exception):
    """Our labels are not set yet, which is not an error; the message says why."""


class PlannedLabels(NamedTuple):
    """The planned daemon.json, and what was decided.

    Args:
        content: of the file; None for no file.
        items: its labels.
        record: the content of the one beside it.
        labels: ours, in it.
        notes: for the log.
    """

    content: bytes | None
    items: tuple[str, ...]
    record: bytes | None
    labels: Mapping[str, str]
    notes: tuple[Note, ...] = ()


def plan_labels(
    found: FoundMachine, labels: Mapping[str, str], docker: Docker | None
) -> PlannedLabels:
    """Return daemon.json with our labels, or without them and why.

    Args:
        found: the machine.
        labels: ours, by key.
        docker: is asked whether it would start with the file; None if this is not the machine.
    """
    if not labels and found.record is None:
        return PlannedLabels(found.files.get(DAEMON_JSON), found.items, None, {})
    try:
        if found.cannot_merge is not None:
            raise found.cannot_merge
        planned = _plan_or_restore(found, labels, docker)
        _check_disk(found, planned)
    except CannotMergeError as why:
        return _leave(found, labels, f"{DAEMON_JSON}: {why}")
    except NoAnswerError as why:
        return _leave(found, labels, str(why))
    return planned


def _plan_or_restore(
    found: FoundMachine, labels: Mapping[str, str], docker: Docker | None
) -> PlannedLabels:
    """Return daemon.json with our labels, or restored if Docker would not have them.

    Raises:
        NoAnswerError: systemd or dockerd did not say, or an environment file cannot be read.
    """
    restored = daemon_json.merge(found.file, {}, found.record, clear=False)
    notes: tuple[Note, ...] = ()
    try:
        return _plan_merged(found, labels, docker, restored)
    except _WaitingError as why:
        notes = (info(f"labels wait: {why}", *_leave_out(labels, str(why))),)
    except _RefusedError as why:
        left_out = _leave_out(labels, str(why))
        notes = (error(ExitStatus.FILES, f"no label is set: {why}", *left_out),)
    # No list, not even an empty one: Docker would not start with it beside a flag. A running
    # Docker keeps what it has.
    return PlannedLabels(restored.content, restored.items, None, {}, notes if labels else ())


def _plan_merged(
    found: FoundMachine, labels: Mapping[str, str], docker: Docker | None, restored: Merged
) -> PlannedLabels:
    """Return daemon.json with our labels, for a Docker that takes it.

    Raises:
        _RefusedError: it would not. _WaitingError: there is none yet. NoAnswerError: it, or
            systemd, did not say.
    """
    if docker is None:
        raise _RefusedError("systemd cannot be asked about another root; run it on the machine")
    unit = docker.read_unit()
    _check_unit(unit, found.root)
    has = docker.read_labels(unit)
    clear = unit.may_have_read and has != set()
    merged = daemon_json.merge(found.file, labels, found.record, clear=clear)
    changes = merged.content != found.files.get(DAEMON_JSON)
    notes: list[Note] = []
    if labels and not docker.is_asked:
        text = "whether Docker takes the labels: decided by systemd and dockerd on the machine"
        notes.append(info(text))
    elif labels and changes:
        _rehearse(docker, unit, merged, restored)
    elif not labels and not merged.is_users:
        notes.append(info("daemon.json has an empty list until Docker has let its labels go"))
    was_pending = found.record is not None and found.record.pending
    pending = (changes or was_pending) and has != set(merged.items)
    record = None
    if not merged.is_users or (pending and unit.may_have_read):
        record = daemon_json.render_record(merged.record._replace(pending=pending))
    return PlannedLabels(merged.content, merged.items, record, labels, tuple(notes))


def _check_unit(unit: DockerUnit, root: Path) -> None:
    """Check how this machine's Docker is started.

    Raises:
        _RefusedError: it would not take, or not start with, labels in daemon.json.
        _WaitingError: there is none yet.
        NoAnswerError: an environment file cannot be read.
    """
    if unit.snap:
        raise _RefusedError(
            "Docker is a snap, which has a configuration of its own; install your"
            " distribution's or Docker's own package"
        )
    if not unit.is_there:
        if next(root.glob("run/user/*/docker.sock"), None) is not None:
            raise _RefusedError(
                "Docker is rootless, with a file of its user's; install it for the system"
            )
        raise _WaitingError(f"there is no {UNIT} yet")
    if not unit.dockerd:
        raise _RefusedError(
            f"{UNIT} does not start dockerd itself; its flags are not known, see 'systemctl cat"
            f" {UNIT}'"
        )
    if where := docker_unit.find_other_labels(unit, root):
        raise _RefusedError(
            f"{where}, and Docker does not start with that and labels in daemon.json; move it"
            " into daemon.json"
        )


def _rehearse(docker: Docker, unit: DockerUnit, merged: Merged, restored: Merged) -> None:
    """Ask dockerd whether it would start with the planned file.

    Raises:
        _RefusedError: it would not. NoAnswerError: it did not say.
    """
    why = docker.find_refusal(unit, merged.content or b"{}")
    if why is None:
        return
    if docker.find_refusal(unit, restored.content or b"{}") is not None:
        # dockerd's message may quote the user's configuration.
        raise _RefusedError(
            f"dockerd does not take {DAEMON_JSON} as it is; run 'dockerd --validate' to see why"
        )
    raise _RefusedError(f"dockerd does not take our labels: {why}")


def _check_disk(found: FoundMachine, planned: PlannedLabels) -> None:
    """Check that daemon.json can be changed; if it cannot, all else is still done.

    Raises:
        CannotMergeError: the disk is read-only.
    """
    if planned.content == found.files.get(DAEMON_JSON):
        return
    file = found.root / DAEMON_JSON.lstrip("/")
    folder = next(path for path in file.parents if path.exists())
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise CannotMergeError("it is on a read-only disk; make it writable")


def _leave(found: FoundMachine, labels: Mapping[str, str], why: str) -> PlannedLabels:
    """Leave daemon.json unchanged: if something is not known, the last good labels stay."""
    there = found.our_labels
    gone = {key: value for key, value in labels.items() if there.get(key) != value}
    text = f"no label is set: {why}"
    if there or not labels:
        text = f"labels stay as they are: {why}"
    note = error(ExitStatus.FILES, text, *_leave_out(gone, why))
    content, record = found.files.get(DAEMON_JSON), found.files.get(RECORD)
    return PlannedLabels(content, found.items, record, there, (note,))


def _leave_out(labels: Mapping[str, str], why: str) -> Iterator[LeftOut]:
    return (LeftOut("label", key, why) for key in labels)
