"""A file to be checked: what RancherOS takes it for, and what it reads in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from rancheros_ec2_metadata.check import program
from rancheros_ec2_metadata.check.finding import Found
from rancheros_ec2_metadata.check.program import Program, Variables
from rancheros_ec2_metadata.check.schema import (
    CLOUD_CONFIG,
    SERVICE,
    Difference,
    cloud_config,
    differences,
)
from rancheros_ec2_metadata.check.service import Service
from rancheros_ec2_metadata.check.yaml_reader import Document, Node, first_lost, read
from rancheros_ec2_metadata.hosts.rancheros import user_data
from rancheros_ec2_metadata.hosts.rancheros.release import Release
from rancheros_ec2_metadata.hosts.rancheros.user_data import NO_FIRST_LINE, Kind

MOST_BYTES = 128 * 1024

ADDRESS = re.compile(r"\$(?:private|public)_ipv[46]")
_ADDRESSES = ("$public_ipv4", "$private_ipv4", "$public_ipv6", "$private_ipv6")


class Form(StrEnum):
    """A kind of file."""

    CLOUD_CONFIG = "cloud-config"
    COMPOSE = "compose"
    SCRIPT = "script"
    SERVICE_FILE = "service-file"
    UNKNOWN = "unknown"


_FORMS = {
    Kind.CLOUD_CONFIG: Form.CLOUD_CONFIG,
    Kind.COMPOSE: Form.COMPOSE,
    Kind.SCRIPT: Form.SCRIPT,
    Kind.OTHER: Form.UNKNOWN,
}


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
        form = _FORMS[seen.kind]
        document = Document() if form is Form.SCRIPT else _read(seen.plain)
        if seen.why == NO_FIRST_LINE:
            form = _form_by_keys(document.root)
        return cls(seen.plain, len(raw), seen.why, release, form, document)

    @property
    def is_unrecognised(self) -> bool:
        """Whether it is text of some kind that has no first line to know it by."""
        return self.ignored == NO_FIRST_LINE and bool(self.raw.strip())

    @property
    def is_lost(self) -> bool:
        """Whether ``ros`` reads nothing in it."""
        lost = (first_lost(text, fatal=False) for _, text, _ in self.document.texts)
        return self.document.problem is not None or any(lost)

    def at(self, *path: str) -> Node:
        """Return what is at a path; a null with the line of what is above it if nothing is."""
        return self.document.root.at(*path)

    @property
    def docker(self) -> Node:
        """What it sets under rancher.docker."""
        return self.at("rancher", "docker") if self.form is Form.CLOUD_CONFIG else Node("map")

    @cached_property
    def services_path(self) -> tuple[str, ...]:
        """Where the services stand."""
        if self.form is Form.CLOUD_CONFIG:
            return ("rancher", "services")
        inner = self.at("services")
        # Compose version 2, which RancherOS does not load.
        return ("services",) if inner.fields and "image" not in inner.fields else ()

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """The services in it."""
        if self.form is Form.UNKNOWN:
            return ()
        found = self.at(*self.services_path).fields.items()
        return tuple(Service(name, node) for name, node in found if node.kind == "map")

    @cached_property
    def here(self) -> dict[str, Node]:
        """The variables that it sets in rancher.environment."""
        found = self.at("rancher", "environment").fields.items()
        return {name: node for name, node in found if node.is_scalar}

    @cached_property
    def legacy(self) -> tuple[Service, ...]:
        """The services of the program of 2016; a fork is told by how it stands beside this one."""
        ours = [one for one in self.services if one.is_ours]
        forks = [one for one in ours if one.looks_legacy]
        return tuple(
            one
            for one in self.services
            if one.is_legacy or (one in forks and len(forks) < len(ours))
        )

    @cached_property
    def programs(self) -> tuple[Program, ...]:
        """The services of this program."""
        ours = (one for one in self.services if one.is_ours and one not in self.legacy)
        return tuple(program.read(one, self.here) for one in ours)

    @property
    def ours(self) -> tuple[Service, ...]:
        """The services of this program."""
        return tuple(one.service for one in self.programs)

    @property
    def at_boot(self) -> tuple[Service, ...]:
        """Those of them that run at boot."""
        return tuple(service for service in self.ours if not service.by_cron)

    @cached_property
    def variables(self) -> Variables:
        """The variables that services of the file can name."""
        return program.variables(self.programs, self.here)

    def with_addresses(self, text: str) -> Document:
        """Return what ``ros`` reads where it puts a text for each address of the machine."""
        return _read(self.raw, text)

    def differences(self, document: Document) -> Iterator[Difference]:
        """Yield what of a document is not as RancherOS has it."""
        if self.form is Form.CLOUD_CONFIG:
            yield from differences(document.root, cloud_config(self.release))
        else:
            made_texts, path = self.form is Form.SERVICE_FILE, self.services_path
            for name in (service.name for service in self.services):
                node = document.root.at(*path, name)
                yield from differences(node, SERVICE, (*path, name), made_texts=made_texts)


def _form_by_keys(root: Node) -> Form:
    """Return which kind a file without a first line was meant to be."""
    if root.fields.keys() & CLOUD_CONFIG.keys() - {"EXTRA_CMDLINE"}:
        return Form.CLOUD_CONFIG
    all_maps = bool(root.fields) and all(node.kind == "map" for node in root.fields.values())
    is_service_file = all_maps or root.fields.keys() & {"version", "services"}
    return Form.SERVICE_FILE if is_service_file else Form.UNKNOWN


def _read(raw: bytes, address: str | None = None) -> Document:
    """Return what ``ros`` reads in a file: it replaces the addresses first, in the bare text.

    Args:
        raw: the file.
        address: what it puts in place of each; None leaves its name.
    """
    if not raw:
        return Document()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Document(problem=Found(1, "it is not UTF-8"))
    for name in _ADDRESSES:
        # As ros does it (config/cloudinit/initialize/env.go): \$private_ipv4 is the way round it.
        known = name if address is None else address
        text = re.sub(rf"([^\\]|^)\{name}", rf"\g<1>{known}", text)
        text = text.replace(f"\\{name}", name)
    return read(text)
