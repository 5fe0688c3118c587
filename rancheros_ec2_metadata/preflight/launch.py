"""What an Auto Scaling group, or a launch template alone, starts instances with: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rancheros_ec2_metadata.errors import quote
from rancheros_ec2_metadata.settings import GROUP_TAG

_TEMPLATE = "the template"
# EC2's defaults; AWS, "Configure instance metadata options for new instances".
_LAST = {
    "HttpEndpoint": "enabled",
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": "1",
    "InstanceMetadataTags": "disabled",
    "HttpProtocolIpv6": "disabled",
}
# Of an image with ImdsSupport v2.0.
_OF_IMAGE = {"HttpTokens": "required", "HttpPutResponseHopLimit": "2"}
_NO_DEFAULT = ("HttpProtocolIpv6",)  # the account has none for it
_NOT_SET = ("no-preference", "-1")


@dataclass(frozen=True)
class Sourced:
    """A value, None if it is not set, and what sets it in words."""

    value: str | None
    source: str


@dataclass(frozen=True)
class GroupTag:
    """A tag of the group, and whether new instances get it."""

    key: str
    value: str
    propagated: bool


@dataclass(frozen=True)
class Launch:
    """One way in which instances are started; a mixed instances policy may have several.

    Args:
        name: for an operator, such as ``launch template lt-1 version 3``.
        image: its id, or the parameter that names it; None if nothing does.
        instance_types: those that may be chosen; empty where they are chosen by attributes.
        profile: the instance profile, by name or ARN; None without.
        user_data: its bytes; None without.
        tags: of TagSpecifications, those of instances.
        system_tags: that EC2 sets itself.
        options: the metadata options in effect, by their names of MetadataOptions.
        subnets: that the template names.
    """

    name: str
    image: str | None = None
    instance_types: tuple[str, ...] = ()
    profile: str | None = None
    user_data: bytes | None = field(default=None, repr=False)
    tags: Mapping[str, str] = field(default_factory=dict)
    system_tags: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Sourced] = field(default_factory=dict)
    subnets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """An Auto Scaling group, or what stands for one: a launch template alone.

    Args:
        name: of the group; None of a template.
        region: that was asked.
        partition: of that region.
        launches: the ways in which instances are started.
        tags: of the group.
        subnets: of the group; empty if it has none.
        ipv6_only: those of all subnets that have IPv6 alone.
        instances: the tags of those that run, by id.
    """

    name: str | None
    region: str
    partition: str
    launches: tuple[Launch, ...] = ()
    tags: tuple[GroupTag, ...] = ()
    subnets: tuple[str, ...] = ()
    ipv6_only: tuple[str, ...] = ()
    instances: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the group's tags, also of those that no instance gets."""
        return frozenset(one.key for one in self.tags)

    def next_tags(self, launch: Launch) -> dict[str, Sourced]:
        """Return the tags of the next instance, and what sets each.

        The group's value replaces the template's (AWS, CreateAutoScalingGroup, Tags).
        """
        named = {} if self.name is None else {GROUP_TAG: self.name}
        tags = {key: Sourced(value, _TEMPLATE) for key, value in launch.tags.items()}
        tags |= {one.key: Sourced(one.value, "the group") for one in self.tags if one.propagated}
        return tags | {k: Sourced(v, "AWS") for k, v in (named | {**launch.system_tags}).items()}

    def is_ipv6_only(self, launch: Launch) -> bool:
        """Tell whether no subnet of the next instance gives it an IPv4 address."""
        subnets = self.subnets or launch.subnets
        return bool(subnets) and {*subnets} <= {*self.ipv6_only}


def resolve_options(
    given: Mapping[str, Any],
    defaults: Mapping[str, Any] | None,
    *,
    image_requires_tokens: bool | None,
) -> dict[str, Sourced]:
    """Return each metadata option of the next instance, and who sets it.

    Args:
        given: MetadataOptions of the template.
        defaults: of the account, in this region; None if AWS did not say.
        image_requires_tokens: None if not known.
    """
    options = {}
    for name, last in _LAST.items():
        default = str((defaults or {}).get(name) or "-1")
        if given.get(name) is not None:
            options[name] = Sourced(str(given[name]), _TEMPLATE)
        elif name in _NO_DEFAULT:
            options[name] = Sourced(last, "EC2's default")
        elif default not in _NOT_SET:
            options[name] = Sourced(default, "the account's default")
        elif defaults is None or (name in _OF_IMAGE and image_requires_tokens is None):
            options[name] = Sourced(None, "AWS did not say")
        elif name in _OF_IMAGE and image_requires_tokens:
            options[name] = Sourced(_OF_IMAGE[name], "the image")
        else:
            options[name] = Sourced(last, "EC2's default")
    return options


def lacks_option(given: Mapping[str, Any], *, of_image: bool = False) -> bool:
    """Tell whether somebody else than the template sets an option.

    Args:
        given: MetadataOptions of the template, or with the account's defaults.
        of_image: only those that an image can set.
    """
    names = _OF_IMAGE if of_image else _LAST.keys() - {*_NO_DEFAULT}
    return any(str(given.get(name) or "-1") in _NOT_SET for name in names)


def name_template(template: str, version: str) -> str:
    """Return a launch template for an operator."""
    return f"launch template {quote(template)} version {quote(version)}"
