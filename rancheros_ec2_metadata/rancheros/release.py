"""Which RancherOS this is, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.ros_scalars import text_of
from rancheros_ec2_metadata.rancheros.ros_yaml import Node, UnusableError, parse

Quoting: TypeAlias = Literal["shell", "raw", "safe"]
Version: TypeAlias = tuple[int, int, int]

NEWEST: Version = (999, 0, 0)

_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+_.].*)?", re.ASCII | re.DOTALL)
_CONSOLE_IMAGE = re.compile(r"(?:.*/)?os-console:([^@/:]+)(?:@.*)?", re.DOTALL)
_ROS_VERSION = re.compile(r"\bversion (\S+)(?: from os image (\S+))?")
_UNVERSIONED: Version = (0, 0, 0)  # v0.0.0-dev, what a `ros` calls itself that nobody released


@dataclass(frozen=True)
class Release:
    """A release of RancherOS.

    Args:
        version: None if unknown. A name that is no version counts as the newest.
        text: as it was found, such as ``v1.5.8``; empty if unknown.
        source: where it was found, for the log.
    """

    version: Version | None
    text: str
    source: str

    @property
    def known(self) -> bool:
        """Whether the release is known."""
        return self.version is not None

    @property
    def argument_keys(self) -> tuple[str, ...]:
        """The keys below rancher.docker whose lists reach dockerd, in that order."""
        return ("args", "extra_args") if self._is_before((0, 7, 0)) else ("extra_args",)

    @property
    def quoting(self) -> Quoting:
        """How the items reach dockerd: through a shell, raw, or nobody knows."""
        if self.version is None:
            return "safe"
        return "raw" if self._is_before((0, 6, 0)) else "shell"

    @property
    def reads_extra_cmdline(self) -> bool:
        """Whether an EXTRA_CMDLINE in a file is read like a kernel command line."""
        return not self._is_before((0, 9, 2))

    @property
    def survives_broken_files(self) -> bool:
        """Whether a file that cannot be loaded is skipped, or breaks every call of ``ros``."""
        return not self._is_before((0, 5, 0))

    def _is_before(self, version: Version) -> bool:
        """Tell whether this release is known to be older; what is unknown counts as newer."""
        return self.version is not None and self.version < version


def named(text: str) -> Release | None:
    """Return the release of this name, such as ``v1.5.8`` or ``1.0``; None if it is no version."""
    version = _version(text)
    return Release(version, text, "its name") if version else None


def of(disk: Disk, ros_version: str = "") -> Release:
    """Return the release from os-config.yml, else from what ``ros --version`` printed.

    From v0.6 on os-config.yml has rancher.environment.VERSION; before, its images have tags.
    """
    try:
        os_config = parse(disk.files.get(paths.OS_CONFIG, b""))
    except UnusableError:
        os_config = {}
    rancher = _inner(os_config, "rancher")
    name = _text(_inner(rancher, "environment"), "VERSION")
    if name:
        return Release(_version(name) or NEWEST, name, "VERSION in os-config.yml")
    tag = _console_tag(rancher)
    if _version(tag):
        return Release(_version(tag), tag, "the console image in os-config.yml")
    return _from_ros(ros_version)


def _from_ros(answer: str) -> Release:
    found = _ROS_VERSION.search(answer)
    if found:
        version = _version(found[1])
        # Only releases that have VERSION too name their image.
        if version or found[2]:
            return Release(version or NEWEST, found[1], "ros --version")
    return Release(None, "", "nothing")


def _console_tag(rancher: dict[str, Node]) -> str:
    services = _inner(rancher, "services")
    images = (_text(_inner(services, name), "image") for name in ("console", *services))
    tags = (found[1] for image in images if (found := _CONSOLE_IMAGE.fullmatch(image)))
    return next(tags, "")


def _version(text: str) -> Version | None:
    found = _VERSION.fullmatch(text.strip())
    if not found:
        return None
    version = (int(found[1]), int(found[2]), int(found[3] or 0))
    return None if version == _UNVERSIONED else version


def _inner(tree: dict[str, Node], key: str) -> dict[str, Node]:
    node = tree.get(key)
    return node if isinstance(node, dict) else {}


def _text(tree: dict[str, Node], key: str) -> str:
    node = tree.get(key)
    return "" if isinstance(node, list | dict) else text_of(node)
