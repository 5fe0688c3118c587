"""The rehearsal: a change is tried on a copy, and ``ros`` is asked what it reads there.

The copy is in the container's own memory. It holds what ``ros`` reads of conf/, private keys among
it, for as long as one round of questions takes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.hosts.files import take_lock
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.ros import SECONDS, Answers, NoAnswerError, Ros
from rancheros_ec2_metadata.hosts.rancheros.ros_yaml import Tree, flatten

# Lists that `ros` prints in random order where a service gives them as a map.
_UNORDERED = ("environment", "links")


_READ_BY_ROS = (paths.CLOUD_CONFIG, paths.SAVED_METADATA)


class Rehearsal:
    """Asks ``ros`` what it reads of a copy.

    Args:
        root: the folder that stands for the root of the container.
        ros: is asked; None if there is none.
        limit: for all questions together.
    """

    def __init__(self, root: Path, ros: Ros | None, limit: Limit) -> None:
        self._root = root
        self._ros = ros
        self._limit = limit
        self._failed: NoAnswerError | None = None
        self._known: dict[str, Answers] = {}
        self.rounds = 0

    def ask(self, files: Mapping[str, bytes]) -> Answers:
        """Return what ``ros`` reads where the machine's files are ``files``.

        The same files are asked about once in a run, and nothing is asked after a question that was
        not answered.

        Raises:
            NoAnswerError: it could not be asked, or gave no answer.
        """
        if self._failed is not None:
            raise self._failed
        key = digest(files)
        if key not in self._known:
            try:
                self._known[key] = self._ask(files)
            except NoAnswerError as failed:
                self._failed = failed
                raise
        return self._known[key]

    def _ask(self, files: Mapping[str, bytes]) -> Answers:
        if self._ros is None:
            raise NoAnswerError(
                "there is no ros to ask; mount it into this container"
                " (/usr/bin/ros:/usr/bin/ros:ro)"
            )
        self._check_mounts()
        if self._limit.passed():
            raise NoAnswerError("no time was left to ask ros; give a longer --deadline")
        self.rounds += 1
        copy = self._root / paths.COPY.lstrip("/")
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            # `plan` may look in the container in which a run asks.
            lock = take_lock(copy.parent, self._limit.within(SECONDS))
            try:
                _lay_out(copy, _read_by_ros(files))
                return self._ros.ask(min(SECONDS, self._limit.remaining()))
            finally:
                shutil.rmtree(copy, ignore_errors=True)
                os.close(lock)
        except NoAnswerError as why:
            text = f"{self._ros.path} config get: {why}; run it on the machine to see why"
            raise NoAnswerError(text) from None
        except BlockingIOError:
            text = "another run in this container asks ros; try again when it has ended"
            raise NoAnswerError(text) from None
        except OSError as why:
            text = f"no copy can be made in {paths.COPY}: {why.strerror}"
            raise NoAnswerError(f"{text}; it needs some free memory in /dev/shm") from None

    def _check_mounts(self) -> None:
        """Raise if ``ros`` would not read the copy, but the machine's own files.

        Raises:
            NoAnswerError: conf/ is not mounted where it should be.
        """
        copy, looked_at = (self._root / path.lstrip("/") for path in (paths.COPY, paths.CONF))
        if not (self._root / f"host{paths.CONF}").is_dir() or os.path.ismount(copy):
            raise NoAnswerError(f"{paths.CONF} is mounted at the old place; write {paths.MOUNT}")
        if Path(os.path.realpath(looked_at)) != Path(os.path.realpath(copy)):
            text = f"{paths.CONF} in this container is not the link to {paths.COPY} of the image"
            raise NoAnswerError(f"{text}; use the image as it is")


def remove_copy(root: Path) -> None:
    """Remove the copy of a run that was ended in the middle, unless another run asks just now."""
    copy = root / paths.COPY.lstrip("/")
    if copy.is_dir() and not copy.is_symlink() and not os.path.ismount(copy):
        with contextlib.suppress(OSError):
            lock = take_lock(copy.parent, Limit.after(0, Clock()))
            shutil.rmtree(copy, ignore_errors=True)
            os.close(lock)


def digest(files: Mapping[str, bytes]) -> str:
    """Return a digest of all that ``ros`` reads: files, defaults, command line."""
    others = (paths.OS_CONFIG, paths.OEM_CONFIG, paths.COMMAND_LINE)
    read = {path: files.get(path, b"") for path in others} | _read_by_ros(files)
    whole = hashlib.sha256()
    for path, content in sorted(read.items()):
        whole.update(f"{os.fsencode(path)!r} {len(content)}\n".encode() + content)
    return whole.hexdigest()


def check_readable(unreadable: Mapping[str, str]) -> None:
    """Raise if no copy would be what ``ros`` reads on the machine.

    Raises:
        NoAnswerError: it names the file.
    """
    for path, why in sorted(unreadable.items()):
        if path in (*_READ_BY_ROS, paths.CLOUD_CONFIG_D) or (
            path.startswith(f"{paths.CLOUD_CONFIG_D}/") and path != paths.DROP_IN
        ):
            text = f"{paths.name_layer(path)} cannot be read: {why}"
            raise NoAnswerError(f"{text}; make it a plain file that root can read")


def find_difference(
    before: Answers, after: Answers, ours: Collection[tuple[str, ...]], *, unhidden: bool = False
) -> str | None:
    """Return the first key that reads otherwise than before, None if none does; never its value.

    Args:
        before: what ``ros`` reads without us.
        after: what it reads with us.
        ours: the paths that are ours to change.
        unhidden: what a null of the user's had hidden may be there again.
    """
    was, now = _list_values(before), _list_values(after)
    for path in sorted(was.keys() | now.keys()):
        old, new = was.get(path, ""), now.get(path, "")
        if old == new or any(path[: len(one)] == one for one in ours):
            continue
        # Our map takes the place of what is empty above it.
        is_above_ours = any(one[: len(path)] == path for one in ours)
        if is_above_ours and _is_empty(old) and _is_empty(new):
            continue
        if unhidden and (_is_empty(old) or old in ("false", "0")):
            continue
        return ".".join(path)
    return None


def _list_values(answers: Answers) -> dict[tuple[str, ...], Tree]:
    values = dict(flatten(answers._asdict()))
    for path, value in values.items():
        if path[-1] in _UNORDERED and isinstance(value, list):
            values[path] = sorted(value, key=str)
    return values


def _is_empty(value: Tree) -> bool:
    return value in ("", "null", "~", [], {})


def _read_by_ros(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files below conf/ that ``ros`` reads."""
    names = (*paths.list_drop_ins(files), *_READ_BY_ROS)
    return {path: files[path] for path in names if path in files}


def _lay_out(copy: Path, files: Mapping[str, bytes]) -> None:
    shutil.rmtree(copy, ignore_errors=True)  # of a run that was killed
    copy.mkdir(mode=0o700, parents=True)
    (copy / "cloud-config.d").mkdir(mode=0o700)
    for path, content in files.items():
        target = copy / path.removeprefix(f"{paths.CONF}/")
        target.touch(mode=0o600)
        target.write_bytes(content)
