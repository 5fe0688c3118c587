"""What of ours a machine has now, by what its files say. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from rancheros_ec2_metadata.plan import arguments, shell
from rancheros_ec2_metadata.plan.config_paths import Value
from rancheros_ec2_metadata.plan.planning import Plan
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.layers import DOCKER, ENVIRONMENT, Layers
from rancheros_ec2_metadata.rancheros.ros_scalars import text_of
from rancheros_ec2_metadata.rancheros.ros_yaml import Node

_NOT_CONFIG = {ENVIRONMENT, (*DOCKER, "args"), (*DOCKER, "extra_args")}


def labels(plan: Plan, now: Layers) -> dict[str, str]:
    """Return the labels of our items, in force or hidden by a list that a user has set since.

    An item of the user's that says the same as one of ours counts as that.
    """
    found: dict[str, str] = {}
    for one in plan.composed:
        written = {*plan.given.state.items, *one.ours}
        in_force = now.docker_arguments(one.user.key)
        own = now.only(paths.DROP_IN).texts((*DOCKER, one.user.key))
        items = [item for item in own if item in written]
        items += [item for item in in_force if item in written or item not in one.user.items]
        try:
            found.update(arguments.labels(items, now.release.quoting))
        except shell.NotWordsError:
            continue  # not as we write them
    return found


def variables(now: Layers) -> dict[str, str]:
    """Return the variables that our own file sets."""
    return now.only(paths.DROP_IN).environment()


def config(now: Layers) -> dict[str, str]:
    """Return the config values that our own file sets, by path."""
    return dict(_leaves(now.only(paths.DROP_IN).merged, ()))


def text(value: Value | Node) -> str:
    """Return a config value as text."""
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    return "" if isinstance(value, dict) else text_of(value)


def _leaves(node: Node, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if path in _NOT_CONFIG:
        return
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, (*path, key))
    else:
        yield ".".join(path), text(node)
