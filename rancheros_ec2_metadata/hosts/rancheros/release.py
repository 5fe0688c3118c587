"""Which RancherOS this is, and what follows from it."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

from rancheros_ec2_metadata.hosts.rancheros.ros_yaml import get, load

Quoting: TypeAlias = Literal["shell", "raw"]
Version: TypeAlias = tuple[int, int, int]

NEWEST: Version = (999, 0, 0)

_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+_.].*)?", re.ASCII | re.DOTALL)
_CONSOLE_IMAGE = re.compile(r"(?:.*/)?os-console:([^@/:]+)(?:@.*)?", re.DOTALL)
_UNVERSIONED: Version = (0, 0, 0)  # v0.0.0-dev: the version of an unreleased `ros`


class Release(NamedTuple):
    """A release of RancherOS.

    Args:
        version: None if unknown. A name that is not a version counts as the newest.
        text: as it was found, such as ``v1.5.8``; empty if unknown.
    """

    version: Version | None
    text: str

    @property
    def known(self) -> bool:
        """Whether the release is known."""
        return self.version is not None

    @property
    def argument_keys(self) -> tuple[str, ...]:
        """The keys below rancher.docker whose lists reach dockerd, in that order."""
        return ("args", "extra_args") if self.is_before((0, 7, 0)) else ("extra_args",)

    @property
    def quoting(self) -> Quoting:
        """How the items reach dockerd: through a shell, or raw."""
        return "raw" if self.is_before((0, 6, 0)) else "shell"

    def is_before(self, version: Version) -> bool:
        """Tell whether this release is known to be older; what is unknown counts as newer."""
        return self.version is not None and self.version < version


UNKNOWN = Release(None, "")


def parse_release(text: str) -> Release | None:
    """Return the release of a name such as ``v1.5.8`` or ``1.0``; None if it is not a version."""
    version = _parse_version(text)
    return Release(version, text) if version else None


def find_release(os_config: bytes) -> Release:
    """Return the release that os-config.yml is of.

    From v0.6 on it has rancher.environment.VERSION; before, its images have tags.
    """
    try:
        rancher = get(load(os_config.decode("utf-8", "replace")), "rancher")
    except ValueError:
        return UNKNOWN
    name = get(rancher, "environment", "VERSION")
    if isinstance(name, str) and name:
        return Release(_parse_version(name) or NEWEST, name)
    services = get(rancher, "services")
    for service in ("console", *(services if isinstance(services, dict) else ())):
        image = get(services, service, "image")
        tag = _CONSOLE_IMAGE.fullmatch(image) if isinstance(image, str) else None
        if tag and (release := parse_release(tag[1])):
            return release
    return UNKNOWN


def _parse_version(text: str) -> Version | None:
    found = _VERSION.fullmatch(text.strip())
    if not found:
        return None
    version = (int(found[1]), int(found[2]), int(found[3] or 0))
    return None if version == _UNVERSIONED else version
