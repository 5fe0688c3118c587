"""The lists of cloud-config.yml, each changed in the text, all else byte for byte.

The file is the operator's, and the system's, which keeps private keys in it: it is never
re-serialised here. A node is found by its span in the text; what is not plain enough to be changed
without a doubt is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from rancheros_ec2_metadata.rancheros.ros_scalars import text_of
from rancheros_ec2_metadata.rancheros.ros_yaml import UnusableError, parse
from rancheros_ec2_metadata.rancheros.yaml_nodes import (
    CannotEditError,
    Found,
    Node,
    Path,
    find,
    line_end,
    line_start,
    quoted,
)


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
            new = f"{{{quoted(key)}: {new}}}"
        space = "" if text[found.after : node.start] else " "
        return text[: node.start] + space + new + text[node.end :]
    if node.kind != "list":
        raise CannotEditError(f"{'.'.join(path)} is not a list")
    for item in node.children:
        if item.kind != "scalar" or not item.plain:
            raise CannotEditError(f"{'.'.join(path)} has an item that is no plain text")
    texts = _reused(text, node.children, items)
    if node.flow:
        inside = (quoted(item) if old is None else text[old.start : old.end] for item, old in texts)
        return text[: node.start] + "[" + ", ".join(inside) + "]" + text[node.end :]
    return _with_block(text, found, texts)


def span(text: str, path: Path) -> str:
    """Return the text of the node at ``path``; of a block list, of its lines.

    Raises:
        CannotEditError: it is not there, or not plain.
    """
    start, end = _extent(text, path)
    return text[start:end]


def span_with(text: str, path: Path, items: Sequence[str]) -> str:
    """Return what :func:`replace_span` needs for the list at ``path`` to be ``items``.

    Raises:
        CannotEditError: it is not there, or not plain.
    """
    start, end = _extent(text, path)
    changed = set_list(text, path, items)
    return changed[start : len(changed) - len(text) + end]


def replace_span(text: str, path: Path, new: str) -> str:
    """Return ``text`` with the node at ``path`` replaced by a text that :func:`span` gave.

    Raises:
        CannotEditError: it is not there, or not plain.
    """
    start, end = _extent(text, path)
    if new.endswith("\n") and not text[start:end].endswith("\n"):
        end = line_end(text, end)  # a block list that had become empty: it brings its last line end
    return text[:start] + new + text[end:]


def _extent(text: str, path: Path) -> tuple[int, int]:
    """Return where a node starts and ends, from right behind its key's colon."""
    found = find(text, path)
    if found is None or found.path != path:
        raise CannotEditError(f"{'.'.join(path)} is not in it")
    node = found.node
    if node.kind == "list" and not node.flow and node.children:
        return found.after, line_end(text, node.children[-1].end)
    return found.after, node.end


def _flow(items: Sequence[str]) -> str:
    return "[" + ", ".join(quoted(item) for item in items) + "]"


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
    indent = text[line_start(text, node.start) : node.start]
    if indent.strip(" "):
        raise CannotEditError(f"{name} starts on the line of its key")
    starts = [line_start(text, child.start) for child in node.children]
    for start, child in zip(starts, node.children, strict=True):
        if not re.fullmatch(r" *- +", text[start : child.start]):
            raise CannotEditError(f"{name} has an item that is not on its dash's line")
    end = line_end(text, node.children[-1].end)
    segments = {
        id(child): text[start:stop]
        for child, (start, stop) in zip(node.children, pairwise([*starts, end]), strict=True)
    }
    if not texts:
        return text[: found.after] + " []" + text[found.after : starts[0]] + text[end:]
    lines = ""
    for item, old in texts:
        line = segments[id(old)] if old else f"{indent}- {quoted(item)}{newline}"
        lines += line if line.endswith("\n") else line + newline
    return text[: starts[0]] + lines + text[end:]
