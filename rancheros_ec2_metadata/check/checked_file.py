"""A file to be checked: what RancherOS takes it for, and what it reads in it."""

from __future__ import annotations

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


class File:
    """A file.

    Attributes:
        raw: its bytes, unpacked; there may be private keys among them.
        ignored: why RancherOS ignores it as user-data; empty if it does not.
        release: that it is meant for.
        form: which kind of file it is.
        root: what ``ros`` reads in it, a map.
        found: what is wrong with it as YAML.
    """

    def __init__(self, raw: bytes, release: Release) -> None:
        seen = user_data.classify(raw, release)
        self.raw, self.ignored, self.release = seen.plain, seen.why, release
        self.form, self.root, self.found = seen.form, Node("map"), list[Finding]()
        is_yaml = seen.form is not Form.SCRIPT and seen.why in ("", NO_FIRST_LINE)
        if is_yaml and seen.plain.strip():
            self.root, self.found = read(seen.plain)
        if seen.why == NO_FIRST_LINE:
            self.form = _guess_form(self.root)

    def at(self, *path: str) -> Node:
        """Return what a cloud-config has at a path; a null if nothing is there."""
        return self.root.at(*path) if self.form is Form.CLOUD_CONFIG else Node("null")

    @cached_property
    def services(self) -> list[Service]:
        """The services in it."""
        above = self.at("rancher", "services")
        if self.form in (Form.COMPOSE, Form.SERVICE_FILE):
            above = self.root
        here = self.at("rancher", "environment").fields
        found = above.fields.items()
        return [Service(name, node, here) for name, node in found if node.kind == "map"]

    @cached_property
    def ours(self) -> list[Service]:
        """The services of this program.

        One that looks legacy is a fork of the legacy amazon-metadata if another does not.
        """
        named = [one for one in self.services if one.is_ours]
        return [one for one in named if not one.looks_legacy] or named

    @property
    def legacy(self) -> list[Service]:
        """The services of the legacy amazon-metadata."""
        found = [one for one in self.services if one.is_legacy or one.is_ours]
        return [one for one in found if one not in self.ours]


def _guess_form(root: Node) -> Form:
    """Guess the form of a file without a first line from its keys."""
    if root.fields.keys() & find_schema(UNKNOWN).types["cloud-config"].keys():
        return Form.CLOUD_CONFIG
    all_maps = bool(root.fields) and all(node.kind == "map" for node in root.fields.values())
    return Form.SERVICE_FILE if all_maps else Form.UNKNOWN
