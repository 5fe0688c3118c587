"""The stand-in for ``ros`` as one executable file, to be mounted as /usr/bin/ros into a container.

The real one is one static file as well; this one needs the Python of the image, and its yaml.
"""

from __future__ import annotations

import compileall
import shutil
import zipapp
from pathlib import Path
from py_compile import PycInvalidationMode

import ros_stand_in

# Isolated and without site, as the image's own entry point; no folder can be written to there.
_INTERPRETER = "/usr/local/bin/python3 -IS"
_MAIN = """\
import sys
sys.path.append("/app")
from ros_stand_in.root_folder import main
sys.exit(main("/", {release!r}, sys.argv[1:]))
"""


def make(file: Path, release: str, folder: Path) -> None:
    """Write a ``ros`` of a release, which answers for the machine whose root is ``/``.

    Args:
        file: to write. release: its name, as ``v1.5.8``. folder: a new one, for its parts.
    """
    source = Path(str(ros_stand_in.__file__)).parent
    shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    # Another Python takes the sources, which are in it too.
    unchecked = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder, quiet=1, legacy=True, invalidation_mode=unchecked)
    (folder / "__main__.py").write_text(_MAIN.format(release=release))
    zipapp.create_archive(folder, file, interpreter=_INTERPRETER)
    file.chmod(0o755)
