"""Reading back through ``ros``: does it see what the layer model predicts?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.rancheros.layers import Layers
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.rancheros.ros import Ros
from rancheros_ec2_metadata.rancheros.ros_yaml import ADDRESS_VARIABLES


def difference(
    ros: Ros, predicted: Layers, release: Release, names: Iterable[str], limit: Limit
) -> str | None:
    """Return what ``ros`` sees otherwise than ``predicted``, None if nothing; never its output.

    Args:
        ros: is asked for the argument lists, whole, and for the environment.
        predicted: the layers as they should be.
        release: which argument keys there are.
        names: the variables to compare.
        limit: for all questions together.
    """
    keys = release.argument_keys
    questions: list[Callable[[], Any]] = [
        *(partial(ros.list, f"rancher.docker.{key}", limit) for key in keys),
        partial(ros.map, "rancher.environment", limit),
    ]
    try:
        *lists, environment = [ask() for ask in questions]
    except FilesError as error:
        return str(error)
    for key, found in zip(keys, lists, strict=True):
        if not _same_items(predicted.docker_arguments(key), found):
            return f"ros reads rancher.docker.{key} otherwise than it was written"
    expected = predicted.environment()
    for name in names:
        if not _same(expected.get(name), environment.get(name)):
            return f"ros reads variable {name} otherwise than it was written"
    return None


def _same_items(expected: Iterable[str], found: Iterable[str]) -> bool:
    ours, theirs = list(expected), list(found)
    return len(ours) == len(theirs) and all(map(_same, ours, theirs))


def _same(expected: str | None, found: str | None) -> bool:
    """Compare, where ``$private_ipv4`` and its like stand for a text that only ``ros`` knows."""
    if expected is None or found is None:
        return expected is found
    parts = re.split(f"[{''.join(ADDRESS_VARIABLES)}]", expected)
    return re.fullmatch(".*".join(map(re.escape, parts)), found, re.DOTALL) is not None
