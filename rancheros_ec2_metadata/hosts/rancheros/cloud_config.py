"""cloud-config.yml where it sets Docker's arguments: that list alone is replaced, by its place.

The file is the user's, and the system's, which keeps private keys in it: it is never re-serialised
here. Whether ``ros`` reads a change as it should, and all else as before, is rehearsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from rancheros_ec2_metadata.errors import quote
from rancheros_ec2_metadata.hosts.rancheros import docker_args, shell
from rancheros_ec2_metadata.hosts.rancheros.release import Quoting
from rancheros_ec2_metadata.hosts.rancheros.ros_yaml import get, load
from rancheros_ec2_metadata.hosts.state import Edit

DOCKER = ("rancher", "docker")
ENVIRONMENT = ("rancher", "environment")

_STRING = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_ADDRESS_VARIABLE = re.compile(r"\\?\\?\$(?:private|public)_ipv[46]")


class CannotEditError(ValueError):
    """The text is not plain enough to be changed in one place; the message says why."""


class UserList(NamedTuple):
    """A list of Docker's arguments in the text; it has no items where the key has a null.

    Args:
        start: where the text behind its key's colon begins; it ends with the last item.
        source: that text.
        items: the items as text.
    """

    start: int
    source: str
    items: tuple[str, ...]


def find_list(text: str, key: str) -> UserList | None:
    """Return the list at rancher.docker.``key``; None if the text does not set it.

    Raises:
        CannotEditError: the list, or the way to it, is not plain.
    """
    found = _find(text, (*DOCKER, key))
    if found is None:
        return None
    name, node = found
    start = text.index(":", name.end_mark.index) + 1
    if node.tag == _NULL:
        return UserList(start, text[start : node.end_mark.index], ())
    if not isinstance(node, yaml.SequenceNode):
        raise CannotEditError(f"rancher.docker.{key} in it is not a list")
    if text[start:].lstrip()[:1] in ("&", "*", "!"):
        raise CannotEditError(f"rancher.docker.{key} in it has an anchor, an alias or a tag")
    if any(one.start_mark.index < start for one in node.value):
        raise CannotEditError(f"rancher.docker.{key} in it has an alias")
    items = tuple(_read_item(one, key) for one in node.value)
    end = node.end_mark.index if node.flow_style or not items else node.value[-1].end_mark.index
    return UserList(start, text[start:end], items)


def list_items(text: str | None, key: str) -> tuple[str, ...]:
    """Return the items of a list as text; empty if it is not set, or not plain."""
    try:
        found = find_list(text or "", key)
    except CannotEditError:
        return ()
    return found.items if found is not None else ()


def render_list(items: Sequence[str]) -> str:
    """Return the text of a list; ``ros`` fills in addresses in it as in the user's."""
    return f" [{', '.join(map(_quote, items))}]"


def _quote(item: str) -> str:
    if re.fullmatch(r"[ -~]*", item):
        return "'" + item.replace("'", "''") + "'"
    return json.dumps(item)


def replace_list(text: str, found: UserList, new: str) -> str:
    """Return ``text`` with ``new`` in the place of a list's text."""
    # A block scalar at the end takes its line end with it.
    end = "\n" if found.source.endswith("\n") and not new.endswith("\n") else ""
    rest = text[found.start + len(found.source) :]
    if new.endswith("\n") and rest.startswith("\n"):
        new = new[:-1]
    return text[: found.start] + new + end + rest


def restore(text: str, edits: Mapping[str, Edit], quoting: Quoting) -> tuple[str, tuple[str, ...]]:
    """Return the file as the user has it, and why one of our items is still in it.

    Where the file was written anew since, our items are known by value, and the user's labels that
    they had replaced come back if one of ours was still there.
    """
    problems = []
    for key, edit in edits.items():
        try:
            text = _restore(text, key, edit, quoting)
        except CannotEditError as why:
            problems.append(str(why))
    return text, tuple(problems)


def _restore(text: str, key: str, edit: Edit, quoting: Quoting) -> str:
    found = find_list(text, key)
    if found is None:
        return text
    if found.source in edit.written:
        return replace_list(text, found, edit.former)
    former = _list_values(edit.former)
    if found.items == former:
        return text
    if found.items in map(_list_values, edit.written):
        return replace_list(text, found, render_list(former))
    kept = [item for item in found.items if item not in edit.ours]
    if len(kept) == len(found.items):
        return text
    return replace_list(text, found, render_list([*kept, *_drop_set_again(edit, kept, quoting)]))


def _list_values(source: str) -> tuple[str, ...]:
    """Return the items of a list by its text, from behind its key's colon."""
    found = get(load(f"key:{source}\n"), "key")
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _drop_set_again(edit: Edit, items: Sequence[str], quoting: Quoting) -> Sequence[str]:
    """Return the displaced labels whose keys ``items`` do not set: two values stop Docker."""
    try:
        keys = docker_args.find_labels(items, quoting)
        return docker_args.remove_labels(edit.displaced, keys, quoting).items
    except shell.NotWordsError:
        return edit.displaced


def matches(written: Sequence[str], read: Sequence[str]) -> bool:
    """Tell whether a list that ``ros`` read may be the written one, with addresses filled in."""
    if len(written) != len(read):
        return False
    return all(
        re.fullmatch(".*".join(map(re.escape, _ADDRESS_VARIABLE.split(one))), other, re.DOTALL)
        for one, other in zip(written, read, strict=True)
    )


def sets(text: str, path: Sequence[str]) -> bool:
    """Tell whether a file sets ``path``, or has a null above it; used to name what is in the way.

    A file that does not read sets nothing.
    """
    try:
        walked = _walk(text, path)
    except CannotEditError as several:
        return "times" in str(several)
    return len(walked) == len(path) or (len(walked) > 0 and walked[-1][1].tag == _NULL)


def is_null(text: str, path: Sequence[str]) -> bool:
    """Tell whether a file has a null at ``path``: it hides all that weaker files set there."""
    node = _look_up(text, path)
    return node is not None and node.tag == _NULL


def find_variables(text: str) -> dict[str, str]:
    """Return rancher.environment as the text has it; empty if it does not read."""
    node = _look_up(text, ENVIRONMENT)
    inside = node.value if isinstance(node, yaml.MappingNode) else []
    return {name.value: str(value.value) for name, value in inside}


def diff(old: str, new: str, ours: Collection[str]) -> Iterator[str]:
    """Yield the arguments that are added and removed, and the names of removed variables.

    Nothing else of the text, which holds private keys; the user's arguments by their options alone.

    Args:
        old: the text as it is.
        new: as planned.
        ours: items of Docker's arguments that are ours.
    """
    for key in ("args", "extra_args"):
        was, now = list_items(old, key), list_items(new, key)
        for sign, these, others in (("-", was, now), ("+", now, was)):
            for item in these:
                if item not in others:
                    told = item if item in ours else docker_args.name_option(item)
                    yield f"{sign}rancher.docker.{key}: {quote(told, 300)}"
    for name in sorted(find_variables(old).keys() - find_variables(new).keys()):
        yield f"-rancher.environment.{name}: (its value is not shown)"


def remove_keys(text: str, path: Sequence[str], names: Collection[str]) -> str:
    """Return ``text`` without the lines of the keys ``names`` of the map at ``path``.

    Raises:
        CannotEditError: the map is not plain enough: more would be lost than those keys.
    """
    found = _find(text, path)
    if found is None or not isinstance(found[1], yaml.MappingNode):
        raise CannotEditError(f"{'.'.join(path)} in it is not a map")
    removed = [(name, value) for name, value in found[1].value if name.value in names]
    after = text
    for name, value in reversed(removed):
        start = text.rfind("\n", 0, name.start_mark.index) + 1
        end = text.find("\n", value.end_mark.index) + 1
        after = after[:start] + (after[end:] if end else "")
    if removed and len(removed) == len(found[1].value):
        colon = text.index(":", found[0].end_mark.index)
        after = f"{after[:colon]}: {{}}{after[colon + 1 :]}"
    wanted: Any = load(text)
    inner = wanted
    for key in path:
        inner = next(node for name, node in inner.items() if _is_key(name, key))
    for name in names:
        inner.pop(name, None)
    try:
        is_exact = load(after) == wanted
    except ValueError:
        is_exact = False
    if not is_exact:
        raise CannotEditError(f"{'.'.join(path)} in it is not written plainly")
    return after


def _find(text: str, path: Sequence[str]) -> tuple[Any, Any] | None:
    """Return the key node and the node at ``path``."""
    walked = _walk(text, path)
    return walked[-1] if len(walked) == len(path) else None


def _look_up(text: str, path: Sequence[str]) -> Any:
    """Return the node at ``path``; None if there is none, or the text is not plain."""
    try:
        found = _find(text, path)
    except CannotEditError:
        return None
    return None if found is None else found[1]


def _walk(text: str, path: Sequence[str]) -> list[tuple[Any, Any]]:
    """Return the key nodes and the nodes on the way to ``path``, as far as it leads."""
    try:
        node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise CannotEditError("it is not one plain YAML document") from None
    walked: list[tuple[Any, Any]] = []
    for depth, key in enumerate(path, 1):
        inside = node.value if isinstance(node, yaml.MappingNode) else []
        pairs = [pair for pair in inside if _is_key(pair[0].value, key)]
        if len(pairs) > 1:
            raise CannotEditError(f"{'.'.join(path[:depth])} is in it {len(pairs)} times")
        if not pairs:
            break
        walked += pairs
        node = pairs[0][1]
    return walked


def _is_key(found: object, key: str) -> bool:
    """Tell whether ``ros`` reads a key as ``key``: it ignores case if ``key`` is in lower case."""
    return found == key or (key.islower() and str(found).lower() == key)


def _read_item(node: Any, key: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag != _STRING:
        raise CannotEditError(f"rancher.docker.{key} in it has an item that is not plain text")
    return str(node.value)
