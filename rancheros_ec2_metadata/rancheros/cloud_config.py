"""cloud-config.yml, changed at one node, all else byte for byte.

The file is the operator's, and the system's, which keeps private keys in it: it is never
re-serialised here. A node is found by its span in the text; what is not plain enough to be changed
without a doubt is refused by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import yaml

from rancheros_ec2_metadata.rancheros import document
from rancheros_ec2_metadata.rancheros.ros_scalars import text_of
from rancheros_ec2_metadata.rancheros.ros_yaml import UnusableError, parse

_NULLS = ("", "~", "null", "Null", "NULL")
Path = tuple[str, ...]


class CannotEditError(ValueError):
    """The node is not plain enough to be changed in the text; the message says why."""


@dataclass
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
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
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


def set_list(text: str, path: Path, items: Sequence[str]) -> str:
    """Return ``text`` with ``items`` at ``path``, in place of the list or null that is there.

    Items that are there already keep their text, and comments stay with the item they follow.

    Args:
        text: the file.
        path: of the list.
        items: what it shall be.

    Raises:
        CannotEditError: the node, or the way to it, is not plain.
    """
    found = find(text, path)
    if found is None:
        raise CannotEditError(f"{'.'.join(path)} is not in it")
    node = found.node
    if node.is_null():
        new = _flow(items)
        for key in reversed(path[len(found.path) :]):
            new = f"{{{document.scalar(key)}: {new}}}"
        space = "" if text[found.after : node.start] else " "
        return text[: node.start] + space + new + text[node.end :]
    if node.kind != "list":
        raise CannotEditError(f"{'.'.join(path)} is not a list")
    for item in node.children:
        if item.kind != "scalar" or not item.plain:
            raise CannotEditError(f"{'.'.join(path)} has an item that is no plain text")
    texts = _reused(text, node.children, items)
    if node.flow:
        inside = (
            document.scalar(item) if old is None else text[old.start : old.end]
            for item, old in texts
        )
        return text[: node.start] + "[" + ", ".join(inside) + "]" + text[node.end :]
    return _with_block(text, found, texts)


def span(text: str, path: Path) -> str:
    """Return the text of the node at ``path``; of a block list, of its lines.

    Raises:
        CannotEditError: it is not there, or not plain.
    """
    start, end = _extent(text, path)
    return text[start:end]


def replace_span(text: str, path: Path, new: str) -> str:
    """Return ``text`` with the node at ``path`` replaced by a text that :func:`span` gave.

    Raises:
        CannotEditError: it is not there, or not plain.
    """
    start, end = _extent(text, path)
    return text[:start] + new + text[end:]


def _extent(text: str, path: Path) -> tuple[int, int]:
    """Return where a node starts and ends, from right behind its key's colon."""
    found = find(text, path)
    if found is None or found.path != path:
        raise CannotEditError(f"{'.'.join(path)} is not in it")
    node = found.node
    if node.kind == "list" and not node.flow and node.children:
        return found.after, _line_end(text, node.children[-1].end)
    return found.after, node.end


def _flow(items: Sequence[str]) -> str:
    return "[" + ", ".join(document.scalar(item) for item in items) + "]"


def _reused(text: str, old: Sequence[Node], items: Sequence[str]) -> list[tuple[str, Node | None]]:
    """Return each item with the node that says it already, in order."""
    left = list(old)
    said = {id(node): _said(text[node.start : node.end]) for node in old}
    texts: list[tuple[str, Node | None]] = []
    for item in items:
        same = next((node for node in left if said[id(node)] == item), None)
        if same is not None:
            left.remove(same)
        texts.append((item, same))
    return texts


def _said(source: str) -> str | None:
    """Return what ``ros`` makes of an item's source text; None where that is not one scalar."""
    try:
        item = parse(f"item: {source}\n".encode("utf-8", "surrogateescape"))["item"]
    except (UnusableError, KeyError):
        return None
    return None if isinstance(item, list | dict) else text_of(item)


def _with_block(text: str, found: Found, texts: Sequence[tuple[str, Node | None]]) -> str:
    node, name = found.node, ".".join(found.path)
    newline = "\r\n" if "\r\n" in text else "\n"
    indent = text[_line_start(text, node.start) : node.start]
    if indent.strip(" "):
        raise CannotEditError(f"{name} starts on the line of its key")
    starts = [_line_start(text, child.start) for child in node.children]
    for start, child in zip(starts, node.children, strict=True):
        if not re.fullmatch(r" *- +", text[start : child.start]):
            raise CannotEditError(f"{name} has an item that is not on its dash's line")
    end = _line_end(text, node.children[-1].end)
    segments = {
        id(child): text[start:stop]
        for child, (start, stop) in zip(node.children, pairwise([*starts, end]), strict=True)
    }
    if not texts:
        return text[: found.after] + " []" + text[found.after : starts[0]] + text[end:]
    lines = ""
    for item, old in texts:
        line = segments[id(old)] if old else f"{indent}- {document.scalar(item)}{newline}"
        lines += line if line.endswith("\n") else line + newline
    return text[: starts[0]] + lines + text[end:]


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    """Return the start of the next line, or the end of the text; ``index`` may be it already."""
    if index and text[index - 1] == "\n":
        return index
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1
