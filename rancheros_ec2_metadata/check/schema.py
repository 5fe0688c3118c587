"""What of a file is not as RancherOS takes it: keys and types, which are in types.yml."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple, TypeAlias

import yaml

from rancheros_ec2_metadata.check.yaml_reader import FLAGS, Node
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.hosts.rancheros.release import NEWEST, Release, Version

_MEANS = {"text": "a text", "flag": "true or false", "integer": "a whole number", "list": "a list"}
# Libcompose's own: a text that is split or a list of texts, the same unsplit, a map or a list.
_OF_LIBCOMPOSE = ("words", "text or texts", "variables", "labels")

# The releases that have a key of Docker's: from the first on, and no longer from the second on.
_DOCKER_RELEASES: dict[str, tuple[Version, Version]] = {
    "args": ((0, 0, 0), (0, 7, 0)),
    "data_root": ((2, 0, 0), NEWEST),
    "graph": ((0, 0, 0), (2, 0, 0)),
    "selinux_enabled": ((0, 0, 0), (2, 0, 0)),
    "userns_enabled": ((1, 9, 0), NEWEST),
}
_NEWEST_OF_BOTH = ((1, 5, 8), (2, 0, 5))  # RancherOS and BurmillaOS
# What other programs call it.
_INSTEAD = {
    "contents": "write content",
    "depends_on": "write the label io.rancher.os.after",
    "env": "write environment",
    "logging": "write log_driver and log_opt",
    "mode": "write permissions",
    "network_mode": "write net",
    "networks": "write net",
}
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F_]+|0o?[0-7_]+|[1-9][0-9_]*|0)")
_KINDS = {"flag": "true or false", "null": "nothing"}


Types: TypeAlias = dict[str, dict[str, str]]


class Difference(NamedTuple):
    """What of a file is not as its type has it.

    ``what`` is of a value of a wrong type. It is empty for a key that the type does not have, of
    which there are ``node``, its map, and ``type_``, its type.
    """

    line: int
    path: tuple[str, ...]
    what: str = ""
    node: Node = Node("null")
    type_: str = ""


@cache
def types_of(release: Release) -> Types:
    """Return the maps of types.yml, as a release has them, by name: the type of each key."""
    raw = files(__package__).joinpath("types.yml").read_bytes()
    found = {
        name: {
            key: type_.replace("its own", key)
            for type_, keys in types.items()
            for key in keys.split()
        }
        for name, types in yaml.safe_load(raw).items()
    }
    if release.is_before((0, 8, 0)):  # where a text among the commands loses the file
        found["cloud-config"]["runcmd"] = "text list list"
    is_newest = release.version is None or release.version == NEWEST
    versions = _NEWEST_OF_BOTH if is_newest else (release.version or NEWEST,)
    for key, (first, last) in _DOCKER_RELEASES.items():
        if not any(first <= version < last for version in versions):
            del found["docker"][key]
    return found


def dotted(path: Iterable[str]) -> str:
    """Return a path as an operator knows it; its keys may be anybody's."""
    return ".".join(shown(key)[1:-1] for key in path)


def similar(name: str, known: Iterable[str]) -> str:
    """Return the fix that names the one of ``known`` that is most like ``name``, or nothing."""
    close = difflib.get_close_matches(name[:50], sorted(known), 1, 0.75)
    return _INSTEAD.get(name) or (f"write {close[0]}" if close else "")


def differences(
    types: Types, node: Node, type_: str, path: tuple[str, ...] = (), *, made_texts: bool = False
) -> Iterator[Difference]:
    """Yield what is not as a type has it.

    Args:
        types: of the release.
        node: at that path.
        type_: of it.
        path: of it.
        made_texts: of labels and variables of services RancherOS makes texts, as in a service file.
    """
    keys = types.get(type_)
    inner, _, last = type_.rpartition(" ")
    wanted = "map" if keys else last if inner and type_ not in _OF_LIBCOMPOSE else ""
    if type_ in _OF_LIBCOMPOSE:
        for one, what in _of_libcompose(node, type_, made_texts=made_texts):
            yield Difference(one.line, path, f"{dotted(path)} {what}")
    elif node.kind not in (wanted, "null") and (wanted or not _is_taken(node, type_)):
        what = f"{dotted(path)} is {_is(node)}, not {_MEANS.get(type_, f'a {wanted}')}"
        yield Difference(node.line, path, what)
    elif wanted:
        for item in node.items:
            yield from differences(types, item, inner, path)
        for key, value in node.fields.items():
            of_value = keys.get(key, "") if keys else inner
            if of_value:
                inside = (*path, key)
                yield from differences(types, value, of_value, inside, made_texts=made_texts)
            else:
                yield Difference(value.line, (*path, key), "", node, type_)


def _is(node: Node) -> str:
    return _KINDS.get(node.kind, f"a {node.kind}")


def _is_taken(node: Node, type_: str) -> bool:
    if type_ in ("any", "list"):
        return type_ in ("any", node.kind)
    if type_ == "flag":
        return node.text.lower() in FLAGS
    return node.is_scalar and (type_ == "text" or bool(_INTEGER.fullmatch(node.text)))


def _of_libcompose(node: Node, type_: str, *, made_texts: bool) -> Iterator[tuple[Node, str]]:
    """Yield what libcompose's own types do not take: a number, a flag or a null among texts."""
    may_be_text = type_ in ("words", "text or texts")
    if node.kind in ("text", "address") and may_be_text:
        try:
            shlex.split(node.text if type_ == "words" else "")
        except ValueError as wrong:
            yield node, f"cannot be split into words ({str(wrong).lower()})"
    elif node.kind != "null" and (node.is_scalar or (node.kind == "map" and may_be_text)):
        yield node, f"is {_is(node)}, not a {'text or a list' if may_be_text else 'list or a map'}"
    for value in (*node.items, *node.fields.values()):
        is_number = node.kind == "map" and type_ == "variables" and _INTEGER.fullmatch(value.text)
        lenient = made_texts and not may_be_text
        if not (value.kind == "text" or (value.is_scalar and (lenient or is_number))):
            # Where the machine has no such address there is nothing.
            is_address = value.kind == "address"
            yield (
                value,
                f"has {value.text + ' without quotes' if is_address else _is(value)}, not a text",
            )
