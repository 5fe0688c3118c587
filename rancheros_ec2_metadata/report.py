"""What a plan would do, as text and as JSON; imported only by `plan` and `clean`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Literal

from rancheros_ec2_metadata.columns import join, wrap
from rancheros_ec2_metadata.errors import (
    LONGEST_VALUE,
    ExitStatus,
    Level,
    Note,
    UsageError,
    escape,
    quote,
)
from rancheros_ec2_metadata.hosts.base import ArgumentList, Plan
from rancheros_ec2_metadata.hosts.files import FileChange
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.plan.provenance import LeftOut, Source

SCHEMA = 2

Action = Literal["add", "change", "remove", "unchanged"]

OF_VARIABLES = "for services that start after the run"
_SIGNS = {"add": "+", "change": "~", "remove": "-", "unchanged": " "}
_INDENT = 4
_NONE = "/dev/null"


@dataclass(frozen=True)
class Item:
    """A label, a variable or a config value of ours.

    Args:
        name: of it.
        action: against what our files set now.
        before: its value there; None if it is not set.
        after: its value as planned; None if it is removed.
        source: of it; None if it is removed.
        overridden_by: the file that sets it over ours.
        takes_effect: when, in words.
    """

    name: str
    action: Action
    before: str | None
    after: str | None
    source: Source | None
    overridden_by: str | None
    takes_effect: str


@dataclass(frozen=True)
class Report:
    """What a run would do: its files with their diffs, and what they set.

    Args:
        plan: that it is of.
        where: where EC2 says each variable of the metadata.
        files: each with what happens to it and its diff.
        labels: by name, as are variables and config.
        left_out: what is asked for and not set, or overridden.
    """

    plan: Plan
    where: Mapping[str, str]
    files: tuple[tuple[str, Action, tuple[str, ...]], ...]
    labels: tuple[Item, ...]
    variables: tuple[Item, ...]
    config: tuple[Item, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def changes(self) -> bool:
        """Tell whether a file would change, the state aside."""
        return any(not change.is_record for change in self.plan.changes)


def make_report(plan: Plan, where: Mapping[str, str]) -> Report:
    """Return what ``plan`` would do to the machine that it was made for.

    Args:
        plan: as made.
        where: where EC2 says each variable of the metadata (Facts.sources).
    """
    sources, before, after = plan.desired.sources, plan.before, plan.after
    config = {path: _text(value) for path, value in plan.desired.config.items()}

    def items(
        old: Mapping[str, str], new: Mapping[str, str], of: Mapping[str, Source]
    ) -> tuple[Item, ...]:
        return tuple(
            Item(
                name,
                _action(old.get(name), new.get(name)),
                old.get(name),
                new.get(name),
                of.get(name) if name in new else None,
                plan.overridden.get(name),
                plan.labels_take_effect if new is after.labels else _effect(name),
            )
            for name in sorted({*old, *new})
        )

    return Report(
        plan=plan,
        where=where,
        files=tuple((one.path, _action_of(one), tuple(diff_file(one))) for one in plan.changes),
        labels=items(before.labels, after.labels, sources.labels),
        variables=items(before.variables, after.variables, sources.variables),
        config=items(before.config, config, sources.config),
        left_out=tuple(chain.from_iterable(note.left_out for note in plan.notes)),
    )


def diff_file(change: FileChange) -> Iterator[str]:
    """Yield the lines of a unified diff; a record of ours is only named.

    Args:
        change: of one file.
    """
    if change.is_record:
        yield f"{'remove' if change.after is None else 'write'} {change.path}"
        return
    before = change.path if change.before is not None else _NONE
    after = change.path if change.after is not None else _NONE
    if change.tell is None:
        lines = _lines(change.before), _lines(change.after)
        diff = difflib.unified_diff(*lines, before, after, n=0, lineterm="")
    else:
        diff = chain((f"--- {before}", f"+++ {after}"), change.tell())
    yield from map(escape, diff)


def render_report(report: Report) -> Iterator[str]:
    """Yield the lines to print, with control characters escaped."""
    for _, _, diff in report.files:
        yield from diff
    yield from _section(
        f"LABELS, in effect {report.plan.labels_take_effect}", report.labels, report.where
    )
    yield from _section(f"VARIABLES, {OF_VARIABLES}", report.variables, report.where)
    if report.config:
        yield from _section("CONFIG PATHS", report.config, report.where, each_says_when=True)
    for one in report.plan.lists:
        yield from _arguments(one, report)
    if report.left_out:
        yield ""
        yield "LEFT OUT"
        for left_out in report.left_out:
            source = (
                f" from {describe_source(left_out.source, report.where)}" if left_out.source else ""
            )
            text = f"{left_out.kind} {quote(left_out.name)}{source}: {left_out.reason}"
            yield from wrap("  ", text)
    yield ""
    yield _totals(report)


def render_report_json(report: Report, status: ExitStatus, notes: Iterable[Note]) -> str:
    """Return the report as a JSON document; docs/plan.md has its schema.

    Args:
        report: of the plan.
        status: that `plan` ends with.
        notes: of the log.
    """
    plan = report.plan
    tree = {
        "schema": SCHEMA,
        "exit_status": int(status),
        "would_change": report.changes,
        "instance_id": plan.state.instance_id,
        "outcome": plan.state.status,
        "files": [
            {"path": path, "action": action, "diff": list(diff)}
            for path, action, diff in report.files
        ],
        "labels": [_item(one, report.where) for one in report.labels],
        "variables": [_item(one, report.where) for one in report.variables],
        "config": [_item(one, report.where) for one in report.config],
        "arguments": [
            {
                "key": f"rancher.docker.{one.key}",
                "written_to": one.written_to,
                "items": [
                    {"action": action, "text": text, "source": _source(source, report.where)}
                    for action, text, source in _argument_items(one, plan)
                ],
            }
            for one in plan.lists
        ],
        "left_out": [
            {
                "kind": one.kind,
                "name": one.name,
                "source": _source(one.source, report.where),
                "reason": one.reason,
                "overridden_by": one.by,
            }
            for one in report.left_out
        ],
        "notes": [
            {"level": str(note.level), "text": note.text}
            for note in notes
            if note.level in (Level.WARNING, Level.ERROR)
        ],
    }
    return json.dumps(tree, indent=2)


def describe_source(source: Source, where: Mapping[str, str]) -> str:
    """Return a source in words, a field of the metadata with where EC2 says it."""
    if source.kind == "metadata":
        return f"metadata: {where.get(source.name, 'the last run')}"
    return str(source)


def _totals(report: Report) -> str:
    if not report.changes:
        return "No changes."
    counted = []
    for what, items in (
        ("label", report.labels),
        ("variable", report.variables),
        ("config path", report.config),
    ):
        counts = {action: sum(one.action == action for one in items) for action in _SIGNS}
        if items:
            plural = what if counts["add"] == 1 else f"{what}s"
            counted.append(
                f"{counts['add']} {plural} to add, {counts['change']} to change,"
                f" {counts['remove']} to remove"
            )
    return f"Plan: {'; '.join(counted) or 'files only'}."


def _section(
    title: str, items: Sequence[Item], where: Mapping[str, str], *, each_says_when: bool = False
) -> Iterator[str]:
    yield ""
    yield title
    if not items:
        yield "  none"
    for one in items:
        name, old, new = (
            quote(text or "", LONGEST_VALUE) for text in (one.name, one.before, one.after)
        )
        values = {"remove": f"was {old}", "change": f"{old} -> {new}"}.get(one.action, f"= {new}")
        rest = [describe_source(one.source, where)] if one.source else []
        rest += [one.takes_effect] if each_says_when else []
        rest += [f"NOT IN EFFECT: overridden by {one.overridden_by}"] if one.overridden_by else []
        end = f"({'; '.join(rest)})" if rest else ""
        yield from join(f"  {_SIGNS[one.action]} {name} {values}", end, _INDENT)


def _arguments(one: ArgumentList, report: Report) -> Iterator[str]:
    items = list(_argument_items(one, report.plan))
    if not items:
        return
    yield ""
    where = f", written to {one.written_to}" if one.written_to else ""
    yield f"DOCKER'S ARGUMENTS, rancher.docker.{one.key}{where}"
    for action, text, source in items:
        end = f"({describe_source(source, report.where)})" if source else ""
        yield from join(f"  {_SIGNS[action]} {quote(text, LONGEST_VALUE)}", end, _INDENT)


def _argument_items(one: ArgumentList, plan: Plan) -> Iterator[tuple[Action, str, Source | None]]:
    """Yield each item, against the list without us."""
    for item in one.after:
        if item in one.ours:
            yield "add", item, plan.desired.sources.labels.get(one.ours[item])
        else:
            yield "unchanged", one.shown.get(item, item), None
    for item in one.before:
        if item not in one.after:
            yield "remove", one.shown.get(item, item), None


def _item(one: Item, where: Mapping[str, str]) -> dict[str, Any]:
    return asdict(one) | {"source": _source(one.source, where)}


def _source(source: Source | None, where: Mapping[str, str]) -> dict[str, str] | None:
    if source is None:
        return None
    text = describe_source(source, where)
    return {"kind": source.kind, "name": source.name, "text": text}


def _action(old: str | None, new: str | None) -> Action:
    if old is None:
        return "add"
    if new is None:
        return "remove"
    return "unchanged" if old == new else "change"


def _action_of(change: FileChange) -> Action:
    if change.before is None:
        return "add"
    return "remove" if change.after is None else "change"


def _effect(name: str) -> str:
    if "." not in name and name != "hostname":
        return OF_VARIABLES
    try:
        return config_paths.find(name).effect
    except UsageError:  # of an older version, or put into our file by hand
        return config_paths.NEXT_BOOT


def _text(value: config_paths.Value) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _lines(content: bytes | None) -> list[str]:
    return [] if content is None else content.decode("utf-8", "replace").splitlines()
