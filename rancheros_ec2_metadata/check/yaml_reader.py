"""A file's YAML as ``ros`` reads it: its values, each with its line, and what is lost.

``ros`` parses with candiedyaml, a port of libyaml 0.1, writes the result out again, and parses
that. Source: docs/rancheros.md, and candiedyaml's resolver.go.
"""

from __future__ import annotations

import re
import shlex
import string
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import yaml
from yaml.composer import Composer
from yaml.resolver import BaseResolver

from rancheros_ec2_metadata.check.finding import Finding, finding
from rancheros_ec2_metadata.errors import quote

Kind: TypeAlias = Literal["text", "flag", "number", "null", "address", "list", "map"]

# `ros` replaces these in the bare text, by nothing if the machine has no such address.
ADDRESS = re.compile(r"\$(?:private|public)_ipv[46]")
FLAGS = {"y": True, "yes": True, "true": True, "on": True}
FLAGS |= {"n": False, "no": False, "false": False, "off": False}

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DEEPEST = 100  # depth of nested lists and maps
_MOST_VALUES = 100_000  # with aliases expanded
_NUMBER = re.compile(
    r"[-+]{0,2}(0x[0-9a-f]+|0o[0-7]+|([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?|\.(inf|nan))",
    re.IGNORECASE,
)
_KEPT = frozenset(string.printable) - set("\v\f") | set("\x85\xa0\u2028\u2029")


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
    def words(self) -> list[str] | None:
        """The words of a command, which is a list or a text; None if a quote in it is open."""
        try:
            return shlex.split(self.text) or [item.text for item in self.items]
        except ValueError:
            return None


def read(raw: bytes) -> tuple[Node, list[Finding]]:
    """Return a file's first document, an empty map if it cannot be read, and what is wrong."""
    reader = _Reader()
    try:
        # As ros does it (config/cloudinit/initialize/env.go): \$private_ipv4 is the way round it.
        text = re.sub(rf"\\(?={ADDRESS.pattern})", "", raw.decode("utf-8-sig"))
        return reader.read(text), reader.found
    except _UnreadableError as error:
        problem = finding("not-read", *error.args)
    except UnicodeDecodeError:
        problem = finding("not-read", 1, "it is not UTF-8")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        problem = finding("not-read", line, "it is not YAML as ros reads it")
    return Node("map"), [*reader.found, problem]


class _UnreadableError(ValueError):
    """Nothing of the file can be read; its arguments are those of the finding."""


class _Reader(Composer, BaseResolver):
    """Composes what libyaml parses, makes nodes of it, and finds what they do not show.

    libyaml's own composer ends the process where lists are nested some ten thousand deep.
    """

    def __init__(self) -> None:
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self.found: list[Finding] = []
        self._values = 0

    def read(self, text: str) -> Node:
        parser = _LOADER(text)
        self.check_event, self.peek_event = parser.check_event, parser.peek_event
        self.get_event = parser.get_event
        root = self._make_node(self.get_node()) if self.check_node() else Node("null")
        if self.check_node():
            line = parser.peek_event().start_mark.line + 1
            self.found.append(finding("several-documents", line, "a second YAML document begins"))
        if root.kind != "map":
            what = "there is nothing in it" if root.kind == "null" else "it is not a map"
            raise _UnreadableError(root.line, what)
        return root

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.ScalarEvent):
            event: Any = self.peek_event()
            line = event.start_mark.line + 1
            if lost := next(filter(_is_lost, event.value), ""):
                what = f"U+{ord(lost):04X} in a key or a value"
                self.found.append(finding("characters", line, what))
            is_bare = not event.style and parent is not None and parent.flow_style
            if is_bare and (":" in event.value or "?" in event.value):  # libyaml 0.1 stops there
                what = "there is a ':' or '?' that needs quotes"
                self.found.append(finding("not-read", line, what))
        return super().compose_node(parent, index)

    def _make_node(self, node: Any, line: int = 0, depth: int = 1) -> Node:
        line = line or node.start_mark.line + 1
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            what = f"there are more than {_DEEPEST} lists and maps in each other, or {_MOST_VALUES}"
            why = "RancherOS may load it, but this program cannot follow it"
            raise _UnreadableError(line, f"{what} values", "", why)
        if isinstance(node, yaml.ScalarNode):
            return _make_scalar(node, line)
        if isinstance(node, yaml.SequenceNode):
            items = [self._make_node(item, depth=depth + 1) for item in node.value]
            return Node("list", line, items=items)
        fields: dict[str, Node] = {}
        for key, value in node.value:
            name = self._make_node(key, depth=depth + 1)
            if not name.is_scalar:
                why = "every call of ros fails, and with it the boot"
                raise _UnreadableError(name.line, "a list or a map is used as a key", "", why)
            if former := fields.pop(name.text, None):
                what = f"the key {quote(name.text)} is there already, in line {former.line}"
                self.found.append(finding("duplicate-key", name.line, what))
            fields[name.text] = self._make_node(value, name.line, depth + 1)
        return Node("map", line, fields=fields)


def _make_scalar(node: yaml.ScalarNode, line: int) -> Node:
    text: str = node.value
    kind: Kind = "text"
    if node.style:
        pass
    elif text in ("", "~", "null", "Null", "NULL"):
        kind, text = "null", ""
    elif text.lower() in FLAGS:
        kind = "flag"
    elif _NUMBER.fullmatch(text):
        kind = "number"
    elif not ADDRESS.sub("", text):
        kind = "address"
    return Node(kind, line, text)


def _is_lost(character: str) -> bool:
    """Tell whether a character makes ``ros`` lose the file, or fail in every call.

    The emitter of ``ros`` writes each digit 0 to 9 of the character's hexadecimal number wrongly.
    """
    digits = f"{ord(character):02X}" if character <= "\xff" else f"{ord(character):04X}"
    is_kept = "\xa0" < character <= "\ufffd" and digits.isalpha()
    return character not in _KEPT and not is_kept
