"""The entry point: a run at boot is a child of the supervisor, all else runs in this process."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

from rancheros_ec2_metadata import supervisor
from rancheros_ec2_metadata.commands import AT_BOOT

TYPE_CHECKING = False  # as in `supervisor`
if TYPE_CHECKING:
    from rancheros_ec2_metadata.commands.invocation import Process

_COPY = "dev/shm/rancher-conf"  # of rancheros.paths, which other hosts do not import


def console() -> None:
    """Run the program, and end the process with its exit status."""
    _open_what_is_closed()
    first = sys.argv[1] if sys.argv[1:] else "apply"
    if first in AT_BOOT or first.startswith("-"):
        status = supervisor.supervise(_run_at_boot, _write_last_line)
    else:
        from rancheros_ec2_metadata.commands.invocation import Process  # noqa: PLC0415 - after the fork

        status = _main(Process(os.environ, sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue  # the exit status is that of the command
    # Not sys.exit: Python would flush again, and could exit with another status.
    os._exit(status)


def _open_what_is_closed() -> None:
    """Open the null device for each standard stream that is closed.

    Python has None in its place, and the next file that is opened would get its number.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8"))


def _run_at_boot(started: float, run_for: supervisor.RunFor) -> int:
    gc.disable()  # a run is too short for garbage collection to pay off
    from rancheros_ec2_metadata.commands.invocation import Process  # noqa: PLC0415 - after the fork
    from rancheros_ec2_metadata.log import make_nonblocking  # noqa: PLC0415 - as above

    stderr = make_nonblocking(sys.stderr)
    return _main(Process(os.environ, sys.stdout, stderr, run_for, _find_kernel_log(), started))


def _write_last_line(text: str, status: int) -> None:
    from pathlib import Path  # noqa: PLC0415 - as above

    from rancheros_ec2_metadata.log import Log, make_nonblocking  # noqa: PLC0415 - as above

    Log(make_nonblocking(sys.stderr), kmsg=_find_kernel_log()).last(f"error: {text}; exit {status}")
    root = Path(_read_root())
    if not (root / _COPY).exists():
        return
    with contextlib.suppress(ImportError):  # the image may be damaged
        from rancheros_ec2_metadata.hosts.rancheros import rehearsal  # noqa: PLC0415 - as above

        rehearsal.remove_copy(root)


def _find_kernel_log() -> str | None:
    """Return the path of the kernel's log, None if the run is for another machine's disk."""
    return "/dev/kmsg" if _read_root() == "/" else None


def _read_root() -> str:
    """Return the value of --root or its variable. The command line is not validated yet."""
    root = os.environ.get("AWS_METADATA_ROOT") or "/"
    for word, following in zip(sys.argv, (*sys.argv[1:], ""), strict=False):
        if word == "--root" or word.startswith("--root="):
            root = word.partition("=")[2] or following
    return root


def _main(process: Process) -> int:
    from rancheros_ec2_metadata import cli  # noqa: PLC0415 - as above

    return cli.main(sys.argv[1:], process)


if __name__ == "__main__":
    console()
