"""The fake ``ros`` as one executable file, to be mounted as /usr/bin/ros into a container.

The real one is one static file as well; this one needs the container's Python.
"""

from __future__ import annotations

import shutil
import zipapp
from pathlib import Path

import yaml

import fake_ros
import rancheros_ec2_metadata

# Isolated and without site, as the image's own entry point; no folder can be written to there.
_INTERPRETER = "/usr/local/bin/python3 -IS"
_MAIN = """\
import sys
from fake_ros import main
sys.exit(main("/", {release!r}, None, sys.argv[1:]))
"""


def make(file: Path, release: str, folder: Path) -> None:
    """Write a ``ros`` of a release, which answers for the machine whose root is ``/``.

    Args:
        file: to write. release: its name, as ``v1.5.8``. folder: a new one, for its parts.
    """
    folder.mkdir()
    tests = Path(fake_ros.__file__).parent
    for module in ("fake_ros.py", "candied_emitter.py"):
        shutil.copy(tests / module, folder)
    for package in (rancheros_ec2_metadata, yaml):
        source = Path(str(package.__file__)).parent
        # Compiled modules are of this Python; an extension module does not load from an archive.
        left_out = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(source, folder / source.name, ignore=left_out)
    (folder / "__main__.py").write_text(_MAIN.format(release=release))
    zipapp.create_archive(folder, file, interpreter=_INTERPRETER)
    file.chmod(0o755)
