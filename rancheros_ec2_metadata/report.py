"""What a plan would do, as text and as JSON; imported only by `plan` and `clean`."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

from rancheros_ec2_metadata.columns import join, wrap
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
_INDENT = 4
_NONE = "/dev/null"


def make_report(plan: Plan, where: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``plan`` would do to the machine that it was made for, as the JSON has it.

    Args:
        plan: as made.
        where: where EC2 says each variable of the metadata (Facts.sources).
    """
    sources, before, after = plan.desired.sources, plan.before, plan.after
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
        of: Mapping[str, Source],
        find_effect: Callable[[str], str],
    ) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "action": _compare(old.get(name), new.get(name)),
                "before": old.get(name),
                "after": new.get(name),
                "source": describe(of.get(name) if name in new else None),
                "overridden_by": plan.overridden.get(name),
                "takes_effect": find_effect(name),
            }
            for name in sorted({*old, *new})
        ]

    return {
        "would_change": any(not change.is_record for change in plan.changes),
        "instance_id": plan.state.instance_id,
        "outcome": plan.state.status,
        "files": [
            {
                "path": one.path,
                "action": _compare(one.before, one.after),
                "diff": list(diff_file(one)),
            }
            for one in plan.changes
        ],
        "labels": list_items(
            before.labels, after.labels, sources.labels, lambda _: plan.labels_take_effect
        ),
        "variables": list_items(
            before.variables, after.variables, sources.variables, lambda _: _OF_VARIABLES
        ),
        "config": list_items(before.config, config, sources.config, _find_effect),
        "arguments": [
            {
                "key": f"rancher.docker.{one.key}",
                "written_to": one.written_to,
                "items": [
                    {"action": action, "text": text, "source": describe(source)}
                    for action, text, source in _list_arguments(one, sources.labels)
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
    """Yield the lines of a unified diff; a record of the program is only named.

    Args:
        change: of one file.
    """
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
    """Yield the lines to print, with control characters escaped.

    Args:
        report: from `make_report`.
        labels_take_effect: when, in words.
    """
    for one in report["files"]:
        yield from one["diff"]
    yield from _render_section(f"LABELS, in effect {labels_take_effect}", report["labels"])
    yield from _render_section(f"VARIABLES, {_OF_VARIABLES}", report["variables"])
    if report["config"]:
        yield from _render_section("CONFIG PATHS", report["config"], each_says_when=True)
    for one in report["arguments"]:
        yield from _render_arguments(one)
    if report["left_out"]:
        yield ""
        yield "LEFT OUT"
    for one in report["left_out"]:
        source = f" from {one['source']['text']}" if one["source"] else ""
        yield from wrap("  ", f"{one['kind']} {quote(one['name'])}{source}: {one['reason']}")
    yield ""
    yield _render_totals(report)


def render_report_json(report: Mapping[str, Any], status: ExitStatus, notes: Iterable[Note]) -> str:
    """Return the report as a JSON document; docs/plan.md has its schema.

    Args:
        report: from `make_report`.
        status: that `plan` ends with.
        notes: of the log.
    """
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


def _render_section(
    title: str, items: Sequence[Mapping[str, Any]], *, each_says_when: bool = False
) -> Iterator[str]:
    yield ""
    yield title
    if not items:
        yield "  none"
    for one in items:
        name, old, new = (
            quote(one[key] or "", LONGEST_VALUE) for key in ("name", "before", "after")
        )
        values = {"remove": f"was {old}", "change": f"{old} -> {new}"}.get(
            one["action"], f"= {new}"
        )
        rest = [one["source"]["text"]] if one["source"] else []
        rest += [one["takes_effect"]] if each_says_when else []
        by = one["overridden_by"]
        rest += [f"NOT IN EFFECT: overridden by {by}"] if by else []
        end = f"({'; '.join(rest)})" if rest else ""
        yield from join(f"  {_SIGNS[one['action']]} {name} {values}", end, _INDENT)


def _render_arguments(one: Mapping[str, Any]) -> Iterator[str]:
    if not one["items"]:
        return
    yield ""
    where = f", written to {one['written_to']}" if one["written_to"] else ""
    yield f"DOCKER'S ARGUMENTS, {one['key']}{where}"
    for item in one["items"]:
        end = f"({item['source']['text']})" if item["source"] else ""
        start = f"  {_SIGNS[item['action']]} {quote(item['text'], LONGEST_VALUE)}"
        yield from join(start, end, _INDENT)


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
