"""Which kind of file this is: user-data as RancherOS tells it apart, or a service file.

A service file is never user-data: `ros service enable` fetches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from rancheros_ec2_metadata.rancheros import config_types
from rancheros_ec2_metadata.rancheros.ros_yaml import Node
from rancheros_ec2_metadata.rancheros.user_data import NO_FIRST_LINE, Kind, UserData

_COMPOSE_KEYS = frozenset({"version", "services"})


class Form(StrEnum):
    """A kind of file."""

    CLOUD_CONFIG = "cloud-config"
    COMPOSE = "compose"
    SERVICE_FILE = "service-file"
    UNKNOWN = "unknown"


def form_of(seen: UserData, tree: Mapping[str, Node]) -> Form:
    """Return the kind of a file.

    Args:
        seen: what RancherOS would see in it as user-data.
        tree: what ``ros`` reads in it; empty where that is nothing.
    """
    match seen.kind:
        case Kind.CLOUD_CONFIG:
            return Form.CLOUD_CONFIG
        case Kind.COMPOSE:
            return Form.COMPOSE
    if not tree or seen.why != NO_FIRST_LINE:
        return Form.UNKNOWN
    if any(config_types.is_known(key) for key in tree):
        return Form.CLOUD_CONFIG
    if tree.keys() & _COMPOSE_KEYS or all(isinstance(node, dict) for node in tree.values()):
        return Form.SERVICE_FILE
    return Form.UNKNOWN
