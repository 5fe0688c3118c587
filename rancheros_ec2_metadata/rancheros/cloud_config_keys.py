"""Keys of cloud-config.yml's maps, cut out of the text and put back."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rancheros_ec2_metadata.rancheros.state import Removal
from rancheros_ec2_metadata.rancheros.yaml_nodes import (
    CannotEditError,
    Node,
    Path,
    find,
    line_end,
    line_start,
    quoted,
)

# What a file is left with whose every key was cut out: one of comments alone counts as broken.
_EMPTY = "{}\n"


@dataclass(frozen=True)
class Cut:
    """A piece of the text that was cut out, and where it was in what is left."""

    at: int
    source: str


def cut_keys(text: str, path: Path, names: Collection[str]) -> tuple[str, tuple[Cut, ...]]:
    """Return ``text`` without the keys ``names`` of the map at ``path``, and what was cut out.

    A map that would be left empty goes with its own key: an empty one would read as a null, which
    hides what weaker layers set.

    Raises:
        CannotEditError: the map, or the way to it, is not plain.
    """
    found = find(text, path)
    if found is None or found.node.is_null():
        return text, ()
    node = found.node
    if node.kind != "map" or not node.plain:
        raise CannotEditError(f"{'.'.join(path) or 'the file'} is not a plain map")
    kept = [name for name, _ in node.pairs() if name.value not in names]
    if len(kept) * 2 == len(node.children):
        return text, ()
    if not kept and path:
        return cut_keys(text, path[:-1], [path[-1]])
    spans = _flow_spans(node, names) if node.flow else _block_spans(text, node, names)
    left, cuts = "", []
    end = 0
    for start, stop in spans:
        left += text[end:start]
        cuts.append(Cut(len(left), text[start:stop]))
        end = stop
    left += text[end:]
    return (left if kept or node.flow else left + _EMPTY), tuple(cuts)


def put_back(text: str, cuts: Sequence[Cut]) -> str:
    """Return ``text``, as :func:`cut_keys` left it, with the pieces where they were."""
    bare = text.removesuffix(_EMPTY)
    if all(not line.strip() or line.startswith("#") for line in bare.splitlines()):
        text = bare
    for cut in reversed(cuts):
        text = text[: cut.at] + cut.source + text[cut.at :]
    return text


def digest(text: str) -> str:
    """Return what a text is known by."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def taken_out(text: str, removal: Removal | None) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return digest, places and pieces of what was taken out of just this text; none if unknown.

    It is as our removal left it, or, where that was cut off, as it found it.
    """
    known = digest(text)
    if removal and known == removal.digest:
        return known, removal.places, removal.pieces
    if removal and known == removal.found_digest:
        return known, removal.found_places, removal.found_pieces
    return "", (), ()


def restored(text: str, path: Path, removal: Removal | None) -> str:
    """Return the text with the keys of the map at ``path`` that an earlier run took out.

    Raises:
        CannotEditError: the map, or the way to it, is not plain.
    """
    if removal is None:
        return text
    known, places, pieces = taken_out(text, removal)
    if known:
        return put_back(text, [Cut(int(at), x) for at, x in zip(places, pieces, strict=True)])
    found = find(text, path)
    there = {name.value for name, _ in found.node.pairs()} if found else set()
    missing = {name: value for name, value in removal.values.items() if name not in there}
    return with_values(text, path, missing) if missing else text


def with_values(text: str, path: Path, values: Mapping[str, str]) -> str:
    """Return ``text`` with ``values`` in the map at ``path``, which need not be there.

    Raises:
        CannotEditError: the map, or the way to it, is not plain.
    """
    entries = [f"{quoted(name)}: {quoted(value)}" for name, value in values.items()]
    for depth in range(len(path), -1, -1):
        found = find(text, path[:depth])
        if found is not None:
            return _with_entries(text, path[:depth], found.node, entries)
        entries = [f"{quoted(path[depth - 1])}: {{{', '.join(entries)}}}"]
    raise CannotEditError("it is empty")


def _with_entries(text: str, path: Path, node: Node, entries: Sequence[str]) -> str:
    if node.kind != "map" or not node.plain:
        raise CannotEditError(f"{'.'.join(path) or 'the file'} is not a plain map")
    if not node.children:
        return text[: node.start] + "{" + ", ".join(entries) + "}" + text[node.end :]
    first = node.children[0].start
    if node.flow:
        return text[:first] + "".join(f"{entry}, " for entry in entries) + text[first:]
    start = line_start(text, first)
    indent = text[start:first]
    if indent.strip(" "):
        raise CannotEditError(f"{'.'.join(path)} starts on the line of its key")
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = "".join(f"{indent}{entry}{newline}" for entry in entries)
    return text[:start] + lines + text[start:]


def _block_spans(text: str, node: Node, names: Collection[str]) -> list[tuple[int, int]]:
    pairs = list(node.pairs())
    spans = []
    for (name, value), after in zip(pairs, [*(pair[0] for pair in pairs[1:]), None], strict=True):
        if name.value not in names:
            continue
        start = line_start(text, name.start)
        if text[start : name.start].strip(" "):
            raise CannotEditError(f"{name.value} does not stand on a line of its own")
        stop = line_start(text, after.start) if after else line_end(text, value.end)
        spans.append((start, stop))
    return spans


def _flow_spans(node: Node, names: Collection[str]) -> list[tuple[int, int]]:
    pairs = list(node.pairs())
    spans: list[tuple[int, int]] = []
    for index, (name, value) in enumerate(pairs):
        if name.value not in names:
            continue
        start, stop = name.start, value.end
        if index + 1 < len(pairs):
            stop = pairs[index + 1][0].start
        elif index and not (spans and spans[-1][1] == start):
            start = pairs[index - 1][1].end
        spans.append((start, stop))
    return spans
