"""Files, written so that each is its old or its new self, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.errors import DeadlineError, FilesError
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.change import FileChange

# A dot name beside the target: ros loads every other file of cloud-config.d, whatever its suffix
# (rancheros-contract, "Layers"), and a rename must stay on one file system.
_TEMPORARY = ".ec2-metadata.tmp."
_LOCK_POLL = 0.1


class ChangedError(FilesError):
    """A file is no longer what the plan was made from."""


class Store:
    """Writes below one root folder.

    Args:
        root: the folder that stands for the machine's root.
        dry: write nothing.
    """

    def __init__(self, root: Path, *, dry: bool = False) -> None:
        self.root = root
        self.dry = dry

    @contextlib.contextmanager
    def locked(self, limit: Limit) -> Iterator[None]:
        """Hold the lock on conf/: two runs at once take turns.

        The lock is on the folder itself, so no file of ours is left behind for it. What only looks
        waits for its turn too, then lets the next one go ahead: a boot waits for nobody's look.

        Raises:
            FilesError: the folder is not there. DeadlineError: another run held it until the limit.
        """
        conf = self._at(paths.CONF)
        try:
            handle = os.open(conf, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise FilesError(
                f"{paths.CONF} is not there ({error.strerror}): nothing can be written; mount it"
                f" into this container ({paths.CONF}:{paths.CONF})"
            ) from error
        try:
            while not _try_lock(handle):
                if limit.passed():
                    raise DeadlineError(f"another run holds the lock on {paths.CONF}")
                limit.sleep(_LOCK_POLL)
            if self.dry:
                fcntl.flock(handle, fcntl.LOCK_UN)
            else:
                self._sweep()
            yield
        finally:
            os.close(handle)

    def write(self, change: FileChange) -> None:
        """Write or remove one file, whole or not at all.

        Raises:
            ChangedError: the file is not as the plan saw it; it is untouched.
            FilesError: it cannot be written; it is as it was.
        """
        if self.dry:
            return
        if change.after is None:
            self._remove(change)
        else:
            self._write(change, change.after)

    def drop_temporary(self, path: str) -> None:
        """Remove what a run that was killed has left beside ``path``, in a folder not ours."""
        if not self.dry:
            with contextlib.suppress(OSError):
                _temporary(self._at(path)).unlink()

    def _write(self, change: FileChange, content: bytes) -> None:
        target = self._at(change.path)
        temporary = _temporary(target)
        with _named(change.path, "could not be written"):
            if change.path == paths.DROP_IN:
                _make_folder(target.parent)
            like = self._check(change)
            try:
                self._fill(temporary, content, like)
                self._check(change)
                os.replace(temporary, target)  # noqa: PTH105 - one rename(2), not a path's opinion
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _sync_folder(target.parent)

    @staticmethod
    def _fill(temporary: Path, content: bytes, like: os.stat_result | None) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, flags, 0o600)
        with open(handle, "wb") as file:  # noqa: PTH123 - a file descriptor, not a path
            file.write(content)
            file.flush()
            if like is not None:
                # The user's file keeps its owner and mode: private keys are in cloud-config.yml.
                if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(handle, like.st_uid, like.st_gid)
                os.fchmod(handle, stat.S_IMODE(like.st_mode))
            os.fsync(handle)

    def _remove(self, change: FileChange) -> None:
        target = self._at(change.path)
        with _named(change.path, "could not be removed"):
            self._check(change)
            target.unlink(missing_ok=True)
            _sync_folder(target.parent)

    def _check(self, change: FileChange) -> os.stat_result | None:
        """Return the target's attributes to keep, None for a file of ours.

        Raises:
            ChangedError: its content is not what the plan was made from.
            FilesError: it, or its folder, is a symlink.
        """
        target = self._at(change.path)
        if target.parent.is_symlink():
            raise _link(change.path.rpartition("/")[0])
        try:
            handle = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            if change.before is not None:
                raise ChangedError(f"{change.path} has gone while this program ran") from None
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _link(change.path) from None
            raise
        with open(handle, "rb") as file:  # noqa: PTH123 - a file descriptor, not a path
            if file.read() != change.before:
                raise ChangedError(f"{change.path} has changed while this program ran")
            like = os.fstat(handle)
        return like if change.path == paths.CLOUD_CONFIG else None

    def _sweep(self) -> None:
        """Remove what a run that was killed has left."""
        conf, drop_ins = self._at(paths.CONF), self._at(paths.CLOUD_CONFIG_D)
        for folder in (conf, *([] if drop_ins.is_symlink() else [drop_ins])):
            with contextlib.suppress(OSError):
                for entry in os.scandir(folder):
                    if entry.name.startswith(_TEMPORARY):
                        os.unlink(entry.path)  # noqa: PTH108 - scandir gives strings

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")


def _temporary(target: Path) -> Path:
    return target.with_name(f"{_TEMPORARY}{target.name.lstrip('.')}")


def _link(path: str) -> FilesError:
    return FilesError(
        f"{path} is a symbolic link, which is never followed in writing; put what it points to"
        " there"
    )


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_folder(folder: Path) -> None:
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o755, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _named(path: str, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FilesError(f"{path} {what}: {error.strerror or error}; it is as it was") from error
