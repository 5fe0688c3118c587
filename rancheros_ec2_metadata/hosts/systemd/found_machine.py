"""The files of a machine with systemd, and this program's values in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from rancheros_ec2_metadata.errors import Note, warning
from rancheros_ec2_metadata.hosts.files import read_plain
from rancheros_ec2_metadata.hosts.state import DamagedStateError, State, parse_state
from rancheros_ec2_metadata.hosts.systemd import daemon_json, unit_env_file
from rancheros_ec2_metadata.hosts.systemd.daemon_json import CannotMergeError, DaemonJson

FOLDER = "/etc/docker"
DAEMON_JSON = f"{FOLDER}/daemon.json"
RECORD = f"{FOLDER}/.ec2-docker-labels.json"
STATE_FOLDER = "/var/lib/ec2-docker-labels"
STATE = f"{STATE_FOLDER}/state.json"

_READ = (DAEMON_JSON, RECORD, STATE, unit_env_file.PATH)


class FoundMachine(NamedTuple):
    """The machine's files as they are.

    Args:
        root: the folder that stands for its root.
        files: content by path.
        unreadable: why a file that is there is left alone, by path.
        state: what the last run left.
        file: daemon.json; None if there is none, or it must be left alone.
        cannot_merge: why it must be left alone.
        record: this program's labels in it; None if it has none.
        notes: for the log.
    """

    root: Path
    files: Mapping[str, bytes]
    unreadable: Mapping[str, str]
    state: State
    file: DaemonJson | None
    cannot_merge: CannotMergeError | None
    record: daemon_json.LabelRecord | None
    notes: tuple[Note, ...]

    def __repr__(self) -> str:
        return f"FoundMachine({sorted(self.files)})"

    @property
    def items(self) -> tuple[str, ...]:
        """The labels of daemon.json."""
        return self.file.items if self.file is not None else ()

    @property
    def our_labels(self) -> dict[str, str]:
        """Our labels that daemon.json sets."""
        known = self.record.ours if self.record is not None else ()
        ours = (item.partition("=") for item in self.items if item in known)
        return {key: value for key, _, value in ours}


def read_files(root: Path, paths: Iterable[str]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return files that are there by path, and why a file that is there is left alone."""
    files, unreadable = dict[str, bytes](), dict[str, str]()
    for path in paths:
        where = root / path.lstrip("/")
        try:
            if where.is_symlink() or where.parent.is_symlink():
                unreadable[path] = "a symbolic link, which is never followed in writing"
            else:
                files[path] = read_plain(where)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as why:
            unreadable[path] = why.strerror or str(why)
    return files, unreadable


def read_state(root: Path) -> tuple[State, list[Note]]:
    """Return the state of the last run; an empty one if none can be read."""
    files, _ = read_files(root, (STATE,))
    try:
        return (parse_state(files[STATE]) if STATE in files else State()), []
    except DamagedStateError as why:
        return State(), [warning(f"{STATE} cannot be used: {why}; it is written anew")]


def find_machine(root: Path, more: Iterable[str] = ()) -> FoundMachine:
    """Return the machine's files as they are.

    Args:
        root: the folder that stands for the machine's root.
        more: paths of other files to read.
    """
    state, notes = read_state(root)
    files, unreadable = read_files(root, (*_READ, *state.env_files, *more))
    file, cannot_merge = None, None
    try:
        file = _parse_daemon_json(files, unreadable)
    except CannotMergeError as why:
        cannot_merge = why
    record = None
    try:
        if RECORD in files:
            record = daemon_json.parse_record(files[RECORD])
    except ValueError:
        notes.append(warning(f"{RECORD} cannot be used; it is written anew"))
    if record is None and state.labels:
        # Ours are known by what the last run has set, too.
        ours = tuple(f"{key}={value}" for key, value in state.labels.items())
        record = daemon_json.LabelRecord("", ours)
    return FoundMachine(root, files, unreadable, state, file, cannot_merge, record, tuple(notes))


def _parse_daemon_json(
    files: Mapping[str, bytes], unreadable: Mapping[str, str]
) -> DaemonJson | None:
    """Return daemon.json as read; None if there is none.

    Raises:
        CannotMergeError: it must be left alone.
    """
    if why := unreadable.get(DAEMON_JSON):
        raise CannotMergeError(f"{why}; make it a plain file")
    if why := unreadable.get(RECORD):
        raise CannotMergeError(f"what of it is ours is not known, {RECORD}: {why}; remove that")
    raw = files.get(DAEMON_JSON)
    return None if raw is None else daemon_json.parse_daemon_json(raw)
