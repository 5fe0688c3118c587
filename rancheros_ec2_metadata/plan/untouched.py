"""That an edit of cloud-config.yml changed what it was to change, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import DOCKER, ENVIRONMENT, Layers, stack
from rancheros_ec2_metadata.rancheros.yaml_nodes import CannotEditError

# Maps that come and go with what is in them.
_ABOVE_OURS = ((), ("rancher",), DOCKER)


def check(
    content: bytes,
    before: Layers,
    lists: Mapping[str, Sequence[str]],
    variables: Mapping[str, str],
) -> None:
    """Raise unless the file differs from the former where it shall, and nowhere else.

    Args:
        content: the file as it shall be.
        before: the layer that it was.
        lists: what Docker's argument lists in it shall be, by key.
        variables: what rancher.environment in it shall be.

    Raises:
        CannotEditError: it does; the message says where.
    """
    disk = Disk({paths.CLOUD_CONFIG: content})
    after = stack(disk, before.release).only(paths.CLOUD_CONFIG)
    if any(layer.problem for layer in after):
        raise CannotEditError("it would not be read")
    for key, items in lists.items():
        if after.texts((*DOCKER, key)) != items:
            raise CannotEditError(f"rancher.docker.{key} would not read back")
    if after.environment() != variables:
        raise CannotEditError("another variable of it would change")
    if _rest(before, lists) != _rest(after, lists):
        raise CannotEditError("another key of it would change")


def _rest(layers: Layers, lists: Collection[str]) -> Any:
    """Return all that a file sets beside what is ours to change, empty maps left out."""
    return _pruned(layers.merged, (), {ENVIRONMENT, *((*DOCKER, key) for key in lists)})


def _pruned(node: Any, path: tuple[str, ...], out: Collection[tuple[str, ...]]) -> Any:
    if path not in _ABOVE_OURS:
        return node
    if not isinstance(node, dict):
        return node or {}
    rest = {
        key: _pruned(value, (*path, key), out)
        for key, value in node.items()
        if (*path, key) not in out
    }
    return {key: value for key, value in rest.items() if value or (*path, key) not in _ABOVE_OURS}
