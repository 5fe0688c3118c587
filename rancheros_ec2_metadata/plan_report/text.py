"""A plan's report for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

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

_WIDTH = 80
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
        yield from _wrapped("  stays    ", ", ".join(stay))
    for item in items:
        if item.change == "stays" and item.stronger:
            yield from _wrapped(" " * _INDENT, f"{shown(item.name)}: {_stronger(item.stronger)}")


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
    yield from _joined(f"{start} {values}", rest)


def _arguments(one: Arguments) -> Iterator[str]:
    yield ""
    yield f"DOCKER'S ARGUMENTS, rancher.docker.{one.key}"
    if one.stronger:
        yield from _wrapped("  ", f"{_stronger(one.stronger)} than any file of ours")
    elif one.written:
        yield from _wrapped("  ", f"written to {one.written}")
    for item in one.items:
        text = shown(item.text, _LONGEST_ITEM)
        yield from _joined(f"  {item.change:8} {text}", [_argument_source(item)])


def _argument_source(item: Argument) -> str:
    if item.layer is not None:
        return item.layer
    return told(item.source) if item.source else "of the last run"


def _left_out(one: LeftOut) -> Iterator[str]:
    source = f" from {told(one.source)}" if one.source else ""
    yield from _wrapped("  ", f"{one.kind} {shown(one.name)}{source}: {one.reason}")


def _stronger(layer: str) -> str:
    return _STRONGER.format(layer)


def _joined(start: str, rest: Sequence[str]) -> Iterator[str]:
    """Yield a line, or several where it would be too long for one."""
    end = f"({'; '.join(rest)})" if rest else ""
    if len(start) + 2 + len(end) <= _WIDTH:
        yield f"{start}  {end}".rstrip()
    else:
        yield from _wrapped(start[:_INDENT], start[_INDENT:])
        yield from _wrapped(" " * _INDENT, end)


def _wrapped(start: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        printable(text),
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * max(len(start), 4),
        break_on_hyphens=False,
    )
