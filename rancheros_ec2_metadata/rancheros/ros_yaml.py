"""One file's text as ``ros`` loads it: its YAML, and what is lost on the way.

``ros`` replaces the address variables in the raw text, parses it with candiedyaml (a port of
libyaml 0.1), writes the result out again, and parses that. So some files are lost whole for a
single character (see `characters`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, TypeAlias

import yaml

from rancheros_ec2_metadata.rancheros.characters import Fate, first_with
from rancheros_ec2_metadata.rancheros.pure_yaml import PureLoader
from rancheros_ec2_metadata.rancheros.ros_scalars import Scalar, plain, text_of

Node: TypeAlias = "Scalar | list[Node] | dict[str, Node]"

# The values of these are not ours to know, so each is one character in the model, which
# `document` turns back into the variable. No file can hold them: `ros` loses a file that does.
ADDRESS_VARIABLES = {
    "\U0010fff0": "$private_ipv4",
    "\U0010fff1": "$public_ipv4",
    "\U0010fff2": "$private_ipv6",
    "\U0010fff3": "$public_ipv6",
}

PLACEHOLDER_PATTERN = f"[{''.join(ADDRESS_VARIABLES)}]"

_FORGED = re.compile(r"[\U0010fff0-\U0010fff3]|\\U0010[fF]{3}[0-3]")
_BINARY = ("!binary", "tag:yaml.org,2002:binary")
_DEEPEST = 100  # nested lists and maps
_MOST_NODES = 200_000

_CLoader: Any = getattr(yaml, "CBaseLoader", PureLoader)


class Outcome(Enum):
    """What a text that the model cannot use does to ``ros``."""

    SKIPPED = "ros logs an error and goes on without the file (before v0.5: without anything)"
    FATAL = "every call of ros fails"
    UNKNOWN = "ros may load it, we cannot"


class UnusableError(ValueError):
    """A text that ``ros`` does not load, or that cannot be followed; the message is why."""

    def __init__(
        self, why: str, outcome: Outcome = Outcome.SKIPPED, line: int | None = None
    ) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.line = line


@lru_cache(maxsize=16)
def parse(raw: bytes, loader: Any = _CLoader) -> dict[str, Node]:
    """Return the first document of a file: a map, empty for an empty file; not to be changed.

    One run looks at the same files several times, so the last few are remembered.

    Args:
        raw: the file.
        loader: a PyYAML loader to take events from; libyaml's where PyYAML has it.

    Raises:
        UnusableError: ``ros`` does not load it, or we cannot follow it.
    """
    if not raw:
        return {}
    document = _document(text_as_read(raw), loader)
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UnusableError("it is not a map")
    return document


def text_as_read(raw: bytes) -> str:
    """Return the text of a file as its YAML is read: the address variables are placeholders.

    Raises:
        UnusableError: ``ros`` does not load it.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableError("it is not UTF-8") from None
    if _FORGED.search(text):
        raise UnusableError("it holds a character above U+FFFF")
    return _with_placeholders(text)


def events(text: str, loader: Any = _CLoader) -> Iterator[Any]:
    """Yield PyYAML's events of a text that :func:`text_as_read` gave.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.parse(_with_one_line_end(text), Loader=loader)


def parse_value(text: str, loader: Any = _CLoader) -> Node:
    """Return a value of the kernel command line: YAML, else the text itself."""
    # `ros` hides these three from the YAML parser, so that URLs in [] need no quotes.
    hidden = str.maketrans({"\n": "\ue000", ":": "\ue001", "?": "\ue002"})
    shown = str.maketrans({"\ue000": "\n", "\ue001": ":", "\ue002": "?"})
    if not text:
        return None
    try:
        value = _document(text.translate(hidden), loader, check=False)
    except UnusableError:
        return text
    return _translated(value, shown)


def _translated(node: Node, table: dict[int, str]) -> Node:
    match node:
        case str():
            return node.translate(table)
        case list():
            return [_translated(item, table) for item in node]
        case dict():
            return {k.translate(table): _translated(v, table) for k, v in node.items()}
    return node


def _with_placeholders(text: str) -> str:
    r"""Do with the address variables what ``ros`` does; ``\$private_ipv4`` is the way round it."""
    for placeholder, variable in ADDRESS_VARIABLES.items():
        if variable not in text:
            continue
        text = re.sub(rf"([^\\]|^)\{variable}", rf"\1{placeholder}", text)
        text = text.replace(f"\\{variable}", variable)
    return text


def _with_one_line_end(text: str) -> str:
    # All line ends are one in YAML, but libyaml and PyYAML count them differently.
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass()
class _Open:
    """A list or map whose end has not been seen."""

    node: list[Node] | dict[str, Node]
    anchor: str | None
    flow: bool
    has_key: bool = False
    key: str | None = None  # None also for one that is no text

    def add(self, node: Node) -> None:
        if isinstance(self.node, list):
            self.node.append(node)
        elif not self.has_key:
            self.has_key = True
            self.key = None if isinstance(node, list | dict) else text_of(node)
        elif self.key is None:
            # Go cannot use one as a key of a map, and the process ends.
            raise UnusableError("a list or a map is used as a key", Outcome.FATAL)
        else:
            self.has_key = False
            self.node[self.key] = node


@dataclass()
class _Tree:
    """Events put together; an alias is the node itself, so that no bomb goes off."""

    text: str
    check: bool
    root: Node = None
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    nodes: int = 0

    def take(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._place(self._scalar(event), event.anchor)
            case yaml.AliasEvent():
                if event.anchor not in self.anchors:
                    raise _at("an alias without its anchor", event)
                self._place(self.anchors[event.anchor], None)
            case yaml.SequenceStartEvent():
                self._begin(event, [])
            case yaml.MappingStartEvent():
                self._begin(event, {})
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                closed = self.open.pop()
                self._place(closed.node, closed.anchor)

    def _begin(self, event: Any, node: list[Node] | dict[str, Node]) -> None:
        if len(self.open) == _DEEPEST:
            raise UnusableError(f"it is nested deeper than {_DEEPEST} levels", Outcome.UNKNOWN)
        flow = bool(event.flow_style) or self._in_flow()
        self.open.append(_Open(node, event.anchor, flow))

    def _place(self, node: Node, anchor: str | None) -> None:
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            raise UnusableError(f"it has more than {_MOST_NODES} nodes", Outcome.UNKNOWN)
        if anchor:
            self.anchors[anchor] = node
        if self.open:
            self.open[-1].add(node)
        else:
            self.root = node

    def _scalar(self, event: Any) -> Scalar:
        text: str = event.value
        if not (text or self.open):
            raise UnusableError("there is nothing in it")
        if event.style in (None, "") and self._in_flow() and self._ends_early(event):
            raise _at("a ':' or '?' that needs quotes", event)
        if event.tag in _BINARY:
            return _decoded(text)
        lost = first_with((Fate.LOST,), text) if self.check else None
        if lost:
            why = ", which ros cannot read back: only ASCII is safe in keys and values"
            raise _at(f"U+{ord(lost):04X}", event, why)
        # A tag says nothing to `ros` but that quotes do not count.
        return plain(text) if event.implicit[0] or event.tag else text

    def _ends_early(self, event: Any) -> bool:
        """Tell whether libyaml 0.1 stops here: in ``[a:b]``, ``{a:}``, ``[a?b]``."""
        if ":" in event.value or "?" in event.value:
            return True
        after = self.text[event.end_mark.index : event.end_mark.index + 2]
        return after[:1] == ":" and after[1:] not in ("", " ", "\t", "\n")

    def _in_flow(self) -> bool:
        return bool(self.open) and self.open[-1].flow


def _document(text: str, loader: Any, *, check: bool = True) -> Node:
    text = _with_one_line_end(text)
    tree = _Tree(text, check)
    documents = 0
    try:
        for event in events(text, loader):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    break
                if event.version not in (None, (1, 1)):
                    raise _at("a %YAML directive other than 1.1", event)
            tree.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        where = f" in line {line}" if line else ""
        raise UnusableError(f"it is not YAML as ros reads it{where}", line=line) from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, UnusableError):
            raise
        raise UnusableError("it is not YAML as ros reads it") from None
    if not documents:
        raise UnusableError("there is nothing in it")
    return tree.root


def _decoded(text: str) -> str:
    try:
        data = base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)
    except binascii.Error:
        return text
    return data.decode("utf-8", "replace")


def _at(what: str, event: Any, why: str = "") -> UnusableError:
    line = event.start_mark.line + 1
    return UnusableError(f"{what} in line {line}{why}", line=line)
