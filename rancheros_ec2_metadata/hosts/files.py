"""Writes files so that each is the old or the new one, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.errors import DeadlineError, FilesError

# A dot name beside the target: ros loads every other file of cloud-config.d, whatever its suffix,
# and a rename must stay on one file system.
_TEMPORARY = ".ec2-metadata.tmp."
_LOCK_POLL = 0.1  # seconds
SIZE_LIMIT = 4 * 1024 * 1024  # bytes; EC2 user-data is 16 KiB at most


class ChangedError(FilesError):
    """A file is no longer what the plan was made from."""


class FileChange(NamedTuple):
    """One file, as it is and as planned; None if there is no file.

    Args:
        path: absolute, as the machine names it.
        before: what the plan was made from. It may hold private keys, so no repr has it.
        after: the planned content.
        keeps_attributes: the file is the user's: owner, mode and extended attributes stay.
        is_record: the file is this program's own record, and configures nothing.
        mode: of the file, unless the user's stays.
        tell: yields the lines of its diff, if the text of the file must not be shown.
    """

    path: str
    before: bytes | None
    after: bytes | None
    keeps_attributes: bool = False
    is_record: bool = False
    mode: int = 0o600
    tell: Callable[[], Iterator[str]] | None = None

    def __repr__(self) -> str:
        return f"FileChange({self.path!r})"


class Files:
    """Writes files of the machine.

    Args:
        locate: returns where a file of the machine is found.
        dry: write nothing.
    """

    def __init__(self, locate: Callable[[str], Path], *, dry: bool = False) -> None:
        self.locate = locate
        self.dry = dry

    @contextlib.contextmanager
    def lock(self, folder: str, limit: Limit, fix: str, *, is_ours: bool = False) -> Iterator[None]:
        """Hold the lock on a folder: two runs at once take turns.

        The lock is on the folder itself, so no file is left behind for it. A dry run
        waits for it too, but does not hold it, so that a boot never waits for a dry run.

        Args:
            folder: as the machine names it.
            limit: until when it is waited for.
            fix: what to do if the folder does not exist.
            is_ours: make it instead; a dry run then needs no lock.

        Raises:
            FilesError: the folder is not there. DeadlineError: another run held it until the limit.
        """
        where = self.locate(folder)
        if is_ours and self.dry and not where.exists():
            yield
            return
        try:
            if is_ours:
                where.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = take_lock(where, limit)
        except BlockingIOError:
            text = f"another run holds the lock on {folder}; try again when it has ended"
            raise DeadlineError(text) from None
        except OSError as error:
            raise FilesError(f"{folder} is not there: {error.strerror}; {fix}") from error
        try:
            if self.dry:
                fcntl.flock(handle, fcntl.LOCK_UN)
            yield
        finally:
            os.close(handle)

    def sweep(self, folder: str) -> None:
        """Remove what a run that was killed has left in a folder; a linked one is left alone."""
        where = self.locate(folder)
        if self.dry or where.is_symlink():
            return
        with contextlib.suppress(OSError):
            for file in where.iterdir():
                if file.name.startswith(_TEMPORARY):
                    file.unlink()

    def write(self, change: FileChange) -> None:
        """Write or remove one file, whole or not at all; its folder is made if it must be.

        Raises:
            ChangedError: the file is not as the plan saw it; it is untouched.
            FilesError: it cannot be written; it is as it was.
        """
        if self.dry:
            return
        target = self.locate(change.path)
        what = "removed" if change.after is None else "written"
        try:
            if change.after is None:
                _check(change, target)
                # A run that was killed may have left it, in a folder that nothing sweeps.
                _make_temporary(target).unlink(missing_ok=True)
                target.unlink(missing_ok=True)
            else:
                _write(change, target, change.after)
            _sync_folder(target.parent)
        except OSError as error:
            why = error.strerror or error
            raise FilesError(
                f"{change.path} could not be {what}: {why}; it is as it was"
            ) from error


def take_lock(folder: Path, limit: Limit) -> int:
    """Return a handle that holds the lock on a folder until it is closed.

    Raises:
        BlockingIOError: another run held it until the limit. OSError: the folder is not there.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if limit.passed():
                os.close(handle)
                raise
            limit.sleep(_LOCK_POLL)
        else:
            return handle


def read_plain(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: it cannot be read, is not a regular file, or is larger than SIZE_LIMIT.
    """
    # O_NONBLOCK: to open a FIFO that nobody writes to would wait for ever, and the boot with it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError("a folder stands where a file should be")
        if not stat.S_ISREG(mode):
            raise OSError("it is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(SIZE_LIMIT + 1)
    finally:
        os.close(descriptor)
    if len(content) > SIZE_LIMIT:
        raise OSError(f"it is larger than {SIZE_LIMIT // 1024**2} MiB")
    return content


def digest_file(path: Path) -> str | None:
    """Return the sha256 of a file; None if none can be read."""
    try:
        return hashlib.sha256(read_plain(path)).hexdigest()
    except OSError:
        return None


def _write(change: FileChange, target: Path, content: bytes) -> None:
    if not os.path.lexists(target.parent):
        target.parent.mkdir(mode=0o755, exist_ok=True)
        _sync_folder(target.parent.parent)
    old = _check(change, target)
    temporary = _make_temporary(target)
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(temporary, flags, 0o600)
        with open(handle, "wb") as file:  # noqa: PTH123 - a file descriptor, not a path
            file.write(content)
            file.flush()
            os.fchmod(handle, change.mode)
            if change.keeps_attributes and old is not None:
                _copy_attributes(target, old, handle)
            os.fsync(handle)
        _check(change, target)
        os.replace(temporary, target)  # noqa: PTH105 - one rename(2), not a path's opinion
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _make_temporary(target: Path) -> Path:
    return target.with_name(f"{_TEMPORARY}{target.name.lstrip('.')}")


def _copy_attributes(source: Path, old: os.stat_result, target: int) -> None:
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(target, old.st_uid, old.st_gid)
    os.fchmod(target, stat.S_IMODE(old.st_mode))
    with contextlib.suppress(OSError):  # not every file system has them, nor may all be set
        for name in os.listxattr(source, follow_symlinks=False):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False))


def _check(change: FileChange, target: Path) -> os.stat_result | None:
    """Return the attributes of the file that is there, None if none is.

    Raises:
        ChangedError: its content is not what the plan was made from.
        FilesError: it, or its folder, is a symbolic link.
    """
    if target.parent.is_symlink():
        raise _refuse_link(change.path.rpartition("/")[0])
    try:
        handle = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if change.before is not None:
            raise ChangedError(f"{change.path} has gone while this program ran") from None
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refuse_link(change.path) from None
        raise
    with open(handle, "rb") as file:  # noqa: PTH123 - a file descriptor, not a path
        if file.read() != change.before:
            raise ChangedError(f"{change.path} has changed while this program ran")
        return os.fstat(handle)


def _refuse_link(path: str) -> FilesError:
    return FilesError(
        f"{path} is a symbolic link, which is never followed in writing; put the file itself there"
    )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
