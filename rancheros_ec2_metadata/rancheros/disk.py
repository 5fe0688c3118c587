"""The files that decide what RancherOS does, read once, as bytes.

Everything after this is pure: planning works on a Disk, predicts on a copy of it, and only the
store writes.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

CONF = "/var/lib/rancher/conf"
CLOUD_CONFIG_D = f"{CONF}/cloud-config.d"
CLOUD_CONFIG = f"{CONF}/cloud-config.yml"
# It must sort after boot.yml, init.yml, network.yml and user_config.yml: the last file wins.
DROP_IN_NAME = "zz-ec2-metadata.yml"
DROP_IN = f"{CLOUD_CONFIG_D}/{DROP_IN_NAME}"
STATE = f"{CONF}/.ec2-metadata.json"
RUNS = f"{CONF}/.ec2-metadata-runs.json"
DOCKER_OPTS = f"{CONF}/docker"
SAVED_METADATA = f"{CONF}/metadata"
OS_CONFIG = "/usr/share/ros/os-config.yml"
OEM_CONFIG = "/usr/share/ros/oem/oem-config.yml"
DAEMON_JSON = "/etc/docker/daemon.json"
COMMAND_LINE = "/proc/cmdline"

SIZE_LIMIT = 4 * 1024 * 1024  # bytes; EC2 user-data is 16 KiB at most
FOLDER = "a folder stands where a file should be"
NO_FOLDER = "a file stands where a folder should be"
DANGLING = "a symbolic link to something that cannot be seen from here"

_LINKS_FOLLOWED = 40  # as Linux does


@dataclass(frozen=True)
class Disk:
    """The files as they were when they were read; a file that is not there is in neither mapping.

    Args:
        files: content by absolute path, as the machine names it. Private keys may be among it.
        unreadable: why a file or folder that is there could not be read, by absolute path.
        conf_exists: whether /var/lib/rancher/conf is a folder.
    """

    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    conf_exists: bool = True

    def with_files(self, changes: Mapping[str, bytes | None]) -> Disk:
        """Return the disk as it would be with these files written, or removed where None."""
        kept = {path: content for path, content in self.files.items() if path not in changes}
        written = {path: content for path, content in changes.items() if content is not None}
        unreadable = {path: why for path, why in self.unreadable.items() if path not in changes}
        return replace(self, files=kept | written, unreadable=unreadable)

    def drop_ins(self) -> tuple[str, ...]:
        """Return the paths in cloud-config.d that are there, weakest first: in byte order."""
        paths = {*self.files, *self.unreadable}
        return tuple(sorted((p for p in paths if _is_drop_in(p)), key=os.fsencode))


def _is_drop_in(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder == CLOUD_CONFIG_D and not name.startswith(".")


def read_disk(root: Path) -> Disk:
    """Return what is on the disk below ``root``; what cannot be read is said, never raised."""
    single = (OS_CONFIG, OEM_CONFIG, CLOUD_CONFIG, STATE, DOCKER_OPTS, DAEMON_JSON, COMMAND_LINE)
    disk = Disk(conf_exists=_below(root, CONF).is_dir())
    try:
        paths = sorted(_loadable(root), key=os.fsencode)
    except FileNotFoundError:
        paths = []
    except NotADirectoryError:
        paths = []
        disk = replace(disk, unreadable={CLOUD_CONFIG_D: NO_FOLDER})
    except OSError as error:
        paths = []
        disk = replace(disk, unreadable={CLOUD_CONFIG_D: _why(error)})
    for path in (*single, *paths):
        disk = read_also(root, disk, path)
    return disk


def read_also(root: Path, disk: Disk, path: str) -> Disk:
    """Return ``disk`` with one more file of the machine, as it is now."""
    forgotten = disk.with_files({path: None})
    try:
        content = _read(_followed(root, path))
    except FileNotFoundError:
        if not os.path.lexists(_below(root, path)):
            return forgotten
        return replace(forgotten, unreadable={**forgotten.unreadable, path: DANGLING})
    except NotADirectoryError:
        return forgotten
    except IsADirectoryError:
        return replace(forgotten, unreadable={**forgotten.unreadable, path: FOLDER})
    except OSError as error:
        return replace(forgotten, unreadable={**forgotten.unreadable, path: _why(error)})
    return forgotten.with_files({path: content})


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _loadable(root: Path) -> Iterator[str]:
    """Yield the paths that ``ros`` loads: whatever the suffix, no folders, no leading dot."""
    with os.scandir(_below(root, CLOUD_CONFIG_D)) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and not entry.is_dir(follow_symlinks=False):
                yield f"{CLOUD_CONFIG_D}/{entry.name}"


def _followed(root: Path, path: str) -> Path:
    """Return the file behind ``path``: ``ros`` follows links, from the machine's own root."""
    for _ in range(_LINKS_FOLLOWED):
        here = _below(root, path)
        if not here.is_symlink():
            return here
        path = os.path.normpath(Path(path).parent / here.readlink())
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _read(path: Path) -> bytes:
    # O_NONBLOCK: to open a FIFO nobody writes to would wait for ever, and the boot with it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise OSError("it is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(SIZE_LIMIT + 1)
    finally:
        os.close(descriptor)
    if len(content) > SIZE_LIMIT:
        raise OSError(f"it is larger than {SIZE_LIMIT // 1024**2} MiB")
    return content


def _why(error: OSError) -> str:
    return error.strerror or str(error)
