"""A plan's report as JSON; docs/plan.md has the schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rancheros_ec2_metadata.errors import ExitStatus, Level, Note
from rancheros_ec2_metadata.plan.provenance import LeftOut, Source
from rancheros_ec2_metadata.plan_report.arguments import Argument, Arguments
from rancheros_ec2_metadata.plan_report.report import Item, Report, told

SCHEMA = 1


def document(report: Report, status: ExitStatus, notes: Iterable[Note]) -> str:
    """Return the document.

    Args:
        report: of the plan.
        status: that `plan` ends with.
        notes: of the log.
    """
    tree = {
        "schema": SCHEMA,
        "exit_status": int(status),
        "would_change": bool(report.files),
        "instance_id": report.instance_id,
        "outcome": report.outcome,
        "release": report.release or None,
        "files": [
            {"path": file.path, "action": file.action, "diff": list(file.diff)}
            for file in report.files
        ],
        "labels": list(map(_item, report.labels)),
        "variables": list(map(_item, report.variables)),
        "config": list(map(_item, report.config)),
        "arguments": list(map(_arguments, report.arguments)),
        "left_out": list(map(_left_out, report.left_out)),
        "notes": [
            {"level": str(note.level), "text": note.text}
            for note in notes
            if note.level in (Level.WARNING, Level.ERROR)
        ],
    }
    return json.dumps(tree, indent=2)


def _item(item: Item) -> dict[str, Any]:
    return {
        "name": item.name,
        "change": item.change,
        "before": item.before,
        "after": item.after,
        "source": _source(item.source),
        "stronger_layer": item.stronger,
        "takes_effect": item.boot,
        "when": item.when,
    }


def _arguments(one: Arguments) -> dict[str, Any]:
    return {
        "key": f"rancher.docker.{one.key}",
        "users_layer": one.layer,
        "written_to": one.written,
        "stronger_layer": one.stronger,
        "items": list(map(_argument, one.items)),
    }


def _argument(item: Argument) -> dict[str, Any]:
    return {
        "text": item.text,
        "change": item.change,
        "layer": item.layer,
        "source": _source(item.source),
    }


def _left_out(one: LeftOut) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "source": _source(one.source),
        "reason": one.reason,
        "stronger_layer": one.by,
    }


def _source(source: Source | None) -> dict[str, str] | None:
    if source is None:
        return None
    return {"kind": source.kind, "name": source.name, "text": told(source)}
