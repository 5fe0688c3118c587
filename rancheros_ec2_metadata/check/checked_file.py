"""A file to be checked: what RancherOS takes it for, and what it reads in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from rancheros_ec2_metadata.check.finding import Finding
from rancheros_ec2_metadata.check.schema import find_schema
from rancheros_ec2_metadata.check.service import Service
from rancheros_ec2_metadata.check.yaml_reader import Node, read
from rancheros_ec2_metadata.hosts.rancheros import user_data
from rancheros_ec2_metadata.hosts.rancheros.release import NEWEST, UNKNOWN, Release
from rancheros_ec2_metadata.hosts.rancheros.user_data import NO_FIRST_LINE, Form

MOST_BYTES = 128 * 1024
# For which a file is checked if none is named.
NEWEST_RELEASE = Release(NEWEST, "newest")


@dataclass(frozen=True)
class File:
    """A file.

    Args:
        raw: its bytes, unpacked; there may be private keys among them.
        ignored: why RancherOS ignores it as user-data; empty if it does not.
        release: that it is meant for.
        form: which kind of file it is.
        root: what ``ros`` reads in it, a map.
        found: what is wrong with it as YAML.
    """

    raw: bytes = field(repr=False)
    ignored: str
    release: Release
    form: Form
    root: Node = field(repr=False)
    found: list[Finding]

    @classmethod
    def of(cls, raw: bytes, release: Release) -> File:
        """Return the file with these bytes."""
        seen = user_data.classify(raw, release)
        form, root, found = seen.form, Node("map"), list[Finding]()
        if form is not Form.SCRIPT and seen.why in ("", NO_FIRST_LINE) and seen.plain.strip():
            root, found = read(seen.plain)
        if seen.why == NO_FIRST_LINE:
            form = _guess_form(root)
        return cls(seen.plain, seen.why, release, form, root, found)

    def at(self, *path: str) -> Node:
        """Return what a cloud-config has at a path; a null if nothing is there."""
        return self.root.at(*path) if self.form is Form.CLOUD_CONFIG else Node("null")

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """The services in it."""
        above = self.at("rancher", "services") if self.form is Form.CLOUD_CONFIG else self.root
        found = above.fields.items() if self.form is not Form.UNKNOWN else ()
        here = self.at("rancher", "environment").fields
        return tuple(Service(name, node, here) for name, node in found if node.kind == "map")

    @cached_property
    def legacy(self) -> list[Service]:
        """The services of the legacy amazon-metadata.

        A service with this program's name that looks legacy is a fork of it, if another one with
        this name does not look legacy.
        """
        ours = [one for one in self.services if one.is_ours]
        forks = [one for one in ours if one.looks_legacy]
        found = forks if len(forks) < len(ours) else []
        return [one for one in self.services if one.is_legacy or one in found]

    @cached_property
    def ours(self) -> list[Service]:
        """The services of this program."""
        return [one for one in self.services if one.is_ours and one not in self.legacy]


def _guess_form(root: Node) -> Form:
    """Guess the form of a file without a first line from its keys."""
    if root.fields.keys() & find_schema(UNKNOWN).types["cloud-config"].keys():
        return Form.CLOUD_CONFIG
    all_maps = bool(root.fields) and all(node.kind == "map" for node in root.fields.values())
    return Form.SERVICE_FILE if all_maps else Form.UNKNOWN
