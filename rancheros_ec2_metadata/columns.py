"""Text for a terminal of 80 columns; what a terminal would act on is escaped."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from rancheros_ec2_metadata.errors import escape

WIDTH = 80


def render_section(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a title and its rows: each a start, and an end as `join` has it."""
    yield title
    lines = [line for start, end in rows for line in join(start, end)]
    yield from lines or ["  none"]


def join(start: str, end: str, indent: int = 4) -> Iterator[str]:
    """Yield ``start`` and ``end`` in one line; if too long, in several with an indentation."""
    line = f"{start}  {end}".rstrip()
    if len(line) <= WIDTH and line.isprintable():
        yield line
    else:
        yield from wrap(start[:indent], start[indent:])
        yield from wrap(" " * indent, end)


def wrap(start: str, text: str, width: int = WIDTH) -> Iterator[str]:
    """Yield ``text`` in lines, the first behind ``start``, the others below it."""
    yield from textwrap.wrap(
        escape(text),
        width,
        initial_indent=start,
        subsequent_indent=" " * max(len(start), 4),
        break_on_hyphens=False,
    )
