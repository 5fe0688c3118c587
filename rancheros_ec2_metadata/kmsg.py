"""The last line of a run to the kernel's log, so that EC2's console output shows it.

Only where the service passes the device. Imports next to nothing, see `start`.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # as in `watchdog`
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DEVICE = "/dev/kmsg"
# Informational: a console shows it unless the kernel was told to be quiet.
_LEVEL = b"<6>"
# Kernels refuse a record longer than their LOG_LINE_MAX: 1024 bytes less a prefix of up to 48.
_LONGEST = 900


def device(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return where the device is for a run with this command line, which need not be a right one.

    Args:
        arguments: with --root, if there is one.
        environ: has AWS_METADATA_ROOT, if that is set.
    """
    root = environ.get("AWS_METADATA_ROOT", "")
    for word, following in zip(arguments, (*arguments[1:], ""), strict=False):
        if word == "--root":
            root = following
        elif word.startswith("--root="):
            root = word.removeprefix("--root=")
    return root.rstrip("/") + _DEVICE


def tell(line: str, path: str) -> None:
    """Write one line, if there is a character device at ``path``; what goes wrong is nothing.

    Args:
        line: printable, without its end.
        path: of the device; a symbolic link is not followed.
    """
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
    text = line.encode("ascii", "backslashreplace")[:_LONGEST]
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return
    try:
        if stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.write(descriptor, _LEVEL + text + b"\n")
    except OSError:
        pass
    finally:
        os.close(descriptor)
