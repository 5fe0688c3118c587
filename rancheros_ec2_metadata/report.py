"""What a plan would do, as text and as JSON; imported only by `plan` and `clean`."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Literal

from rancheros_ec2_metadata.columns import render_section, wrap
from rancheros_ec2_metadata.errors import (
    LONGEST_VALUE,
    ExitStatus,
    Level,
    Note,
    UsageError,
    count,
    escape,
    quote,
)
from rancheros_ec2_metadata.hosts.base import ArgumentList, Plan
from rancheros_ec2_metadata.hosts.files import FileChange
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.plan.provenance import Source

SCHEMA = 2

Action = Literal["add", "change", "remove", "unchanged"]

_OF_VARIABLES = "for services that start after the run"
_SIGNS = {"add": "+", "change": "~", "remove": "-", "unchanged": " "}
_NONE = "/dev/null"


def make_report(plan: Plan, where: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``plan`` would do to the machine that it was made for, as the JSON has it.

    Args:
        plan: as made.
        where: where EC2 says each variable of the metadata (Facts.sources).
    """
    before, after, of = plan.before, plan.after, plan.desired.sources
    config = {path: config_paths.render(value) for path, value in plan.desired.config.items()}

    def describe(source: Source | None) -> dict[str, str] | None:
        if source is None:
            return None
        text = str(source)
        if source.kind == "metadata":
            text = f"metadata: {where.get(source.name, 'the last run')}"
        return {"kind": source.kind, "name": source.name, "text": text}

    def list_items(
        old: Mapping[str, str],
        new: Mapping[str, str],
        sources: Mapping[str, Source],
        takes_effect: str | None = None,
    ) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "action": _compare(old.get(name), new.get(name)),
                "before": old.get(name),
                "after": new.get(name),
                "source": describe(sources.get(name) if name in new else None),
                "overridden_by": plan.overridden.get(name),
                "takes_effect": takes_effect or _find_effect(name),
            }
            for name in sorted({*old, *new})
        ]

    return {
        "would_change": any(not change.is_record for change in plan.changes),
        "instance_id": plan.state.instance_id,
        "outcome": plan.state.status,
        "files": [
            {"path": x.path, "action": _compare(x.before, x.after), "diff": list(diff_file(x))}
            for x in plan.changes
        ],
        "labels": list_items(before.labels, after.labels, of.labels, plan.labels_take_effect),
        "variables": list_items(before.variables, after.variables, of.variables, _OF_VARIABLES),
        "config": list_items(before.config, config, of.config),
        "arguments": [
            {
                "key": f"rancher.docker.{one.key}",
                "written_to": one.written_to,
                "items": [
                    {"action": action, "text": text, "source": describe(source)}
                    for action, text, source in _list_arguments(one, of.labels)
                ],
            }
            for one in plan.lists
        ],
        "left_out": [
            {
                "kind": one.kind,
                "name": one.name,
                "source": describe(one.source),
                "reason": one.reason,
                "overridden_by": one.by,
            }
            for note in plan.notes
            for one in note.left_out
        ],
    }


def diff_file(change: FileChange) -> Iterator[str]:
    """Yield the lines of a unified diff; a record of the program is only named."""
    if change.is_record:
        yield f"{'remove' if change.after is None else 'write'} {change.path}"
        return
    before = change.path if change.before is not None else _NONE
    after = change.path if change.after is not None else _NONE
    if change.tell is None:
        lines = _split_lines(change.before), _split_lines(change.after)
        diff = difflib.unified_diff(*lines, before, after, n=0, lineterm="")
    else:
        diff = chain((f"--- {before}", f"+++ {after}"), change.tell())
    yield from map(escape, diff)


def render_report(report: Mapping[str, Any], labels_take_effect: str) -> Iterator[str]:
    """Yield the lines to print, with control characters escaped."""
    for one in report["files"]:
        yield from one["diff"]
    sections = [
        (f"LABELS, in effect {labels_take_effect}", report["labels"]),
        (f"VARIABLES, {_OF_VARIABLES}", report["variables"]),
    ]
    for effect in (config_paths.THIS_BOOT, config_paths.NEXT_BOOT):
        items = [one for one in report["config"] if one["takes_effect"] == effect]
        sections += [(f"CONFIG PATHS, {effect}", items)] if items else []
    for one in report["arguments"]:
        where = f", written to {one['written_to']}" if one["written_to"] else ""
        title = f"DOCKER'S ARGUMENTS, {one['key']}{where}"
        sections += [(title, one["items"])] if one["items"] else []
    for title, items in sections:
        yield ""
        yield from render_section(title, map(_make_row, items))
    if report["left_out"]:
        yield ""
        yield "LEFT OUT"
    for one in report["left_out"]:
        source = f" from {one['source']['text']}" if one["source"] else ""
        yield from wrap("  ", f"{one['kind']} {quote(one['name'])}{source}: {one['reason']}")
    yield ""
    yield _render_totals(report)


def render_report_json(report: Mapping[str, Any], status: ExitStatus, notes: Iterable[Note]) -> str:
    """Return a report as a JSON document, with the status and log; docs/plan.md has its schema."""
    tree = {
        "schema": SCHEMA,
        "exit_status": int(status),
        **report,
        "notes": [
            {"level": str(note.level), "text": note.text}
            for note in notes
            if note.level in (Level.WARNING, Level.ERROR)
        ],
    }
    return json.dumps(tree, indent=2)


def _render_totals(report: Mapping[str, Any]) -> str:
    if not report["would_change"]:
        return "No changes."
    totals = []
    for what, key in (("label", "labels"), ("variable", "variables"), ("config path", "config")):
        counts = Counter(one["action"] for one in report[key])
        if report[key]:
            totals.append(
                f"{count(counts['add'], what)} to add, {counts['change']} to change,"
                f" {counts['remove']} to remove"
            )
    return f"Plan: {'; '.join(totals) or 'files only'}."


def _make_row(item: Mapping[str, Any]) -> tuple[str, str]:
    """Return the two parts of a line: what an item is, and where it is from."""
    rest = [item["source"]["text"]] if item["source"] else []
    if "text" in item:
        words = quote(item["text"], LONGEST_VALUE)
    else:
        keys = ("name", "before", "after")
        name, old, new = (quote(item[key] or "", LONGEST_VALUE) for key in keys)
        changes = {"remove": f"was {old}", "change": f"{old} -> {new}"}
        words = f"{name} {changes.get(item['action'], f'= {new}')}"
        by = item["overridden_by"]
        rest += [f"NOT IN EFFECT: overridden by {by}"] if by else []
    return f"  {_SIGNS[item['action']]} {words}", f"({'; '.join(rest)})" if rest else ""


def _list_arguments(
    one: ArgumentList, sources: Mapping[str, Source]
) -> Iterator[tuple[Action, str, Source | None]]:
    """Yield each item, against the list without this program."""
    for item in one.after:
        if item in one.ours:
            yield "add", item, sources.get(one.ours[item])
        else:
            yield "unchanged", one.shown.get(item, item), None
    for item in one.before:
        if item not in one.after:
            yield "remove", one.shown.get(item, item), None


def _compare(old: object, new: object) -> Action:
    if old is None:
        return "add"
    if new is None:
        return "remove"
    return "unchanged" if old == new else "change"


def _find_effect(path: str) -> str:
    try:
        return config_paths.find(path).effect
    except UsageError:  # of an older version, or put into our file by hand
        return config_paths.NEXT_BOOT


def _split_lines(content: bytes | None) -> list[str]:
    return [] if content is None else content.decode("utf-8", "replace").splitlines()
