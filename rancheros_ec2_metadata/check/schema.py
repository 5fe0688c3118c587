"""Compares the keys and types of a file with those that RancherOS accepts (types.yml)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from rancheros_ec2_metadata.check.finding import Finding, finding
from rancheros_ec2_metadata.check.yaml_reader import FLAGS, Node
from rancheros_ec2_metadata.errors import quote
from rancheros_ec2_metadata.hosts.rancheros.release import NEWEST, Release

_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F_]+|0o?[0-7_]+|[1-9][0-9_]*|0)")
_SCALARS: dict[str, Callable[[Node], object]] = {
    "any": lambda _: True,
    "text": lambda _: True,
    "flag": lambda node: node.text.lower() in FLAGS,
    "integer": lambda node: _INTEGER.fullmatch(node.text),
    # For libcompose's own types, which accept no number, flag or null among texts.
    "string": lambda node: node.kind == "text",
    "variable": lambda node: node.kind == "text" or _INTEGER.fullmatch(node.text),
    "word": lambda node: node.kind in ("text", "address"),
    "words": lambda node: node.kind in ("text", "address") and node.words is not None,
}
_NEVER_NULL = ("string", "variable")
_MEANS = {"flag": "true or false", "integer": "a whole number", "list": "a list", "map": "a map"}
_KINDS = {"flag": "true or false", "null": "nothing", "address": "an address without quotes"}
_OF_WHICH = {"docker": " in this release", "service": " in compose version 1"}


class Schema(NamedTuple):
    """What is in types.yml, as a release has it.

    Args:
        types: by the name of a map, the type of each key.
        instead: by the same name, what to write in place of a key that it does not have.
    """

    types: dict[str, dict[str, str]]
    instead: dict[str, dict[str, str]]

    def compare(self, node: Node, type_: str, where: str = "") -> Iterator[Finding]:
        """Yield each difference between a value, at its path in the file, and a type."""
        if node.kind == "null" and type_ not in _NEVER_NULL:
            return
        choices = type_.split(" or ")
        chosen = next((one for one in choices if self._takes(one, node)), None)
        if chosen is None:
            yield self._report_type(node, choices, where)
            return
        keys, inner = self.types.get(chosen), chosen.rpartition(" ")[0] or "any"
        for item in node.items:
            yield from self.compare(item, inner, f"{where}[]")
        for key, value in node.fields.items():
            if keys and key not in keys:
                yield self._report_key(value.line, chosen, where, key)
            else:
                path = f"{where}.{quote(key)[1:-1]}".removeprefix(".")
                yield from self.compare(value, keys[key] if keys else inner, path)

    def _get_kind(self, type_: str) -> str:
        return "map" if type_ in self.types else type_.rpartition(" ")[2]

    def _takes(self, type_: str, node: Node) -> bool:
        if not node.is_scalar and type_ != "any":
            return self._get_kind(type_) == node.kind
        return type_ in _SCALARS and bool(_SCALARS[type_](node))

    def _report_type(self, node: Node, choices: list[str], where: str) -> Finding:
        if node.kind == "text" and "words" in choices:
            what = f"{where} has an open quote"
            return finding("wrong-type", node.line, what, "close its quotes")
        wanted = " or ".join(_MEANS.get(self._get_kind(one), "a text") for one in choices)
        what = f"{where} is {_KINDS.get(node.kind, f'a {node.kind}')}, not {wanted}"
        return finding("wrong-type", node.line, what)

    def _report_key(self, line: int, type_: str, above: str, key: str) -> Finding:
        where = f"below {above}" if above else "of RancherOS's cloud-config"
        where += _OF_WHICH.get(type_, "")
        fix = suggest(key, self.types[type_])
        if key in self.instead.get(type_, ()):
            fix = f"write {self.instead[type_][key]}"
        elif not above and key in self.types["rancher"]:
            fix = "put it below rancher"
        return finding("unknown-key", line, f"{quote(key)} is no key {where}", fix)


@cache
def find_schema(release: Release, *, of_service_file: bool = False) -> Schema:
    """Return the schema of a release. In a service file RancherOS converts more types to text."""
    raw: Any = yaml.safe_load(files(__package__).joinpath("types.yml").read_bytes())
    types = {
        name: {
            key: type_.replace("its own", key)
            for type_, keys in types.items()
            for key in keys.split()
        }
        for name, types in raw["types"].items()
    }
    if of_service_file:
        types["service"] |= dict.fromkeys(
            ("environment", "labels", "links"), "text list or text map"
        )
    if release.is_before((0, 8, 0)):  # there a text in `runcmd` loses the whole file
        types["cloud-config"]["runcmd"] = "text list list"
    version = release.version or NEWEST
    versions = raw["newest"] if version == NEWEST else [list(version)]
    for key, (first, last) in raw["docker releases"].items():
        if not any(first <= one < last for one in versions):
            del types["docker"][key]
    return Schema(types, raw["instead"])


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the fix that names the one of ``known`` that is most like ``name``, or nothing."""
    close = difflib.get_close_matches(name[:50], sorted(known), 1, 0.75)
    return f"write {close[0]}" if close else ""
