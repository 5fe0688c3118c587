"""A YAML text as nodes that know where they stand in it, so that one can be changed alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from rancheros_ec2_metadata.rancheros import document
from rancheros_ec2_metadata.rancheros.pure_yaml import PureLoader

_NULLS = ("", "~", "null", "Null", "NULL")
# PyYAML alone would refuse a tab before a comment or behind a colon, which `ros` takes.
_LOADER: Any = PureLoader
Path = tuple[str, ...]


class CannotEditError(ValueError):
    """The node is not plain enough to be changed in the text; the message says why."""


@dataclass()
class Node:
    """A node of the file and where it stands in the text."""

    kind: Literal["map", "list", "scalar", "alias"]
    start: int
    end: int
    plain: bool = True  # no anchor, no tag
    flow: bool = False
    value: str = ""
    quoted: bool = False
    children: list[Node] = field(default_factory=list)

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Return a map's keys and values."""
        return zip(self.children[::2], self.children[1::2], strict=True)

    def is_null(self) -> bool:
        """Tell whether this is a null: also ``key:`` with nothing behind it."""
        return self.kind == "scalar" and not self.quoted and self.value in _NULLS


def nodes(text: str) -> Node | None:
    """Return the first document of ``text`` as nodes with their spans; None if it has none.

    Raises:
        CannotEditError: the text is not YAML.
    """
    stack: list[Node] = []
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            node = _node(event)
            if node is None:
                if isinstance(event, yaml.CollectionEndEvent):
                    done = stack.pop()
                    done.end = _index(event.end_mark)
                    if not stack:
                        return done
                continue
            if stack:
                stack[-1].children.append(node)
            if node.kind in ("map", "list"):
                stack.append(node)
            elif not stack:
                return node
    except yaml.YAMLError as error:
        raise CannotEditError("it is not YAML") from error
    return None


def _index(mark: Any) -> int:
    """Return a mark's place in the text; PyYAML's types allow for events without one."""
    index: int = mark.index
    return index


def _node(event: yaml.Event) -> Node | None:
    span = _index(event.start_mark), _index(event.end_mark)
    if isinstance(event, yaml.AliasEvent):
        return Node("alias", *span, plain=False)
    if isinstance(event, yaml.ScalarEvent):
        plain = event.anchor is None and event.tag is None
        return Node("scalar", *span, plain, value=event.value, quoted=event.style is not None)
    if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
        plain = event.anchor is None and event.tag is None
        kind: Literal["map", "list"] = (
            "map" if isinstance(event, yaml.MappingStartEvent) else "list"
        )
        return Node(kind, *span, plain, flow=bool(event.flow_style))
    return None


@dataclass(frozen=True)
class Found:
    """A node, its path, and where the text after its key's colon begins."""

    path: Path
    node: Node
    after: int


def find(text: str, path: Path) -> Found | None:
    """Return the node at ``path``, or the null above it; None if neither is there.

    Raises:
        CannotEditError: on the way there is an anchor, alias, tag, merge or a key given twice.
    """
    node = nodes(text)
    if node is None:
        return None
    after = 0
    for depth, key in enumerate(path):
        where = ".".join(path[:depth]) or "the file"
        if node.is_null():
            return Found(path[:depth], node, after)
        if node.kind != "map":
            raise CannotEditError(f"{where} is not a plain map")
        if not node.plain:
            raise CannotEditError(f"{where} has an anchor or a tag")
        names = Counter(name.value for name, _ in node.pairs() if name.kind == "scalar")
        if names["<<"]:
            raise CannotEditError(f"{where} has a merge (<<)")
        if names[key] > 1:
            raise CannotEditError(f"{'.'.join(path[: depth + 1])} is there {names[key]} times")
        if not names[key]:
            return None
        name, node = next(pair for pair in node.pairs() if pair[0].value == key)
        after = text.index(":", name.end) + 1
        if node.kind == "alias" or not node.plain:
            raise CannotEditError(f"{'.'.join(path[: depth + 1])} has an anchor, alias or tag")
    return Found(path, node, after)


def quoted(text: str) -> str:
    """Return ``text`` as a quoted scalar of the file.

    Raises:
        CannotEditError: ``ros`` would not read it back.
    """
    try:
        return document.scalar(text)
    except ValueError as why:
        raise CannotEditError(str(why)) from why


def line_start(text: str, index: int) -> int:
    """Return where the line of ``index`` begins."""
    return text.rfind("\n", 0, index) + 1


def line_end(text: str, index: int) -> int:
    """Return the start of the next line, or the end of the text; ``index`` may be it already."""
    if index and text[index - 1] == "\n":
        return index
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1
