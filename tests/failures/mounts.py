"""Runs with a mount of their own on a folder of the machine: a disk is full, or read-only."""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

# A file system of 16 pages, of which so many bytes are free.
FULL = (
    'mount -t tmpfs -o size=64k tmpfs "$folder" && cp -a "$copy/." "$folder" &&'
    ' {{ head -c 65536 /dev/zero >"$folder/filler" || true; }} 2>/dev/null &&'
    ' truncate -s -{bytes} "$folder/filler"'
)
READ_ONLY = 'mount --bind "$folder" "$folder" && mount -o remount,ro,bind "$folder"'


@contextlib.contextmanager
def mounted(folder: Path, mount: str) -> Iterator[tuple[str, ...]]:
    """Yield the beginning of a command that runs a program with a mount.

    Args:
        folder: $folder in ``mount``, and $copy is a copy of it; it has in the end what the program
            has left there.
        mount: shell text.
    """
    copy = folder.with_name(f"{folder.name}.copy")
    shutil.copytree(folder, copy)
    script = (
        f"folder={shlex.quote(str(folder))}; copy={shlex.quote(str(copy))}; {mount} || exit 99;"
        ' "$@"; status=$?; rm -f "$folder/filler"; rm -rf "$copy"; cp -a "$folder" "$copy";'
        " exit $status"
    )
    yield ("unshare", "--mount", "sh", "-c", script, "sh")
    shutil.rmtree(folder)
    copy.rename(folder)
