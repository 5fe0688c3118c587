"""The machine's files, this program's values in them, and the files without these."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rancheros_ec2_metadata.errors import Note, warning
from rancheros_ec2_metadata.hosts.base import Ours
from rancheros_ec2_metadata.hosts.files import read_plain
from rancheros_ec2_metadata.hosts.rancheros import cloud_config, docker_args, drop_in, paths
from rancheros_ec2_metadata.hosts.rancheros.release import Release
from rancheros_ec2_metadata.hosts.rancheros.ros_yaml import flatten
from rancheros_ec2_metadata.hosts.state import DamagedStateError, State, parse_state
from rancheros_ec2_metadata.plan import config_paths

_LINKS_FOLLOWED = 40  # as Linux does
_READ = (
    *(paths.OS_CONFIG, paths.OEM_CONFIG, paths.CLOUD_CONFIG, paths.SAVED_METADATA),
    *(paths.STATE, paths.SCRIPT, paths.COMMAND_LINE),
)


class Found(NamedTuple):
    """The machine's files, by path; private keys may be among them.

    Args:
        root: the folder that stands for the root of the container.
        disk: each file as it was read.
        unreadable: why a file or folder that is there could not be read.
        users: as the user has them: without our drop-in, and our items in cloud-config.yml.
        state: what the last run left.
        stuck: why one of our items is still in ``users``.
        release: that reads them.
    """

    root: Path
    disk: Mapping[str, bytes]
    unreadable: Mapping[str, str]
    users: Mapping[str, bytes]
    state: State
    stuck: tuple[str, ...]
    release: Release

    def __repr__(self) -> str:
        return f"Found({sorted(self.disk)}, {self.unreadable})"

    @property
    def users_text(self) -> str | None:
        """The text of cloud-config.yml as the user has it; None if there is none."""
        return decode(self.users.get(paths.CLOUD_CONFIG))


def find(root: Path, release: Release, *more: str) -> tuple[Found, list[Note]]:
    """Return the machine as it is, and notes about it; ``more`` files are read too."""
    state, notes = read_state(root)
    disk, unreadable = dict[str, bytes](), dict[str, str]()
    drop_ins = list[str]()
    try:
        drop_ins += _list_drop_ins(root)
    except FileNotFoundError:
        pass
    except OSError as error:
        unreadable[paths.CLOUD_CONFIG_D] = error.strerror or str(error)
    for path in (*_READ, *drop_ins, *state.env_files, *more):
        try:
            content = _read(root, path)
        except OSError as error:
            unreadable[path] = error.strerror or str(error)
        else:
            if content is not None:
                disk[path] = content
    users, stuck = dict(disk), tuple[str, ...]()
    users.pop(paths.DROP_IN, None)
    text = decode(disk.get(paths.CLOUD_CONFIG))
    if text is not None:
        text, stuck = cloud_config.restore(text, state.edits, release.quoting)
        users[paths.CLOUD_CONFIG] = encode(text)
    elif state.edits and paths.CLOUD_CONFIG in unreadable:
        stuck = (unreadable[paths.CLOUD_CONFIG],)
    return Found(root, disk, unreadable, users, state, stuck, release), notes


def read_file(root: Path, path: str) -> bytes | None:
    """Return a file of the machine; None if there is none that can be read."""
    try:
        return _read(root, path)
    except OSError:
        return None


def read_state(root: Path) -> tuple[State, list[Note]]:
    """Return the state of the last run; an empty one if none can be read."""
    raw = read_file(root, paths.STATE)
    if raw is None:
        return State(), []
    try:
        return parse_state(raw), []
    except DamagedStateError as why:
        return State(), [warning(f"{paths.STATE} cannot be used: {why}; it is written anew")]


def find_ours(found: Found, labels: Mapping[str, str]) -> Ours:
    """Return this program's values in the files on the disk; of ``labels`` those that are there."""
    items, environment, config = list[str](), {}, {}
    for path, value in flatten(drop_in.parse_drop_in(found.disk.get(paths.DROP_IN, b""))):
        if path[:-1] == cloud_config.ENVIRONMENT:
            environment[path[-1]] = str(value)
        elif path[:-1] == cloud_config.DOCKER and path[-1] in ("args", "extra_args"):
            items += map(str, value)
        elif not isinstance(value, dict):
            config[".".join(path)] = config_paths.render(
                tuple(map(str, value)) if isinstance(value, list) else value
            )
    text = decode(found.disk.get(paths.CLOUD_CONFIG))
    for key in found.release.argument_keys:
        items += cloud_config.list_items(text, key)
    there = {}
    for key, wanted in labels.items():
        with contextlib.suppress(ValueError):
            if docker_args.make_label_item(key, wanted, found.release.quoting) in items:
                there[key] = wanted
    return Ours(there, environment, config)


def count_missing_items(found: Found) -> int:
    """Return how many of our items are no longer in cloud-config.yml, in which they were set."""
    text = decode(found.disk.get(paths.CLOUD_CONFIG))
    return sum(
        item not in cloud_config.list_items(text, key)
        for key, edit in found.state.edits.items()
        for item in edit.ours
    )


def decode(raw: bytes | None) -> str | None:
    """Return a file as text from which :func:`encode` makes the same bytes."""
    return None if raw is None else raw.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the bytes of a text."""
    return text.encode("utf-8", "surrogateescape")


def _read(root: Path, path: str) -> bytes | None:
    """Return a file of the machine; None if there is none.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return read_plain(_follow(root, path))
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.lexists(paths.locate(root, path)):
            return None
        raise OSError("a symbolic link to something that is not mounted here") from None


def _list_drop_ins(root: Path) -> Iterator[str]:
    """Yield the paths that ``ros`` loads: whatever the suffix, no folders, no leading dot."""
    with os.scandir(paths.locate(root, paths.CLOUD_CONFIG_D)) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and not entry.is_dir(follow_symlinks=False):
                yield f"{paths.CLOUD_CONFIG_D}/{entry.name}"


def _follow(root: Path, path: str) -> Path:
    """Return the file behind ``path``: ``ros`` follows links, from the machine's own root."""
    for _ in range(_LINKS_FOLLOWED):
        here = paths.locate(root, path)
        if not here.is_symlink():
            return here
        path = os.path.normpath(Path(path).parent / here.readlink())
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
