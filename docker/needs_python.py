"""Say which Python is needed, where it is an older one: shiv runs this before the program."""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - it is for those
    file = globals()["archive"]  # shiv's name for the one file
    sys.exit(
        f"{file} needs Python 3.10 or newer, and this is {sys.version.split()[0]}:"
        f" install another, such as python3.11, and run python3.11 {file}"
    )
