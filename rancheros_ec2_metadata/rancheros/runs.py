"""The last runs, for `status`: conf/.ec2-metadata-runs.json, which ``ros`` does not load.

Not in the state: a run that changes nothing leaves that untouched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

SCHEMA = 1
MOST_RUNS = 5
# So that the file stays small, whatever is in the tags.
_MOST_LINES = 10
_LONGEST = 200


@dataclass(frozen=True)
class Run:
    """One run at boot that came to its end.

    Args:
        time: when it began, UTC, as 2026-01-05T08:00:00Z.
        boot_id: the kernel's name for the boot that it was in.
        version: of this program.
        instance_id: where it ran.
        release: of RancherOS.
        command: what was run.
        outcome: what EC2_METADATA_STATUS was set to.
        exit_status: the process's.
        summary: its last lines.
        seconds: how long each part of it took.
        notes: its warnings and errors.
        files: sha256 of each file as it left it, by path; None where there was none.
    """

    time: str = ""
    boot_id: str | None = None
    version: str | None = None
    instance_id: str | None = None
    release: str | None = None
    command: str | None = None
    outcome: str | None = None
    exit_status: int | None = None
    summary: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Runs:
    """The last runs.

    Args:
        runs: the latest first.
        labels_changed: the run that last changed Docker's labels: its time and its boot_id only.
    """

    runs: tuple[Run, ...] = ()
    labels_changed: Run | None = None

    def with_run(self, run: Run, *, changed_labels: bool) -> Runs:
        """Return these with one more, which may have changed Docker's labels."""
        moment = Run(time=run.time, boot_id=run.boot_id)
        changed = moment if changed_labels else self.labels_changed
        return replace(self, runs=(run, *self.runs)[:MOST_RUNS], labels_changed=changed)


def parse(raw: bytes | None) -> Runs:
    """Return what of ``raw`` reads as what it should be; a damaged file is one without runs."""
    try:
        found = json.loads((raw or b"{}").decode("utf-8"))
    except (ValueError, RecursionError):
        return Runs()
    if not isinstance(found, dict):
        return Runs()
    listed = found.get("runs")
    runs = [run for one in _list(listed)[:MOST_RUNS] if (run := _run(one)) is not None]
    return Runs(tuple(runs), _run(found.get("labels_changed")))


def render(runs: Runs) -> bytes:
    """Return the bytes of the file: ASCII JSON."""
    moment = runs.labels_changed
    tree = {
        "schema": SCHEMA,
        "labels_changed": moment and {"time": moment.time, "boot_id": moment.boot_id},
        "runs": [asdict(_capped(run)) for run in runs.runs],
    }
    return (json.dumps(tree, indent=1) + "\n").encode("ascii")


def _capped(run: Run) -> Run:
    notes = run.notes
    if len(notes) > _MOST_LINES:
        more = f"{len(notes) - _MOST_LINES + 1} more, in the log"
        notes = (*notes[: _MOST_LINES - 1], more)
    return replace(run, notes=_lines(notes), summary=_lines(run.summary))


def _run(value: Any) -> Run | None:
    if not isinstance(value, dict) or not isinstance(value.get("time"), str):
        return None
    texts = ("boot_id", "version", "instance_id", "release", "command", "outcome")
    known: dict[str, Any] = {
        name: _cut(value[name]) for name in texts if isinstance(value.get(name), str)
    }
    status = value.get("exit_status")
    if isinstance(status, int) and not isinstance(status, bool):
        known["exit_status"] = status
    return Run(
        **known,
        time=_cut(value["time"]),
        summary=_lines(value.get("summary")),
        seconds={
            _cut(part): float(taken)
            for part, taken in _dict(value.get("seconds")).items()
            if isinstance(taken, int | float) and 0 <= taken < 1e6
        },
        notes=_lines(value.get("notes")),
        files={
            _cut(path): digest
            for path, digest in _dict(value.get("files")).items()
            if digest is None or isinstance(digest, str)
        },
    )


def _lines(value: Any) -> tuple[str, ...]:
    return tuple(_cut(line) for line in _list(value)[:_MOST_LINES] if isinstance(line, str))


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _dict(value: Any) -> dict[str, Any]:
    return dict(list(value.items())[:_MOST_LINES]) if isinstance(value, dict) else {}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
