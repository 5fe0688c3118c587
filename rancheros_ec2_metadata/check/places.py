"""Where in a file's text its keys, its values and its documents stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.rancheros.ros_scalars import plain, text_of
from rancheros_ec2_metadata.rancheros.ros_yaml import events

# Keys of maps, and numbers of items of lists.
Path: TypeAlias = tuple[str | int, ...]

# More than `ros_yaml` follows, and what is deeper costs libyaml quadratic time.
_DEEPEST = 100


@dataclass(frozen=True)
class Text:
    """A key, or a value that is neither a list nor a map.

    Args:
        path: of the value.
        line: from 1.
        text: as it is between its quotes.
        quoted: whether it has any.
        is_key: whether it is the key of that value.
    """

    path: Path
    line: int
    text: str
    quoted: bool
    is_key: bool


@dataclass(frozen=True)
class Twice:
    """A key that a map has already."""

    path: Path
    line: int
    first: int


@dataclass(frozen=True)
class Places:
    """Where things stand; of a text that is no YAML, what there is before the mistake.

    Args:
        lines: of each value, by path: that of its key, or where an item begins.
        texts: all keys and values, in order.
        twice: the keys that a map has more than once.
        documents: the lines that begin a document other than the first.
    """

    lines: Mapping[Path, int]
    texts: tuple[Text, ...] = ()
    twice: tuple[Twice, ...] = ()
    documents: tuple[int, ...] = ()

    def line(self, path: Path) -> int:
        """Return the line of what is at ``path``, or of the nearest thing above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def dotted(path: Path) -> str:
    """Return a path as an operator knows it; its keys may be anybody's."""
    return ".".join(str(key) if isinstance(key, int) else shown(key)[1:-1] for key in path)


def places(text: str) -> Places:
    """Return where things stand in a text that ``ros_yaml.text_as_read`` gave."""
    found = _Found()
    try:
        for event in events(text):
            found.take(event)
            if len(found.open) > _DEEPEST:
                break
    except (yaml.YAMLError, ValueError):
        pass
    return Places(found.lines, tuple(found.texts), tuple(found.twice), tuple(found.documents))


def _is_plain(event: Any) -> bool:
    # As in `ros_yaml`: a tag says nothing to `ros` but that quotes do not count.
    return bool(event.implicit[0] or event.tag)


@dataclass()
class _Open:
    """A list or map whose end has not been seen; ``key`` is that of the next value."""

    path: Path
    is_map: bool
    items: int = 0
    key: str | None = None
    key_line: int = 0


@dataclass()
class _Found:
    lines: dict[Path, int] = field(default_factory=dict)
    texts: list[Text] = field(default_factory=list)
    twice: list[Twice] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    begun: int = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            self.begun += 1
            if self.begun > 1:
                self.documents.append(line)
        if self.begun > 1:
            return
        match event:
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.AliasEvent():
                self._place(line)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                is_map = isinstance(event, yaml.MappingStartEvent)
                self.open.append(_Open(self._place(line), is_map))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self.open.pop()

    def _scalar(self, event: Any, line: int) -> None:
        inner = self.open[-1] if self.open else None
        is_key = inner is not None and inner.is_map and inner.key is None
        path = self._key(event, line) if is_key else self._place(line)
        quoted = event.style not in (None, "")
        self.texts.append(Text(path, line, event.value, quoted, is_key))

    def _key(self, event: Any, line: int) -> Path:
        inner = self.open[-1]
        inner.key = text_of(plain(event.value) if _is_plain(event) else event.value)
        inner.key_line = line
        path = (*inner.path, inner.key)
        if path in self.lines:
            self.twice.append(Twice(path, line, self.lines[path]))
        return path

    def _place(self, line: int) -> Path:
        """Return the path of the value that begins here."""
        if not self.open:
            path: Path = ()
        elif not self.open[-1].is_map:
            path = (*self.open[-1].path, self.open[-1].items)
            self.open[-1].items += 1
        elif self.open[-1].key is None:
            # A list, a map or an alias as a key, which `ros` does not take.
            self.open[-1].key, self.open[-1].key_line = "", line
            return (*self.open[-1].path, "")
        else:
            path = (*self.open[-1].path, self.open[-1].key)
            line = self.open[-1].key_line
            self.open[-1].key = None
        self.lines[path] = line
        return path
