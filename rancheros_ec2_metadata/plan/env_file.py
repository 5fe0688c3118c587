"""The file of --env-file: this program's variables, for containers that are started by hand.

Docker's client reads it (docker/cli, opts/file.go, later pkg/kvfile): a line is ``NAME=value`` and
nothing in it is quoted or replaced; one line that is not UTF-8 or of 64 KiB loses the whole file.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.errors import ExitStatus, Note, UsageError, error, shown
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.disk import Disk

if TYPE_CHECKING:
    from rancheros_ec2_metadata.settings import Settings

# bufio.MaxScanTokenSize of Go, the line end included.
_LINE_BYTES = 64 * 1024

_DIGEST = "# sha256 of the lines below: "
_COMMENT = (
    "# Written by rancheros-ec2-metadata from this instance's tags and metadata, anew at every\n"
    "# boot, for docker run --env-file. Not for a shell: nothing in it is quoted.\n"
    "# To take it back: run the service once with the command 'clean'.\n"
)
# What runs or steers the machine: a line in one of these is more than a variable of a container.
_NOT_FOR_IT = frozenset(
    {
        paths.CLOUD_CONFIG,
        paths.DOCKER_OPTS,
        f"{paths.CONF}/metadata",
        paths.OS_CONFIG,
        paths.OEM_CONFIG,
        paths.DAEMON_JSON,
        "/etc/environment",
        "/etc/profile",
    }
)
_NO_FOLDER_FOR_IT = (f"{paths.CLOUD_CONFIG_D}/", "/etc/profile.d/", "/proc/", "/sys/", "/dev/")
_OUR_NAMES = ".ec2-metadata"


@dataclass(frozen=True)
class EnvFile:
    """What one such file shall hold.

    Args:
        path: absolute, as the machine names it.
        variables: by name; each of them can be held.
    """

    path: str
    variables: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings, variables: Mapping[str, str]) -> EnvFile | None:
        """Return the file that ``settings`` ask for, if they do."""
        return cls(settings.env_file, variables) if settings.env_file is not None else None


@dataclass(frozen=True)
class Planned:
    """What becomes of such files.

    Args:
        gone: files of earlier runs, which are to go.
        written: what the file shall be, by its path; empty where none is wanted or it is refused.
        paths: of the files that are ours before or after.
        notes: what was refused.
    """

    gone: tuple[str, ...]
    written: Mapping[str, bytes]
    paths: tuple[str, ...]
    notes: tuple[Note, ...]


def path(text: str) -> str:
    """Return the path that an operator gives.

    Raises:
        UsageError: it is not absolute, or something else would read what is there as its own.
    """
    plain = os.path.normpath(text)
    if not text.startswith("/") or text.endswith("/") or not text.isprintable():
        raise UsageError(f"{shown(text)} is not the absolute path of a file")
    plain = plain.replace("//", "/")
    name = plain.rpartition("/")[2]
    if plain in _NOT_FOR_IT or plain.startswith(_NO_FOLDER_FOR_IT) or name.startswith(_OUR_NAMES):
        raise UsageError(f"{shown(text)} is a file of the system's or of this program's own")
    return plain


def unholdable(name: str, value: str) -> str | None:
    """Return why Docker would not read ``name`` with ``value`` from the file; None if it would."""
    if "\n" in value or value.endswith("\r"):
        return "it holds a line end, and a variable is one line there"
    if "\0" in value:
        return "it holds a NUL, and no container would start with it"
    try:
        line = f"{name}={value}\n".encode()
    except UnicodeEncodeError:
        return "it is not Unicode text"
    if len(line) > _LINE_BYTES:
        return f"its line would be longer than {_LINE_BYTES} bytes"
    return None


def render(variables: Mapping[str, str]) -> bytes:
    """Return the file with ``variables``, by which `is_ours` knows it again."""
    lines = "".join(f"{name}={value}\n" for name, value in sorted(variables.items())).encode()
    return f"{_COMMENT}{_DIGEST}{hashlib.sha256(lines).hexdigest()}\n".encode() + lines


def is_ours(content: bytes) -> bool:
    """Tell whether a file is empty, or just as a run wrote it."""
    head, found, rest = content.partition(f"\n{_DIGEST}".encode())
    digest, _, lines = rest.partition(b"\n")
    if not found:
        return not content
    is_comment = re.fullmatch(rb"(#[^\n]*\n)*#[^\n]*", head) is not None
    return is_comment and digest == hashlib.sha256(lines).hexdigest().encode()


def planned(disk: Disk, former: Iterable[str], wanted: EnvFile | None) -> Planned:
    """Return what becomes of the files of earlier runs, and of the one that is wanted now.

    Args:
        disk: with all of these files.
        former: paths that the last run knew as ours.
        wanted: None where there shall be none.
    """
    gone: list[str] = []
    notes: list[Note] = []
    written: dict[str, bytes] = {}
    if wanted is not None and wanted.variables:
        why = _not_ours(disk, wanted.path)
        if why is None:
            written[wanted.path] = render(wanted.variables)
        else:
            text = f"{wanted.path} is not written: {why}; move it away, or name another file"
            notes.append(error(ExitStatus.FILES, text))
    for one in former:
        there = one in disk.files or one in disk.unreadable
        if not there or (wanted is not None and wanted.variables and one == wanted.path):
            continue
        why = _not_ours(disk, one)
        if why is None:
            gone.append(one)
        else:
            text = f"{one}, which an earlier run wrote, is left as it is: {why}; remove it"
            notes.append(error(ExitStatus.FILES, text))
    return Planned(tuple(gone), written, (*gone, *written), tuple(notes))


def _not_ours(disk: Disk, one: str) -> str | None:
    """Return why what is at a path may not be touched; None where it may, or nothing is there."""
    if one in disk.unreadable:
        return disk.unreadable[one]
    return None if is_ours(disk.files.get(one, b"")) else "it is not as this program wrote it"
