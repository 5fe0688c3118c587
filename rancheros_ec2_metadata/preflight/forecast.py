"""Computes what the next instance will have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rancheros_ec2_metadata.ec2.instance import GROUP, VARIABLES
from rancheros_ec2_metadata.hosts.rancheros import drop_in
from rancheros_ec2_metadata.hosts.systemd import unit_env_file
from rancheros_ec2_metadata.plan.desired import Desired, make_desired
from rancheros_ec2_metadata.preflight.launch import Group, Launch, Sourced
from rancheros_ec2_metadata.preflight.user_data_flags import UserDataFlags, read_flags
from rancheros_ec2_metadata.settings import STATUS_VARIABLE, Settings

_CARRIES = {
    "rancheros": drop_in.explain_uncarriable,
    "systemd": unit_env_file.explain_uncarriable,
}


@dataclass(frozen=True)
class Forecast:
    """What one launch gives the next instance.

    Args:
        launch: that it is of.
        flags: what the user-data says of this program.
        settings: of the run: those of the user-data, and what the command line has over them.
        tags: of the instance, with what sets each.
        desired: labels, variables and config values; in braces what only it will know.
    """

    launch: Launch
    flags: UserDataFlags
    settings: Settings
    tags: Mapping[str, Sourced]
    desired: Desired


def make_forecast(group: Group, launch: Launch, given: Settings, names: set[str]) -> Forecast:
    """Return what a launch gives the next instance of a group.

    Args:
        group: as AWS says that it is.
        launch: one of the group's.
        given: the settings of the command line.
        names: the fields of those that were given; the others are the user-data's.
    """
    flags = read_flags(launch.user_data, given.host)
    of_command_line: dict[str, Any] = {name: getattr(given, name) for name in names}
    settings = (flags.settings or Settings())._replace(**of_command_line)
    tags = group.next_tags(launch)
    read = {} if settings.tags == "none" else {key: one.value or "" for key, one in tags.items()}
    metadata, outcome = _make_metadata(group, launch), place(STATUS_VARIABLE)
    desired = make_desired(settings, metadata, read, outcome, _CARRIES[flags.host])
    return Forecast(launch, flags, settings, tags, desired)


def place(name: str) -> str:
    """Return what stands for a value that only the instance will know."""
    return f"{{{name}}}"


def _make_metadata(group: Group, launch: Launch) -> dict[str, str]:
    """Return the metadata of the next instance, as far as it is known before it starts."""
    found = {name: place(name) for name in VARIABLES}
    found["AWS_REGION"] = found["AWS_DEFAULT_REGION"] = group.region
    found["AWS_PARTITION"] = group.partition
    if launch.image and launch.image.startswith("ami-"):
        found["AWS_AMI_ID"] = launch.image
    if len(launch.instance_types) == 1:
        found["AWS_INSTANCE_TYPE"] = launch.instance_types[0]
    if group.name is None:
        del found[GROUP]
    else:
        found[GROUP] = group.name
    if launch.profile is None:
        del found["AWS_IAM_ROLE"]
    if launch.ipv6_only:
        del found["AWS_LOCAL_IPV4"], found["AWS_PUBLIC_IPV4"]
    return found
