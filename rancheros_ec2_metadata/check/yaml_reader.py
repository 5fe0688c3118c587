"""A file's YAML as ``ros`` reads it: its values, each with its line, and what is lost.

``ros`` parses with candiedyaml, a port of libyaml 0.1, writes the result out again, and parses
that. Source: docs/rancheros.md, and candiedyaml's resolver.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
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
_MOST_VALUES = 100_000  # with each alias taken for what it stands for
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
    """

    kind: Kind
    line: int = 1
    text: str = field(default="", repr=False)
    items: list[Node] = field(default_factory=list)
    fields: dict[str, Node] = field(default_factory=dict)

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
    document = Document()
    lines = 0
    try:
        text = raw.decode("utf-8-sig")
        # All line ends are one in YAML, but libyaml and PyYAML count them differently.
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        # As ros does it (config/cloudinit/initialize/env.go): \$private_ipv4 is the way round it.
        text = re.sub(rf"\\(?={ADDRESS.pattern})", "", text)
        lines = text.count("\n")
        end, document.second = _first_document(text)
        document.root = _Builder(document).root(yaml.compose(text[:end], Loader=_LOADER))
    except _UnreadableError as error:
        document.problem = error.problem
    except UnicodeDecodeError:
        document.problem = Found(1, "it is not UTF-8")
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = min(mark.line, lines) + 1 if mark else 1
        document.problem = Found(line, "it is not YAML as ros reads it")
    return document


def _first_document(text: str) -> tuple[int, int | None]:
    """Return where the first document ends, and the line where a second one begins.

    Raises:
        _UnreadableError: it goes deeper than can be followed, or libyaml 0.1 stops in it.
        yaml.YAMLError: it is no YAML.
    """
    documents, in_flow = 0, [False]
    events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
    for event in events:
        start, end = event.start_mark, event.end_mark
        match event:
            case yaml.DocumentStartEvent():
                documents += 1
                if documents > 1:
                    return start.index, start.line + 1
            case yaml.CollectionStartEvent():
                in_flow.append(in_flow[-1] or bool(event.flow_style))
                _check_size(start.line + 1, depth=len(in_flow) - 1)
            case yaml.CollectionEndEvent():
                in_flow.pop()
            case yaml.ScalarEvent() if in_flow[-1] and event.style in (None, ""):
                # In [a:b], {a:} and [a?b] libyaml 0.1 stops.
                after = text[end.index : end.index + 2]
                is_key = after[:1] == ":" and after[1:] not in ("", " ", "\t", "\n")
                if is_key or ":" in event.value or "?" in event.value:
                    raise _UnreadableError(start.line + 1, "there is a ':' or '?' that needs quotes")
    return len(text), None


def _check_size(line: int, *, depth: int, values: int = 0) -> None:
    if depth > _DEEPEST or values > _MOST_VALUES:
        what = f"there are more than {_DEEPEST} lists and maps in each other, or {_MOST_VALUES}"
        why = "RancherOS may load it, but this program cannot follow it"
        raise _UnreadableError(line, f"{what} values", why)


class _Builder:
    """Makes nodes; of an alias it makes new ones, until there are too many."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0

    def root(self, found: yaml.Node | None) -> Node:
        root = self._node(found, 1, 0) if found else Node("null")
        if root.kind != "map":
            what = "there is nothing in it" if root.kind == "null" else "it is not a map"
            raise _UnreadableError(root.line, what)
        return root

    def _node(self, found: yaml.Node, line: int, depth: int) -> Node:
        self._values += 1
        _check_size(line, depth=depth, values=self._values)
        if isinstance(found, yaml.ScalarNode):
            return self._scalar(found, line)
        node = Node("map" if isinstance(found, yaml.MappingNode) else "list", line)
        for one in found.value:
            key = one[0] if node.kind == "map" else one
            at = key.start_mark.line + 1
            if node.kind == "list":
                node.items.append(self._node(one, at, depth + 1))
                continue
            if not isinstance(key, yaml.ScalarNode):
                why = "every call of ros fails, and with it the boot"
                raise _UnreadableError(at, "a list or a map is used as a key", why)
            name = self._scalar(key, at).text
            former = node.fields.pop(name, None)
            if former:
                self._document.repeated.append((at, name, former.line))
            node.fields[name] = self._node(one[1], at, depth + 1)
        return node

    def _scalar(self, found: yaml.ScalarNode, line: int) -> Node:
        text: str = found.value
        lost = next(filter(_is_lost, "" if _ASCII.fullmatch(text) else text), "")
        if lost:
            self._document.lost.append((line, lost))
        if found.style not in (None, ""):
            return Node("text", line, text)
        if text in ("", *_NULLS):
            return Node("null", line)
        kind: Kind = "text"
        if text.lower() in FLAGS:
            kind = "flag"
        elif _NUMBER.fullmatch(text.replace("_", "")):
            kind = "number"
        elif not ADDRESS.sub("", text):
            kind = "address"
        return Node(kind, line, text)


def _is_lost(character: str) -> bool:
    """Tell whether ``ros`` loses a file, or fails in every call, for a character.

    Its emitter writes a hexadecimal digit 0 to 9 of its number as another character.
    """
    if _ASCII.fullmatch(character) or character in "\x85\xa0\u2028\u2029":
        return False
    digits = f"{ord(character):02X}" if character <= "\xff" else f"{ord(character):04X}"
    return not "\xa0" < character <= "\ufffd" or not digits.isalpha()
