"""A file to be checked: what RancherOS takes it for, and what it reads in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from rancheros_ec2_metadata.check.schema import Difference, Types, differences, types_of
from rancheros_ec2_metadata.check.service import Service
from rancheros_ec2_metadata.check.yaml_reader import Document, Node, read
from rancheros_ec2_metadata.hosts.rancheros import user_data
from rancheros_ec2_metadata.hosts.rancheros.release import Release
from rancheros_ec2_metadata.hosts.rancheros.user_data import NO_FIRST_LINE

MOST_BYTES = 128 * 1024


class Form(str, Enum):
    """A kind of file."""

    __str__ = str.__str__

    CLOUD_CONFIG = "cloud-config"
    COMPOSE = "compose"
    SCRIPT = "script"
    SERVICE_FILE = "service-file"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class File:
    """A file.

    Args:
        raw: its bytes, unpacked; there may be private keys among them.
        size: of the file as it was given, in bytes.
        ignored: why RancherOS takes no notice of it as user-data; empty if it does.
        release: that it is meant for.
        form: which kind of file it is.
        document: what ``ros`` reads in it, where all addresses of the machine are known.
    """

    raw: bytes = field(repr=False)
    size: int
    ignored: str
    release: Release
    form: Form
    document: Document = field(repr=False)

    @classmethod
    def of(cls, raw: bytes, release: Release) -> File:
        """Return the file with these bytes."""
        seen = user_data.classify(raw, release)
        form = Form.__members__.get(seen.kind.name, Form.UNKNOWN)
        document = read(seen.plain) if seen.plain and form is not Form.SCRIPT else Document()
        if seen.why == NO_FIRST_LINE:
            form = _form_by_keys(document.root, types_of(release))
        return cls(seen.plain, len(raw), seen.why, release, form, document)

    @property
    def is_cloud_config(self) -> bool:
        """Whether it is a cloud-config."""
        return self.form is Form.CLOUD_CONFIG

    @property
    def types(self) -> Types:
        """The keys that its release has, and their types."""
        return types_of(self.release)

    def at(self, *path: str) -> Node:
        """Return what a cloud-config has at a path; a null if nothing is there."""
        return self.document.root.at(*path) if self.is_cloud_config else Node("null")

    @cached_property
    def here(self) -> dict[str, Node]:
        """The variables that it sets in rancher.environment."""
        found = self.at("rancher", "environment").fields.items()
        return {name: node for name, node in found if node.is_scalar}

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """The services in it."""
        above = self.document.root if self.form is not Form.UNKNOWN else Node("null")
        if self.is_cloud_config:
            above = self.at("rancher", "services")
        found = above.fields.items()
        return tuple(Service(name, node, self.here) for name, node in found if node.kind == "map")

    @cached_property
    def legacy(self) -> list[Service]:
        """The services of the program of 2016; a fork is told by how it stands beside this one."""
        ours = [one for one in self.services if one.is_ours]
        forks = [one for one in ours if one.looks_legacy]
        found = forks if len(forks) < len(ours) else []
        return [one for one in self.services if one.is_legacy or one in found]

    @cached_property
    def ours(self) -> list[Service]:
        """The services of this program."""
        return [one for one in self.services if one.is_ours and one not in self.legacy]

    def differences(self) -> Iterator[Difference]:
        """Yield what is not as RancherOS has it."""
        if self.is_cloud_config:
            yield from differences(self.types, self.document.root, "cloud-config")
            return
        made_texts = self.form is Form.SERVICE_FILE
        for service in self.services:
            path = (service.name,)
            yield from differences(self.types, service.node, "service", path, made_texts=made_texts)


def _form_by_keys(root: Node, types: Types) -> Form:
    """Return which kind a file without a first line was meant to be."""
    if root.fields.keys() & types["cloud-config"].keys():
        return Form.CLOUD_CONFIG
    all_maps = bool(root.fields) and all(node.kind == "map" for node in root.fields.values())
    return Form.SERVICE_FILE if all_maps else Form.UNKNOWN
