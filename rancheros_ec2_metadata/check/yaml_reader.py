"""A file's YAML as ``ros`` reads it: its values, each with its line, and what is lost.

``ros`` parses with candiedyaml, a port of libyaml 0.1, writes the result out again, and parses
that. Source: docs/rancheros.md, and candiedyaml's resolver.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import yaml

from rancheros_ec2_metadata.check.finding import Found
from rancheros_ec2_metadata.hosts.rancheros.ros import Tree

Kind: TypeAlias = Literal["text", "flag", "number", "null", "address", "list", "map"]

# `ros` replaces these in the bare text, by nothing if the machine has no such address.
ADDRESS = re.compile(r"\$(?:private|public)_ipv[46]")
_NULLS = ("~", "null", "Null", "NULL")
FLAGS = {"y": True, "yes": True, "true": True, "on": True}
FLAGS |= {"n": False, "no": False, "false": False, "off": False}

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DEEPEST = 100  # lists and maps in each other
_MOST_VALUES = 100_000
_NUMBER = re.compile(
    r"[-+]?0[xX][0-9a-fA-F]+|[-+]?0o[0-7]+|[-+]{0,2}([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|nan)|[-+](inf|nan|infinity)",
    re.IGNORECASE,
)
_ASCII = re.compile(r"[\t\n\r -~]*")


@dataclass(slots=True)
class Node:
    """A value of the file.

    Args:
        kind: its type, as ``ros`` has it; ``address`` is nothing but addresses without quotes.
        line: of its key, or where the item of a list begins; from 1.
        text: of a scalar, as it is between its quotes; empty for a null.
        items: of a list.
        fields: of a map.
        size: how many values it has, with each alias taken for what it stands for.
        height: how many lists and maps in each other, likewise.
    """

    kind: Kind
    line: int = 1
    text: str = field(default="", repr=False)
    items: list[Node] = field(default_factory=list)
    fields: dict[str, Node] = field(default_factory=dict)
    size: int = 1
    height: int = 0

    def at(self, *path: str) -> Node:
        """Return what is at a path; a null with the line of what is above it if nothing is."""
        node = self
        for key in path:
            node = node.fields.get(key) or Node("null", node.line)
        return node

    @property
    def is_scalar(self) -> bool:
        """Whether it is neither a list nor a map."""
        return self.kind not in ("list", "map")

    @property
    def tree(self) -> Tree:
        """It as ``ros config get`` would print it: texts, lists and maps."""
        if self.kind == "list":
            return [item.tree for item in self.items]
        if self.kind == "map":
            return {key: value.tree for key, value in self.fields.items()}
        return self.text


@dataclass
class Document:
    """The first document of a file.

    Args:
        root: a map; an empty one where there is a problem.
        problem: why ``ros`` cannot read it.
        repeated: the line and the text of a key that its map has already, and the first's line.
        second: the line where a second document begins.
        lost: the line of each key or value with a character that ``ros`` loses, and this.
    """

    root: Node = field(default_factory=lambda: Node("map"))
    problem: Found | None = None
    repeated: list[tuple[int, str, int]] = field(default_factory=list)
    second: int | None = None
    lost: list[tuple[int, str]] = field(default_factory=list)


class _UnreadableError(ValueError):
    def __init__(self, line: int, what: str, why: str = "") -> None:
        super().__init__(what)
        self.problem = Found(line, what, why=why)


def read(raw: bytes) -> Document:
    """Return the first document of a file."""
    document, lines = Document(), 0
    try:
        # All line ends are one in YAML, but libyaml and PyYAML count them differently.
        text = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        # As ros does it (config/cloudinit/initialize/env.go): \$private_ipv4 is the way round it.
        text = re.sub(rf"\\(?={ADDRESS.pattern})", "", text)
        lines = text.count("\n")
        document.root = _Reader(text, document).read()
    except _UnreadableError as error:
        document.problem = error.problem
    except UnicodeDecodeError:
        document.problem = Found(1, "it is not UTF-8")
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = min(mark.line, lines) + 1 if mark else 1
        document.problem = Found(line, "it is not YAML as ros reads it")
    return document


class _Reader:
    """Makes nodes of PyYAML's events; an alias is the node itself, so that no bomb goes off."""

    def __init__(self, text: str, document: Document) -> None:
        self._document = document
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, Node] = {}

    def read(self) -> Node:
        root = None
        for event in self._events:
            line = event.end_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                if root:
                    self._document.second = line
                    break
                root = self._node(next(self._events), line, 0, in_flow=False)
        root = root or Node("null")
        if root.kind != "map":
            what = "there is nothing in it" if root.kind == "null" else "it is not a map"
            raise _UnreadableError(root.line, what)
        return root

    def _node(self, event: Any, line: int, depth: int, *, in_flow: bool) -> Node:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _UnreadableError(line, "there is an alias without its anchor")
            return replace(self._anchors[event.anchor], line=line)
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, line, in_flow=in_flow)
        else:
            is_map = isinstance(event, yaml.MappingStartEvent)
            node = Node("map" if is_map else "list", line)
            self._fill(node, depth + 1, in_flow=in_flow or bool(event.flow_style))
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _fill(self, node: Node, depth: int, *, in_flow: bool) -> None:
        _check_size(node, depth)
        for event in self._events:
            if isinstance(event, yaml.CollectionEndEvent):
                return
            line = event.start_mark.line + 1
            value = self._node(event, line, depth, in_flow=in_flow)
            if node.kind == "list":
                node.items.append(value)
            elif value.is_scalar:
                key = value.text
                value = self._node(next(self._events), line, depth, in_flow=in_flow)
                if former := node.fields.pop(key, None):
                    self._document.repeated.append((line, key, former.line))
                node.fields[key] = value
            else:
                why = "every call of ros fails, and with it the boot"
                raise _UnreadableError(line, "a list or a map is used as a key", why)
            node.size += value.size
            node.height = max(node.height, value.height + 1)
            _check_size(node, depth)

    def _scalar(self, event: Any, line: int, *, in_flow: bool) -> Node:
        text: str = event.value
        lost = next(filter(_is_lost, "" if _ASCII.fullmatch(text) else text), "")
        if lost:
            self._document.lost.append((line, lost))
        if event.style not in (None, ""):
            return Node("text", line, text)
        if in_flow and (":" in text or "?" in text):  # libyaml 0.1 stops there
            raise _UnreadableError(line, "there is a ':' or '?' that needs quotes")
        if text in ("", *_NULLS):
            return Node("null", line)
        kind: Kind = "text"
        if text.lower() in FLAGS:
            kind = "flag"
        elif _NUMBER.fullmatch(text):
            kind = "number"
        elif not ADDRESS.sub("", text):
            kind = "address"
        return Node(kind, line, text)


def _check_size(node: Node, depth: int) -> None:
    if depth + node.height > _DEEPEST or node.size > _MOST_VALUES:
        what = f"there are more than {_DEEPEST} lists and maps in each other, or {_MOST_VALUES}"
        why = "RancherOS may load it, but this program cannot follow it"
        raise _UnreadableError(node.line, f"{what} values", why)


def _is_lost(character: str) -> bool:
    """Tell whether ``ros`` loses a file, or fails in every call, for a character.

    Its emitter writes a hexadecimal digit 0 to 9 of its number as another character.
    """
    if _ASCII.fullmatch(character) or character in "\x85\xa0\u2028\u2029":
        return False
    digits = f"{ord(character):02X}" if character <= "\xff" else f"{ord(character):04X}"
    return not "\xa0" < character <= "\ufffd" or not digits.isalpha()
