"""A file's YAML as ``ros`` reads it: its nodes, each with its line, and what is lost.

``ros`` parses with candiedyaml, a port of libyaml 0.1, writes the result out again, and parses
that. Source of what follows: docs/rancheros.md, and candiedyaml's resolver.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import yaml

from rancheros_ec2_metadata.check.finding import Found

Kind = Literal["text", "flag", "number", "null", "list", "map"]

# As text these arrive as the empty text, even in quotes.
NULLS = ("~", "null", "Null", "NULL")
TRUE = ("y", "yes", "true", "on")
FALSE = ("n", "no", "false", "off")

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DEEPEST = 100  # lists and maps in each other
_MOST_NODES = 200_000  # with each alias taken for what it stands for
_NUMBER = re.compile(
    r"[-+]?0[xX][0-9a-fA-F]+|[-+]?0o[0-7]+|[-+]{0,2}([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|nan)|[-+](inf|nan|infinity)",
    re.IGNORECASE,
)
_TIME = re.compile(r"\d{4}-\d\d?-\d\d?(([Tt]|[ \t]+)\d\d?:\d\d:\d\d.*)?", re.ASCII)
# Of the numbers, flags and times, those that come out as they went in.
_SAME = re.compile(
    r"true|false|0|-?[1-9][0-9]{0,17}|-?[1-9][0-9]{0,5}\.[0-9]{0,9}[1-9]"
    r"|-?0\.0{0,3}[1-9](?:[0-9]{0,9}[1-9])?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    re.ASCII,
)
_ASCII = re.compile(r"[\t\n\r -~]*")
_KEPT = "\x85\xa0\u2028\u2029"


@dataclass
class Node:
    """A value of the file, typed as ``ros`` types it.

    Args:
        kind: its type.
        line: of its key, or where the item of a list begins; from 1.
        text: of a scalar, as it is between its quotes; empty for a null.
        quoted: it is a text, whatever is in it.
        items: of a list.
        fields: of a map.
        size: how many nodes it has, and
        height: how many lists and maps in each other, with aliases taken for what they stand for.
    """

    kind: Kind
    line: int = 1
    text: str = field(default="", repr=False)
    quoted: bool = False
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
    def is_true(self) -> bool:
        """Whether ``ros`` takes it for true where it wants a flag."""
        return self.text.lower() in TRUE

    @property
    def arrives_changed(self) -> bool:
        """Whether ``ros`` passes it on as another text, where a text is wanted."""
        if self.quoted:
            return self.text in NULLS
        is_typed = self.kind in ("flag", "number") or _TIME.fullmatch(self.text)
        return bool(is_typed) and not _SAME.fullmatch(self.text)

    def scalars(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Yield the scalars in it, each with its path; items of a list have that of the list."""
        if self.is_scalar:
            yield path, self
        for item in self.items:
            yield from item.scalars(path)
        for key, value in self.fields.items():
            yield from value.scalars((*path, key))


@dataclass
class Document:
    """The first document of a file.

    Args:
        root: a map; an empty one where there is a problem.
        problem: why ``ros`` cannot read it.
        repeated: the line and the text of a key that its map has already, and the first's line.
        second: the line where a second document begins.
        texts: the line of each text with a character that ``ros`` may lose, the text, and the key
            at the top of the file that it is under.
    """

    root: Node = field(default_factory=lambda: Node("map"))
    problem: Found | None = None
    repeated: list[tuple[int, str, int]] = field(default_factory=list)
    second: int | None = None
    texts: list[tuple[int, str, str]] = field(default_factory=list)


class _UnreadableError(ValueError):
    def __init__(self, line: int, what: str, why: str = "") -> None:
        super().__init__(what)
        self.problem = Found(line, what, why=why)


def read(text: str) -> Document:
    """Return the first document of a file."""
    # All line ends are one in YAML, but libyaml and PyYAML count them differently.
    builder = _Builder(text.replace("\r\n", "\n").replace("\r", "\n"))
    document, root = builder.document, None
    try:
        for event in yaml.parse(builder.text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent) and root:
                document.second = builder.line(event)
                break
            root = builder.take(event) or root
        document.root = _as_map(root)
    except _UnreadableError as error:
        document.problem = error.problem
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = min(mark.line, builder.text.count("\n")) + 1 if mark else 1
        if root and root.kind == "map":  # what is wrong behind the first document hurts nobody
            document.root, document.second = root, line
        else:
            document.problem = Found(line, "it is not YAML as ros reads it")
    return document


def _as_map(root: Node | None) -> Node:
    if root is None or root.kind == "null":
        raise _UnreadableError(1, "there is nothing in it")
    if root.kind != "map":
        raise _UnreadableError(root.line, "it is not a map")
    return root


def first_lost(text: str, *, fatal: bool) -> str:
    """Return the first character of a key or a value that ``ros`` loses, empty if there is none.

    Its emitter writes a hexadecimal digit 0 to 9 as another character: with 3 to 9 the file is
    lost, with 0 to 2 every ``ros config get`` fails (``fatal`` finds these too).
    """
    if _ASCII.fullmatch(text):
        return ""
    return next((one for one in text if _is_lost(one, "3456789" + "012" * fatal)), "")


def _is_lost(character: str, lost_digits: str) -> bool:
    point = ord(character)
    if _ASCII.fullmatch(character) or character in _KEPT:
        return False
    if not 0xA0 < point <= 0xFFFD or 0xD800 <= point <= 0xDFFF:
        return True
    return bool(set(lost_digits) & set(f"{point:X}" if point <= 0xFF else f"{point:04X}"))


@dataclass
class _Open:
    """A list or a map whose end is not seen; ``key`` is that of the next value."""

    node: Node
    anchor: str | None
    in_flow: bool
    key: Node | None = None


class _Builder:
    """Puts nodes together from events; an alias is the node itself, so that no bomb goes off."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.document = Document()
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}

    def line(self, event: Any) -> int:
        """Return the line of an event, from 1."""
        return int(event.start_mark.line) + 1

    def take(self, event: Any) -> Node | None:
        """Return the root once it is whole."""
        line = self.line(event)
        in_flow = bool(self._open) and self._open[-1].in_flow
        match event:
            case yaml.DocumentStartEvent() if event.version not in (None, (1, 1)):
                raise _UnreadableError(line, "there is a %YAML directive other than 1.1")
            case yaml.ScalarEvent():
                if in_flow and event.style in (None, "") and self._ends_early(event):
                    raise _UnreadableError(line, "there is a ':' or '?' that needs quotes")
                return self._place(_scalar(event, line), event.anchor)
            case yaml.AliasEvent():
                if str(event.anchor) not in self._anchors:
                    raise _UnreadableError(line, "there is an alias without its anchor")
                return self._place(replace(self._anchors[str(event.anchor)], line=line), None)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                kind: Kind = "list" if isinstance(event, yaml.SequenceStartEvent) else "map"
                self._check_size(node := Node(kind, line))
                self._open.append(_Open(node, event.anchor, in_flow or bool(event.flow_style)))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                closed = self._open.pop()
                return self._place(closed.node, closed.anchor)
        return None

    def _check_size(self, node: Node) -> None:
        if len(self._open) + node.height >= _DEEPEST or node.size > _MOST_NODES:
            what = f"there are more than {_DEEPEST} lists and maps in each other, or {_MOST_NODES}"
            why = "RancherOS may load it, but this program cannot follow it"
            raise _UnreadableError(node.line, f"{what} values", why)

    def _ends_early(self, event: Any) -> bool:
        """Tell whether libyaml 0.1 stops here: in ``[a:b]``, ``{a:}``, ``[a?b]``."""
        after = self.text[event.end_mark.index : event.end_mark.index + 2]
        is_key = after[:1] == ":" and after[1:] not in ("", " ", "\t", "\n")
        return is_key or ":" in event.value or "?" in event.value

    def _place(self, node: Node, anchor: str | None) -> Node | None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            return node
        inner = self._open[-1]
        is_key = inner.node.kind == "map" and inner.key is None
        if first_lost(node.text, fatal=True):
            top = self._open[0].key or (node if is_key else Node("null"))
            self.document.texts.append((node.line, node.text, top.text))
        if is_key:
            inner.key = node
            return None
        if inner.key is None:
            inner.node.items.append(node)
        else:
            self._add(inner.node, inner.key, node)
            inner.key = None
        inner.node.size += node.size
        inner.node.height = max(inner.node.height, node.height + 1)
        self._check_size(replace(node, size=inner.node.size))
        return None

    def _add(self, inner: Node, key: Node, node: Node) -> None:
        if not key.is_scalar:
            why = "every call of ros fails, and with it the boot"
            raise _UnreadableError(key.line, "a list or a map is used as a key", why)
        node.line = key.line
        former = inner.fields.pop(key.text, None)
        if former:
            self.document.repeated.append((key.line, key.text, former.line))
        inner.fields[key.text] = node


def _scalar(event: Any, line: int) -> Node:
    text: str = event.value
    # A tag says nothing to `ros` but that quotes do not count.
    if not (event.implicit[0] or event.tag):
        return Node("text", line, text, quoted=True)
    if text in ("", *NULLS):
        return Node("null", line)
    if text.lower() in (*TRUE, *FALSE):
        return Node("flag", line, text)
    return Node("number" if _NUMBER.fullmatch(text.replace("_", "")) else "text", line, text)
