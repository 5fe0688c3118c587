"""What an Auto Scaling group, or a launch template alone, starts instances with: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rancheros_ec2_metadata.settings import GROUP_TAG

TEMPLATE, AWS = "the template", "AWS"


class Sourced(NamedTuple):
    """A value, None if it is not set, and what sets it in words."""

    value: str | None
    source: str


class GroupTag(NamedTuple):
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
        tags: of TagSpecifications, those of instances, and those that EC2 sets itself.
        options: the metadata options in effect, by their names of MetadataOptions.
        ipv6_only: no subnet of the next instance gives it an IPv4 address.
    """

    name: str
    image: str | None = None
    instance_types: tuple[str, ...] = ()
    profile: str | None = None
    user_data: bytes | None = field(default=None, repr=False)
    tags: Mapping[str, Sourced] = field(default_factory=dict)
    options: Mapping[str, Sourced] = field(default_factory=dict)
    ipv6_only: bool = False


@dataclass(frozen=True)
class Group:
    """An Auto Scaling group, or what stands for one: a launch template alone.

    Args:
        name: of the group; None of a template.
        region: that was asked.
        partition: of that region.
        launches: the ways in which instances are started.
        tags: of the group.
        instances: the tags of those that run, by id.
    """

    name: str | None
    region: str
    partition: str
    launches: tuple[Launch, ...] = ()
    tags: tuple[GroupTag, ...] = ()
    instances: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the group's tags, also of those that no instance gets."""
        return frozenset(one.key for one in self.tags)

    def next_tags(self, launch: Launch) -> dict[str, Sourced]:
        """Return the tags of the next instance, and what sets each.

        The group's value replaces the template's (AWS, CreateAutoScalingGroup, Tags).
        """
        tags = {one.key: Sourced(one.value, "the group") for one in self.tags if one.propagated}
        named = {} if self.name is None else {GROUP_TAG: Sourced(self.name, AWS)}
        return {**launch.tags, **tags, **named}
