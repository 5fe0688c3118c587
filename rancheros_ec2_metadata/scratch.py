"""A folder for the time of one command."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from rancheros_ec2_metadata.errors import FilesError


@contextlib.contextmanager
def make_scratch_folder(command: str, files: Mapping[str, bytes]) -> Iterator[Path]:
    """Make a folder that only its owner can read, with files by path; remove it on leaving.

    Raises:
        FilesError: there is no place for one, as in a container whose root is read-only.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix=f"ec2-metadata-{command}-")
    except OSError as why:
        text = f"{command} needs a temporary folder, and none can be made: set TMPDIR to a place"
        raise FilesError(f"{text} that can be written") from why
    with made as folder:
        for path, content in files.items():
            target = Path(folder, path.lstrip("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        yield Path(folder)
