"""A file to be judged: what ``ros`` reads in it, and where that stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from rancheros_ec2_metadata.check import size
from rancheros_ec2_metadata.check.form import Form, form_of
from rancheros_ec2_metadata.check.places import Path, Places, places
from rancheros_ec2_metadata.check.service import Service, services
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import trees, user_data
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import DOCKER, Layers, stack
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.rancheros.ros_scalars import text_of
from rancheros_ec2_metadata.rancheros.ros_yaml import Node, UnusableError, parse, text_as_read
from rancheros_ec2_metadata.rancheros.user_data import Kind

BOOT_YML = f"{paths.CLOUD_CONFIG_D}/boot.yml"


@dataclass(frozen=True)
class File:
    """A file.

    Args:
        raw: its bytes, unpacked; there may be private keys among them.
        size: of the file, in bytes.
        ignored: why RancherOS takes no notice of it as user-data; empty if it does.
        release: that it is meant for.
        form: which kind of file it is.
        tree: what ``ros`` reads in it; empty where there is a problem.
        problem: why ``ros`` does not load it.
        places: where things stand in it.
    """

    raw: bytes = field(repr=False)
    size: int
    ignored: str
    release: Release
    form: Form
    tree: dict[str, Node] = field(repr=False)
    problem: UnusableError | None
    places: Places = field(repr=False)

    @classmethod
    def of(cls, raw: bytes, release: Release) -> File:
        """Return the file with these bytes."""
        problem = None
        seen = user_data.seen(raw, release)
        try:
            tree = parse(seen.plain)
            size.check(tree)
        except UnusableError as error:
            tree, problem = {}, error
        try:
            where = places(text_as_read(seen.plain))
        except UnusableError:
            where = Places({})
        ignored = "it is a script, and sets nothing" if seen.kind is Kind.SCRIPT else seen.why
        form = form_of(seen, tree)
        return cls(seen.plain, len(raw), ignored, release, form, tree, problem, where)

    @property
    def is_configuration(self) -> bool:
        """Whether it is merged into RancherOS's configuration; a service file is not."""
        return self.form in (Form.CLOUD_CONFIG, Form.COMPOSE)

    def get(self, *path: str) -> Node:
        """Return what is at a path; None where nothing is."""
        return trees.at(self.tree, path)

    def map_at(self, *path: str) -> dict[str, Node]:
        """Return the map at a path; an empty one where there is none."""
        node = self.get(*path)
        return node if isinstance(node, dict) else {}

    def list_at(self, *path: str) -> list[Node]:
        """Return the list at a path; an empty one where there is none."""
        node = self.get(*path)
        return node if isinstance(node, list) else []

    def line(self, *path: str | int) -> int:
        """Return the line of what is at a path, or of the nearest thing above it."""
        return self.places.line(path)

    def line_of(self, path: Path) -> int:
        """Return the same of a path that is made already."""
        return self.places.line(path)

    @property
    def docker_lists(self) -> tuple[str, ...]:
        """The lists of Docker's arguments that the release reads."""
        return self.release.argument_keys

    def docker_items(self, key: str) -> list[str]:
        """Return the items of a list below rancher.docker, as texts."""
        return [
            "" if isinstance(item, list | dict) else text_of(item)
            for item in self.list_at(*DOCKER, key)
        ]

    @cached_property
    def services_path(self) -> tuple[str, ...]:
        """Where the services stand."""
        if self.form is Form.CLOUD_CONFIG:
            return ("rancher", "services")
        inner = self.tree.get("services")
        # Compose version 2, which RancherOS does not load.
        return ("services",) if isinstance(inner, dict) and "image" not in inner else ()

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """The services in it."""
        if self.form is Form.UNKNOWN:
            return ()
        return tuple(services(self.map_at(*self.services_path), self.services_path))

    @property
    def ours(self) -> tuple[Service, ...]:
        """The services that run this program."""
        return tuple(service for service in self.services if service.is_ours)

    @property
    def at_boot(self) -> tuple[Service, ...]:
        """Those of them that run at boot."""
        return tuple(service for service in self.ours if not service.by_cron)

    @cached_property
    def disk(self) -> Disk:
        """A machine that has this file as its user-data, and nothing else."""
        loaded = self.form is Form.CLOUD_CONFIG and self.problem is None
        return Disk({BOOT_YML: self.raw} if loaded else {})

    @cached_property
    def layers(self) -> Layers:
        """What is in force on that machine."""
        return stack(self.disk, self.release)
