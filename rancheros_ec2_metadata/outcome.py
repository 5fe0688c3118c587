"""What a run has left on the disk, whatever it had planned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.disk import Disk, read_also, read_disk
from rancheros_ec2_metadata.rancheros.layers import stack
from rancheros_ec2_metadata.rancheros.state import State

if TYPE_CHECKING:
    from rancheros_ec2_metadata.plan.planning import Plan
    from rancheros_ec2_metadata.rancheros.release import Release


@dataclass(frozen=True)
class Left:
    """Our files as they are.

    Args:
        digests: sha256 of each file that is ours alone, by path; None where there is none.
        items: our items in Docker's arguments, this run's or the one's before it.
        labels: how many labels of ours are in force.
        variables: how many variables of ours are.
    """

    digests: Mapping[str, str | None]
    items: frozenset[str]
    labels: int
    variables: int


def left(
    root: Path, release: Release, plan: Plan | None, before: State, *, as_planned: bool
) -> Left:
    """Return what a run has left.

    Args:
        root: the folder that stands for the machine's root.
        release: that reads the files.
        plan: the run's last; None where it came to none.
        before: the state that the run found.
        as_planned: all of it was done; nothing needs to be counted then.
    """
    planned = plan.state if plan is not None else State()
    names = (paths.STATE, paths.DROP_IN, *planned.env_files)
    ours = Disk()
    for path in names:
        ours = read_also(root, ours, path)
    digests = {path: digest(ours.files.get(path)) for path in names}
    if as_planned and plan is not None:
        items = frozenset(planned.items)
        return Left(digests, items, len(plan.labels), len(plan.variables))
    layers = stack(read_disk(root), release)
    arguments = (item for key in release.argument_keys for item in layers.docker_arguments(key))
    items = frozenset(arguments).intersection(planned.items + before.items)
    environment = layers.environment().items()
    variables = environment & (planned.variables.items() | before.variables.items())
    return Left(digests, items, len(items), len(variables))


def digest(content: bytes | None) -> str | None:
    """Return the sha256 of a file's content; None where there is no file."""
    return None if content is None else hashlib.sha256(content).hexdigest()
