"""The stand-in for ``ros`` as one executable file, to be mounted as /usr/bin/ros into a container.

The real one is one static file as well; this one needs the container's Python.
"""

from __future__ import annotations

import shutil
import zipapp
from pathlib import Path

import yaml

import ros_stand_in

# Isolated and without site, as the image's own entry point; no folder can be written to there.
_INTERPRETER = "/usr/local/bin/python3 -IS"
_MAIN = """\
import sys
from ros_stand_in.root_folder import main
sys.exit(main("/", {release!r}, sys.argv[1:]))
"""


def make(file: Path, release: str, folder: Path) -> None:
    """Write a ``ros`` of a release, which answers for the machine whose root is ``/``.

    Args:
        file: to write. release: its name, as ``v1.5.8``. folder: a new one, for its parts.
    """
    folder.mkdir()
    for package in (ros_stand_in, yaml):
        source = Path(str(package.__file__)).parent
        # Compiled modules are of this Python; an extension module does not load from an archive.
        left_out = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(source, folder / source.name, ignore=left_out)
    (folder / "__main__.py").write_text(_MAIN.format(release=release))
    zipapp.create_archive(folder, file, interpreter=_INTERPRETER)
    file.chmod(0o755)
