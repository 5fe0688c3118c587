"""The machine's files, this program's values in them, and the files without these."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rancheros_ec2_metadata.errors import Note, warning
from rancheros_ec2_metadata.hosts.base import Ours
from rancheros_ec2_metadata.hosts.rancheros import cloud_config, docker_args, drop_in, paths
from rancheros_ec2_metadata.hosts.rancheros.release import Release
from rancheros_ec2_metadata.hosts.rancheros.snapshot import Snapshot, read_file, read_snapshot
from rancheros_ec2_metadata.hosts.rancheros.tree import flatten
from rancheros_ec2_metadata.hosts.state import DamagedStateError, State, parse_state
from rancheros_ec2_metadata.plan import config_paths


class Found(NamedTuple):
    """The machine's files.

    Args:
        root: the folder that stands for the root of the container.
        disk: as they are.
        users: as the user has them: without our drop-in, and our items in cloud-config.yml.
        state: what the last run left.
        stuck: why one of our items is still in ``users``.
        release: that reads them.
    """

    root: Path
    disk: Snapshot
    users: Snapshot
    state: State
    stuck: tuple[str, ...]
    release: Release

    def read(self, path: str) -> bytes | None:
        """Return one more file as it is now; None if there is none."""
        return read_file(self.root, Snapshot(), path).files.get(path)

    @property
    def users_text(self) -> str | None:
        """The text of cloud-config.yml as the user has it; None if there is none."""
        return decode(self.users.files.get(paths.CLOUD_CONFIG))


def find(root: Path, release: Release) -> tuple[Found, list[Note]]:
    """Return the machine as it is, and notes about it."""
    disk = read_snapshot(root)
    state, notes = read_state(disk)
    for path in state.env_files:
        disk = read_file(root, disk, path)
    users, stuck = disk.with_file(paths.DROP_IN, None), tuple[str, ...]()
    text = decode(disk.files.get(paths.CLOUD_CONFIG))
    if text is not None:
        text, stuck = cloud_config.restore(text, state.edits, release.quoting)
        users = users.with_file(paths.CLOUD_CONFIG, encode(text))
    elif state.edits and paths.CLOUD_CONFIG in disk.unreadable:
        stuck = (disk.unreadable[paths.CLOUD_CONFIG],)
    return Found(root, disk, users, state, stuck, release), notes


def read_state(disk: Snapshot) -> tuple[State, list[Note]]:
    """Return the state of the last run; an empty one if none can be read."""
    raw = disk.files.get(paths.STATE)
    if raw is None:
        return State(), []
    try:
        return parse_state(raw), []
    except DamagedStateError as why:
        return State(), [warning(f"{paths.STATE} cannot be used: {why}; it is written anew")]


def find_ours(disk: Snapshot, labels: Mapping[str, str], release: Release) -> Ours:
    """Return this program's values in the files on the disk.

    Args:
        disk: as read.
        labels: those whose items are there count.
        release: that reads the files.
    """
    items, environment, config = list[str](), {}, {}
    for path, value in flatten(drop_in.parse_drop_in(disk.files.get(paths.DROP_IN, b""))):
        if path[:-1] == cloud_config.ENVIRONMENT:
            environment[path[-1]] = str(value)
        elif path[:-1] == cloud_config.DOCKER and path[-1] in ("args", "extra_args"):
            items += map(str, value)
        elif not isinstance(value, dict):
            config[".".join(path)] = config_paths.render(
                tuple(map(str, value)) if isinstance(value, list) else value
            )
    text = decode(disk.files.get(paths.CLOUD_CONFIG))
    for key in release.argument_keys:
        items += cloud_config.list_items(text, key)
    there = {}
    for key, wanted in labels.items():
        with contextlib.suppress(ValueError):
            if docker_args.make_label_item(key, wanted, release.quoting) in items:
                there[key] = wanted
    return Ours(there, environment, config)


def count_missing_items(disk: Snapshot, state: State) -> int:
    """Return how many of our items are no longer in cloud-config.yml, in which they were set."""
    text = decode(disk.files.get(paths.CLOUD_CONFIG))
    return sum(
        item not in cloud_config.list_items(text, key)
        for key, edit in state.edits.items()
        for item in edit.ours
    )


def decode(raw: bytes | None) -> str | None:
    """Return a file as text from which :func:`encode` makes the same bytes."""
    return None if raw is None else raw.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the bytes of a text."""
    return text.encode("utf-8", "surrogateescape")
