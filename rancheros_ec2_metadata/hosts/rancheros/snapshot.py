"""The files that decide what RancherOS does, read once, as bytes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rancheros_ec2_metadata.hosts.files import read_plain
from rancheros_ec2_metadata.hosts.rancheros import paths

_LINKS_FOLLOWED = 40  # as Linux does
_READ = (
    *(paths.OS_CONFIG, paths.OEM_CONFIG, paths.CLOUD_CONFIG, paths.SAVED_METADATA),
    *(paths.STATE, paths.SCRIPT, paths.COMMAND_LINE),
)


class Snapshot(NamedTuple):
    """The files as they were when they were read; a file that is not there is in neither mapping.

    Args:
        files: content by path. Private keys may be among it.
        unreadable: why a file or folder that is there could not be read, by path.
    """

    files: Mapping[str, bytes] = {}
    unreadable: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Snapshot({sorted(self.files)}, {self.unreadable})"

    def with_file(self, path: str, content: bytes | None) -> Snapshot:
        """Return the same with one file written, or removed where ``content`` is None."""
        files = {name: raw for name, raw in self.files.items() if name != path}
        unreadable = {name: why for name, why in self.unreadable.items() if name != path}
        return Snapshot(files if content is None else {**files, path: content}, unreadable)

    def drop_ins(self) -> tuple[str, ...]:
        """Return the paths in cloud-config.d that ``ros`` loads, weakest first, ours included."""
        names = (path for path in self.files if path.startswith(f"{paths.CLOUD_CONFIG_D}/"))
        return tuple(sorted(names, key=os.fsencode))


def read_snapshot(root: Path) -> Snapshot:
    """Return what is on the disk; what cannot be read is said, never raised.

    Args:
        root: the folder that stands for the root of the container.
    """
    snapshot = Snapshot()
    try:
        drop_ins = list(_list_drop_ins(root))
    except FileNotFoundError:
        drop_ins = []
    except OSError as error:
        drop_ins = []
        snapshot = snapshot._replace(unreadable={paths.CLOUD_CONFIG_D: _explain(error)})
    for path in (*_READ, *drop_ins):
        snapshot = read_file(root, snapshot, path)
    return snapshot


def read_file(root: Path, snapshot: Snapshot, path: str) -> Snapshot:
    """Return ``snapshot`` with one more file of the machine, as it is now."""
    without = snapshot.with_file(path, None)
    try:
        return without.with_file(path, read_plain(_follow(root, path)))
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.lexists(paths.locate(root, path)):
            return without
        why = "a symbolic link to something that is not mounted here"
    except OSError as error:
        why = _explain(error)
    return without._replace(unreadable={**without.unreadable, path: why})


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


def _explain(error: OSError) -> str:
    return error.strerror or str(error)
