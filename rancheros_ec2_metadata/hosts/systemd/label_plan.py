"""Plans daemon.json: with our labels, or without them and why."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, info, quote, warning
from rancheros_ec2_metadata.hosts.systemd import daemon_json, docker_unit
from rancheros_ec2_metadata.hosts.systemd.daemon_json import CannotMergeError, DaemonJson, Merged
from rancheros_ec2_metadata.hosts.systemd.docker_unit import UNIT, Docker, NoAnswerError
from rancheros_ec2_metadata.hosts.systemd.found_machine import (
    DAEMON_JSON,
    FOLDER,
    FoundMachine,
    has_all,
)
from rancheros_ec2_metadata.hosts.systemd.label_record import LabelRecord
from rancheros_ec2_metadata.plan.desired import Desired
from rancheros_ec2_metadata.plan.provenance import LeftOut
from rancheros_ec2_metadata.settings import STATUS_VARIABLE


class _RefusedError(Exception):
    """None of our labels is set; the message says why, and what to do."""


class _WaitingError(Exception):
    """Our labels are not set yet, which is not an error; the message says why."""


class PlannedLabels(NamedTuple):
    """The planned daemon.json; the labels that it sets, and what was decided.

    Args:
        content: None for no file.
        record: this program's labels in it.
        labels: ours.
        desired: with the outcome of that.
        notes: for the log.
    """

    content: bytes | None
    record: LabelRecord
    labels: Mapping[str, str]
    desired: Desired
    notes: tuple[Note, ...]


def plan_labels(
    found: FoundMachine, desired: Desired, docker: Docker | None, *, off_machine: bool
) -> PlannedLabels:
    """Return daemon.json with our labels, or without them and why.

    Args:
        found: the machine.
        desired: the desired state.
        docker: is asked whether it would start with the file; None if this is not the machine.
        off_machine: only a plan is made: Docker need not be asked.
    """
    labels, left_out = _leave_out_unencodable(desired.labels)
    notes: list[Note] = []
    file: DaemonJson | None = None
    try:
        file = found.parse()
        if labels or found.record.edit is not None:
            _check_unit(found, off_machine=off_machine)
        clear = found.record.edit is not None and found.may_run
        merged = _merge(found, file, labels, clear=clear and found.docker_has != ())
        if labels:
            notes += _rehearse(found, docker, file, merged)
        elif merged.edit is not None:
            text = "daemon.json has an empty list until Docker has let its labels go"
            notes.append(info(text))
        planned = _make_planned(found, merged, labels, desired, (*left_out, *notes))
        _check_disk(found, planned)
    except _WaitingError as why:
        if labels:
            gone = tuple(LeftOut("label", key, str(why)) for key in labels)
            notes.append(info(f"labels wait: {why}", *gone))
    except _RefusedError as why:
        if labels:
            gone = tuple(LeftOut("label", key, str(why)) for key in labels)
            notes.append(error(ExitStatus.FILES, f"no label is set: {why}", *gone))
            desired = _mark_partial(desired)
    except (CannotMergeError, NoAnswerError) as why:
        text = f"{DAEMON_JSON}: {why}" if isinstance(why, CannotMergeError) else str(why)
        return _leave(found, labels, text, desired)
    else:
        return planned
    # No list, not even an empty one: Docker would not start with it beside a flag. A running
    # Docker keeps what it has.
    restored = _make_planned(found, _merge(found, file, {}), {}, desired, notes)
    return restored._replace(record=restored.record._replace(pending=False))


def _check_disk(found: FoundMachine, planned: PlannedLabels) -> None:
    """Check that daemon.json can be changed; if it cannot, all else is still done.

    Raises:
        CannotMergeError: the disk is read-only.
    """
    if planned.content == found.files.get(DAEMON_JSON):
        return
    folder = found.root / FOLDER.lstrip("/")
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        raise CannotMergeError("it is on a read-only disk; make it writable")


def _make_planned(
    found: FoundMachine,
    merged: Merged,
    labels: Mapping[str, str],
    desired: Desired,
    notes: Iterable[Note],
) -> PlannedLabels:
    content = None if merged.text is None else merged.text.encode()
    changes = content != found.files.get(DAEMON_JSON)
    pending = (changes or found.record.pending) and not has_all(found.docker_has, merged.items)
    if merged.edit is None and not found.may_run:
        pending = False  # it reads the file when it starts
    first = found.record.edit is None
    existed = DAEMON_JSON in found.files and (first or found.record.existed)
    record = LabelRecord(merged.edit, existed, pending)
    return PlannedLabels(content, record, labels, desired, tuple(notes))


def _check_unit(found: FoundMachine, *, off_machine: bool) -> None:
    """Check how this machine's Docker is started.

    Raises:
        _RefusedError: it would not take, or not start with, labels in daemon.json.
        _WaitingError: there is none yet.
        NoAnswerError: systemd did not say, or an environment file cannot be read.
    """
    unit = found.unit
    if found.unknown is not None:
        raise found.unknown
    if unit is None:
        if off_machine:
            return
        raise _RefusedError("systemd cannot be asked about another root; run it on the machine")
    if unit.snap:
        raise _RefusedError(
            "Docker is a snap, which has a configuration of its own; install your"
            " distribution's or Docker's own package"
        )
    if not unit.is_there:
        if next(found.root.glob("run/user/*/docker.sock"), None) is not None:
            raise _RefusedError(
                "Docker is rootless, with a file of its user's; install it for the system"
            )
        raise _WaitingError(f"there is no {UNIT} yet")
    if not unit.dockerd:
        raise _RefusedError(
            f"{UNIT} does not start dockerd itself; its flags are not known, see 'systemctl cat"
            f" {UNIT}'"
        )
    if where := docker_unit.find_other_labels(unit, found.root):
        raise _RefusedError(
            f"{where}, and Docker does not start with that and labels in daemon.json; move it"
            " into daemon.json"
        )


def _rehearse(
    found: FoundMachine, docker: Docker | None, file: DaemonJson | None, merged: Merged
) -> list[Note]:
    """Ask dockerd whether it would start with the planned file, if that differs.

    Where this is not the machine nobody is asked, and the note that is returned says so.

    Raises:
        _RefusedError: it would not. NoAnswerError: it did not say.
    """
    if docker is None or found.unit is None:
        text = "whether Docker takes the labels: decided by systemd and dockerd on the machine"
        return [info(text)]
    assert merged.text is not None  # noqa: S101 - with labels there is a file
    without = _merge(found, file, {}).text or "{}"
    is_same = file is not None and file.text == merged.text
    why = None if is_same else docker.find_refusal(found.unit, merged.text.encode())
    if why is None:
        return []
    if docker.find_refusal(found.unit, without.encode()) is not None:
        # dockerd's message may quote the user's configuration.
        raise _RefusedError(
            f"dockerd does not take {DAEMON_JSON} as it is; run 'dockerd --validate' to see why"
        )
    raise _RefusedError(f"dockerd does not take our labels: {why}")


def _merge(
    found: FoundMachine, file: DaemonJson | None, labels: Mapping[str, str], *, clear: bool = False
) -> Merged:
    edit = found.record.edit
    existed = found.record.existed or edit is None
    return daemon_json.merge(file, labels, edit, clear=clear, existed=existed)


def _leave(
    found: FoundMachine, labels: Mapping[str, str], why: str, desired: Desired
) -> PlannedLabels:
    """Leave daemon.json unchanged: if something is not known, the last good labels stay."""
    there, notes = found.our_labels, []
    if labels or found.record.edit is not None:
        gone = (key for key, value in labels.items() if there.get(key) != value)
        text = f"no label is set: {why}"
        if there or not labels:
            text = f"labels stay as they are: {why}"
        notes.append(error(ExitStatus.FILES, text, *(LeftOut("label", key, why) for key in gone)))
        desired = _mark_partial(desired)
    return PlannedLabels(found.files.get(DAEMON_JSON), found.record, there, desired, tuple(notes))


def _mark_partial(desired: Desired) -> Desired:
    outcome = desired.variables.get(STATUS_VARIABLE)
    return desired.with_outcome("partial") if outcome in ("complete", "kept") else desired


def _leave_out_unencodable(labels: Mapping[str, str]) -> tuple[dict[str, str], list[Note]]:
    kept, notes = dict[str, str](), list[Note]()
    for key, value in labels.items():
        try:
            f"{key}{value}".encode()
        except UnicodeEncodeError:
            why = "it is not Unicode text"
            left_out = LeftOut("label", key, why)
            notes.append(warning(f"label {quote(key)} is left out: {why}", left_out))
        else:
            kept[key] = value
    return kept, notes
