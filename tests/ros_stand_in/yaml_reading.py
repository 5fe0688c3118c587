"""YAML as ``ros`` parses it: candiedyaml, a port of libyaml 0.1.

PyYAML gives the events. Without libyaml it refuses tabs that separate two tokens; ``ros`` takes
them.
"""

from __future__ import annotations

from typing import Any

import yaml

from .yaml_scalars import NULLS, Node, NotText, Scalar, plain, text_of

_DEEPEST = 100  # nested lists and maps
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class UnusableError(ValueError):
    """A text or value that ``ros`` does not take; the message is what it prints."""


class CrashError(Exception):
    """What ends the process of ``ros``."""


class _Open:
    """A list or map whose end has not been seen."""

    def __init__(self, node: Node, anchor: str | None, *, flow: bool) -> None:
        self.node = node
        self.anchor = anchor
        self.flow = flow
        self.keys: list[Scalar] = []

    def add(self, node: Node) -> None:
        if isinstance(self.node, list):
            self.node.append(node)
        elif self.keys:
            self.node[self.keys.pop()] = node
        elif isinstance(node, list | dict):
            raise CrashError("runtime error: hash of unhashable type")
        else:
            self.keys.append(node)


class _Builder:
    """Events put together; an alias is the node itself, so that no bomb goes off."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root: Node = None
        self.open: list[_Open] = []
        self.anchors: dict[str, Node] = {}

    def take(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._place(self._scalar(event), event.anchor)
            case yaml.AliasEvent():
                if event.anchor not in self.anchors:
                    raise UnusableError(f"missing anchor: '{event.anchor}'{_at(event.start_mark)}")
                self._place(self.anchors[event.anchor], None)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                if len(self.open) == _DEEPEST:
                    raise UnusableError(f"nested deeper than {_DEEPEST} levels")
                node: Node = [] if isinstance(event, yaml.SequenceStartEvent) else {}
                flow = bool(event.flow_style) or self._in_flow()
                self.open.append(_Open(node, event.anchor, flow=flow))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                closed = self.open.pop()
                self._place(closed.node, closed.anchor)

    def _place(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if self.open:
            self.open[-1].add(node)
        else:
            self.root = node

    def _scalar(self, event: Any) -> Scalar:
        text: str = event.value
        if not (text or self.open or event.style):
            raise UnusableError("Unknown resolution for ''")
        if event.style in (None, "") and self._in_flow() and self._ends_early(event):
            why = "[while parsing a flow node] did not find expected ',' or ']'"
            raise UnusableError(f"yaml: {why}{_at(event.start_mark)}")
        for character in text:
            if ord(character) > 0xFFFF:
                why = "[while parsing a quoted scalar] found invalid Unicode character escape code"
                raise UnusableError(f"yaml: {why}{_at(event.start_mark)}")
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


def read_document(raw: bytes | str) -> Node:
    """Return the first document of a text.

    Raises:
        UnusableError: ``ros`` does not load it. CrashError: it does not survive it.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableError("yaml: [] control characters are not allowed") from None
    # All line ends are one in YAML, but libyaml and PyYAML count them differently.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    builder = _Builder(text)
    documents = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    break
                if event.version not in (None, (1, 1)):
                    raise UnusableError("yaml: [] found incompatible YAML document")
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnusableError(f"yaml: [{error.context or ''}] {error.problem}{_at(mark)}") from None
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise UnusableError(f"yaml: [] {error}") from None
    if not documents:
        raise UnusableError("Expected document start at line 0, column 0")
    return builder.root


def read_map(raw: bytes | str) -> dict[Scalar, Node]:
    """Return the first document of a text, a map; a null is an empty one.

    Raises:
        UnusableError, CrashError: as ``read_document``; or it is not a map.
    """
    document = read_document(raw)
    if isinstance(document, dict):
        # Of a map that is asked for as such, a quoted null is a null too.
        return {key: None if node in NULLS else node for key, node in document.items()}
    if isinstance(document, list):
        raise UnusableError("Expected an array, slice or interface{} but was a map[]")
    if document is None:
        return {}
    kind = "<map[interface {}]interface {} Value>"
    raise UnusableError(f"Unknown resolution for '{text_of(document)}' using {kind}")


# Characters of a value of the command line, and what stands for them while it is parsed.
_HIDDEN = {"\n": "9XsJcx6dR5EERYCC"}
_HIDDEN_LATER = {**_HIDDEN, ":": "V0Rc21pIVknMm2rr", "?": "FoPL6JLMAaJqKMJT"}


def read_value(text: str, *, hides_colons: bool) -> Node:
    """Return a value of ``config set`` or of the command line: YAML, else the text itself."""
    hidden = _HIDDEN_LATER if hides_colons else _HIDDEN
    for character, stand_in in hidden.items():
        text = text.replace(character, stand_in)
    try:
        value = read_document(text)
    except UnusableError:
        value = text
    return _shown(value, hidden)


def _shown(node: Node, hidden: dict[str, str]) -> Node:
    match node:
        case str() if not isinstance(node, NotText):
            for character, stand_in in hidden.items():
                node = node.replace(stand_in, character)
            return node
        case list():
            return [_shown(item, hidden) for item in node]
        case dict():
            return {key: _shown(value, hidden) for key, value in node.items()}
    return node


def _at(mark: Any) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
