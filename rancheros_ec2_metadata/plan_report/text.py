"""A plan's report for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rancheros_ec2_metadata.columns import joined, wrapped
from rancheros_ec2_metadata.errors import printable, shown
from rancheros_ec2_metadata.plan.provenance import LeftOut
from rancheros_ec2_metadata.plan_report.arguments import Argument, Arguments
from rancheros_ec2_metadata.plan_report.report import (
    OF_LABELS,
    OF_VARIABLES,
    Item,
    Report,
    told,
)

_INDENT = len("  changes  ")
_LONGEST = 40  # characters of a value; the diff and the JSON have all of them
_LONGEST_ITEM = 64  # of an item of Docker's arguments
_STRONGER = "NOT IN FORCE: {} is stronger"


def lines(report: Report) -> Iterator[str]:
    """Yield the lines to print; what is hostile in them cannot reach the terminal."""
    for file in report.files:
        yield from map(printable, file.diff)
    yield from _section(f"LABELS, in force {OF_LABELS}", report.labels)
    yield from _section(f"VARIABLES, {OF_VARIABLES}", report.variables)
    if report.config:
        yield from _section("CONFIG PATHS", report.config, each_says_when=True)
    for one in report.arguments:
        if one.items:
            yield from _arguments(one)
    if report.left_out:
        yield ""
        yield "LEFT OUT"
        for left_out in report.left_out:
            yield from _left_out(left_out)


def _section(title: str, items: Sequence[Item], *, each_says_when: bool = False) -> Iterator[str]:
    yield ""
    yield title
    if not items:
        yield "  none"
    for item in items:
        if item.change != "stays":
            yield from _item(item, each_says_when=each_says_when)
    stay = [shown(item.name) for item in items if item.change == "stays"]
    if stay:
        yield from wrapped("  stays    ", ", ".join(stay))
    for item in items:
        if item.change == "stays" and item.stronger:
            yield from wrapped(" " * _INDENT, f"{shown(item.name)}: {_stronger(item.stronger)}")


def _item(item: Item, *, each_says_when: bool) -> Iterator[str]:
    name, old, new = (shown(text or "", _LONGEST) for text in (item.name, item.before, item.after))
    start = f"  {item.change:8} {name}"
    match item.change:
        case "goes":
            values = f"was {old}"
        case "changes":
            values = f"{old} -> {new}"
        case _:
            values = f"= {new}"
    rest = [told(item.source)] if item.source else []
    rest += [item.when] if each_says_when else []
    rest += [_stronger(item.stronger)] if item.stronger else []
    end = f"({'; '.join(rest)})" if rest else ""
    yield from joined(f"{start} {values}", end, _INDENT)


def _arguments(one: Arguments) -> Iterator[str]:
    yield ""
    yield f"DOCKER'S ARGUMENTS, rancher.docker.{one.key}"
    if one.stronger:
        yield from wrapped("  ", f"{_stronger(one.stronger)} than any file of ours")
    elif one.written:
        yield from wrapped("  ", f"written to {one.written}")
    for item in one.items:
        text = shown(item.text, _LONGEST_ITEM)
        yield from joined(f"  {item.change:8} {text}", f"({_argument_source(item)})", _INDENT)


def _argument_source(item: Argument) -> str:
    if item.layer is not None:
        return item.layer
    return told(item.source) if item.source else "of the last run"


def _left_out(one: LeftOut) -> Iterator[str]:
    source = f" from {told(one.source)}" if one.source else ""
    yield from wrapped("  ", f"{one.kind} {shown(one.name)}{source}: {one.reason}")


def _stronger(layer: str) -> str:
    return _STRONGER.format(layer)
