"""The pages of this repository, and the blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELLS = ("sh", "console")

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Args:
        page: its path from the repository's root.
        number: the line of its fence, from 1.
        language: what stands behind the fence; may be empty.
        text: what is in it.
    """

    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"

    @property
    def lines(self) -> list[str]:
        """The commands of a shell's block, one a line: continued ones joined, comments left out."""
        text = re.sub(r" *\\\n *", " ", self.text)
        if self.language == "console":
            printed = [line for line in text.splitlines() if line.startswith("$ ")]
            text = "\n".join(line.removeprefix("$ ") for line in printed)
        bare = (re.sub(r"(^| +)# .*", "", line).strip() for line in text.splitlines())
        return [line for line in bare if line]


@dataclass(frozen=True)
class Page:
    """One page."""

    name: str

    @cached_property
    def text(self) -> str:
        """The page as it is."""
        return (ROOT / self.name).read_text("utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        """The page's fenced blocks."""
        return [
            Block(
                self.name,
                self.text.count("\n", 0, found.start()) + 1,
                found[2],
                "".join(line.removeprefix(found[1]) for line in found[3].splitlines(keepends=True)),
            )
            for found in _FENCE.finditer(self.text)
        ]

    @cached_property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return _FENCE.sub("", self.text)

    def table(self, start: str) -> str:
        """Return the rows of the table whose heading begins so; empty where there is none."""
        return self.text.partition(f"\n| {start}")[2].partition("\n\n")[0]

    @property
    def anchors(self) -> set[str]:
        """The names that a link can have behind its ``#``, as GitHub makes them."""
        titles = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(self.prose))
        return {title.strip().replace(" ", "-") for title in titles}


def pages() -> list[Page]:
    """Return all pages that are written for somebody to read."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    return [Page(str(path.relative_to(ROOT))) for path in sorted(found)]


def blocks(*languages: str) -> Iterator[Block]:
    """Yield the blocks in these languages, of all pages."""
    for page in pages():
        yield from (block for block in page.blocks if block.language in languages)
