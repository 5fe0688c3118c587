"""Which RancherOS this is, and what follows from it."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple, TypeAlias

import yaml

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
    rancher = _get_map(_load_texts(os_config), "rancher")
    name = _get_text(_get_map(rancher, "environment"), "VERSION")
    if name:
        return Release(_parse_version(name) or NEWEST, name)
    tag = _find_console_tag(rancher)
    if _parse_version(tag):
        return Release(_parse_version(tag), tag)
    return UNKNOWN


def _load_texts(raw: bytes) -> dict[str, Any]:
    """Return the map of a YAML file, every scalar as text; empty if it does not read."""
    try:
        found = yaml.load(raw, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506 - it makes texts, lists and maps only
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _find_console_tag(rancher: dict[str, Any]) -> str:
    services = _get_map(rancher, "services")
    images = (_get_text(_get_map(services, name), "image") for name in ("console", *services))
    tags = (found[1] for image in images if (found := _CONSOLE_IMAGE.fullmatch(image)))
    return next(tags, "")


def _parse_version(text: str) -> Version | None:
    found = _VERSION.fullmatch(text.strip())
    if not found:
        return None
    version = (int(found[1]), int(found[2]), int(found[3] or 0))
    return None if version == _UNVERSIONED else version


def _get_map(tree: dict[str, Any], key: str) -> dict[str, Any]:
    node = tree.get(key)
    return node if isinstance(node, dict) else {}


def _get_text(tree: dict[str, Any], key: str) -> str:
    node = tree.get(key)
    return node if isinstance(node, str) else ""
