"""The state of the last run, by which the next one tells its own values from the user's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

SCHEMA = 2
_MOST_NOTES = 10
_LONGEST = 200  # characters of a note


class Edit(NamedTuple):
    """One list of the user's that was changed in place, so that it can be restored.

    Args:
        former: the text of the list as the user wrote it, from behind its key's colon.
        written: the text that replaced it; as a run may be killed before it writes, also those that
            may be there still.
        ours: the items that are ours.
        displaced: the user's items that ours replaced.
    """

    former: str
    written: tuple[str, ...]
    ours: tuple[str, ...]
    displaced: tuple[str, ...] = ()


class LastRun(NamedTuple):
    """How the last run ended, for `status`.

    Args:
        time: when it began, UTC, as 2026-01-05T08:00:00Z.
        boot_id: the kernel's name for the boot that it was in.
        version: of this program.
        release: of the host.
        exit_status: the process's.
        summary: its last lines.
        notes: its warnings and errors.
        files: sha256 of each of our files as it left it, by path; None if there was none.
    """

    time: str
    boot_id: str | None = None
    version: str | None = None
    release: str | None = None
    exit_status: int = 1
    summary: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: Mapping[str, str | None] = {}


class State(NamedTuple):
    """What is kept between runs.

    Args:
        instance_id: the instance that the values are of.
        product_uuid: its DMI product_uuid.
        pending_time: when it was last started, as the identity document says.
        tags: the tags used.
        metadata: the AWS_ variables.
        labels: Docker labels that were set.
        variables: environment variables that were set.
        edits: lists of the user's that were changed in place, by key.
        env_files: paths of our files for ``docker run --env-file``.
        status: the outcome that was written.
        rehearsed: digest of all that was read when the change was last rehearsed.
        labels_changed: when labels last changed: the time and the boot_id of that run.
        last_run: how it ended.
    """

    instance_id: str | None = None
    product_uuid: str | None = None
    pending_time: str | None = None
    tags: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    variables: Mapping[str, str] = {}
    edits: Mapping[str, Edit] = {}
    env_files: tuple[str, ...] = ()
    status: str | None = None
    rehearsed: str | None = None
    labels_changed: tuple[str, ...] = ()
    last_run: LastRun | None = None

    def holds_values(self) -> bool:
        """Tell whether a machine may still have values of this program's."""
        return any((self.labels, self.variables, self.edits, self.env_files))

    def with_former(self, former: State) -> State:
        """Return the same, and what a former state knows on the disk: it may be there still."""
        edits = {**former.edits, **self.edits}
        for key, old in former.edits.items():
            new = edits[key]
            edits[key] = new._replace(
                written=_join(old.written, new.written), ours=_join(old.ours, new.ours)
            )
        return self._replace(edits=edits, env_files=_join(former.env_files, self.env_files))


def _join(former: Iterable[str], now: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*former, *now]))


class DamagedStateError(ValueError):
    """This program did not write the state file, or it is not whole."""


def parse_state(raw: bytes) -> State:
    """Return the state that ``raw`` holds: each field that reads as what it should be.

    A newer schema is read as far as it is known: after a roll-back the older program must still
    know its values from the user's.

    Raises:
        DamagedStateError: it is not a JSON object with a schema.
    """
    try:
        found = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedStateError("it is not JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("schema"), int):
        raise DamagedStateError("it has no schema")
    known = _read_fields(State, found)
    edits = found.get("edits")
    known["edits"] = {
        key: edit
        for key, value in (edits.items() if isinstance(edits, dict) else ())
        if (edit := _parse_edit(value)) is not None
    }
    known["last_run"] = _read_last_run(found.get("last_run"))
    return State(**known)


def render_state(state: State) -> bytes:
    """Return the state as the bytes of its file: ASCII JSON, the same for the same state."""
    tree = {
        "schema": SCHEMA,
        **state._asdict(),
        "edits": {key: edit._asdict() for key, edit in state.edits.items()},
        "last_run": state.last_run and state.last_run._asdict(),
    }
    return (json.dumps(tree, indent=1, sort_keys=True) + "\n").encode("ascii")


def cut_notes(lines: list[str]) -> tuple[str, ...]:
    """Return lines for the state: so few and so short that it stays small, whatever tags hold."""
    more = len(lines) - _MOST_NOTES + 1
    kept = lines if more <= 1 else [*lines[: _MOST_NOTES - 1], f"{more} more, in the log"]
    return tuple(x if len(x) <= _LONGEST else x[: _LONGEST - 1] + "…" for x in kept)


def _parse_edit(value: Any) -> Edit | None:
    """Return an edit as the state has it; None if it does not read as one."""
    if not isinstance(value, dict) or not isinstance(value.get("former"), str):
        return None
    written, ours, displaced = (_read_texts(value.get(x)) for x in ("written", "ours", "displaced"))
    if written is None or ours is None or displaced is None:
        return None
    return Edit(value["former"], written, ours, displaced)


def _read_last_run(value: Any) -> LastRun | None:
    if not isinstance(value, dict) or not isinstance(value.get("time"), str):
        return None
    known = _read_fields(LastRun, value)
    if isinstance(files := value.get("files"), dict):
        # A file that was not there has no digest.
        known["files"] = {
            path: digest
            for path, digest in files.items()
            if digest is None or isinstance(digest, str)
        }
    return LastRun(value["time"], **known)


def _read_fields(record: type[State | LastRun], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that are of the kind of their defaults: None is for a text."""
    known: dict[str, Any] = {}
    for name, default in record._field_defaults.items():
        value = found.get(name)
        if isinstance(default, tuple):
            known[name] = _read_texts(value) or ()
        elif isinstance(default, dict):
            there = value if isinstance(value, dict) else {}
            known[name] = {key: text for key, text in there.items() if isinstance(text, str)}
        elif isinstance(value, str if default is None else int):
            known[name] = value
    return known


def _read_texts(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None
