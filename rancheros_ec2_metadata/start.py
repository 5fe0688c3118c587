"""Where the program starts: what a boot waits for in a child under the watchdog, all else in place.

The child is made before anything else is imported. Parent and child share each page until one of
them writes to it, and Python writes to nearly all: made after the imports, the child cost a tenth
of the run (docs/performance.md).
"""

from __future__ import annotations

import gc
import io
import os
import select
import signal
import sys

from rancheros_ec2_metadata import __version__, kmsg, watchdog
from rancheros_ec2_metadata.commands import AT_BOOT

TYPE_CHECKING = False  # as in `watchdog`
if TYPE_CHECKING:
    from rancheros_ec2_metadata.commands.call import Terminal

# In the form of the boot log, which the parent has not imported: at the deadline it may be the
# disk that hangs.
_OVERDUE = b"""\
ec2-metadata: error: the deadline passed, and the run was ended where the line above left it; \
every file is its old or its new self
ec2-metadata: exit 7
"""
_OVERDUE_ON_THE_CONSOLE = "ec2-metadata: the deadline passed; exit 7"
_KILLED = """\
ec2-metadata: error: the run was killed by signal {} where the line above left it, see dmesg; \
every file is its old or its new self
ec2-metadata: exit 1
"""
_KILLED_ON_THE_CONSOLE = "ec2-metadata: the run was killed by signal {}; exit 1"
_BROKEN = """\
ec2-metadata: error: this is a bug of rancheros-ec2-metadata {}, or its image is damaged: {}
ec2-metadata: exit 1
"""
_BROKEN_ON_THE_CONSOLE = "ec2-metadata: the program cannot be started; exit 1"


def console() -> None:
    """Run the program as the console script, the image and ``python -m`` do."""
    _open_what_is_closed()
    first = sys.argv[1] if sys.argv[1:] else "apply"
    if first in AT_BOOT or first.startswith("-"):
        device = kmsg.device(sys.argv[1:], os.environ)
        status = watchdog.supervised(
            lambda run_for: _boot(run_for, device),
            lambda: _overdue(device),
            lambda number: _killed(number, device),
        )
        # Not sys.exit: nothing is left to be done, and to take an interpreter down takes a while.
        os._exit(status)
    from rancheros_ec2_metadata.commands.call import Terminal  # noqa: PLC0415 - as said above

    status = _main(Terminal(os.environ, sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Python would try once more on its way out, and end with a status of its own.
            os._exit(status)
    sys.exit(status)


def _open_what_is_closed() -> None:
    """Give standard streams that are closed to the null device.

    Python has None in their place, and the next file that is opened would get their number.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8"))


def _overdue(device: str) -> None:
    # A log whose reader stands still must not hold the boot up, nor one that takes nothing more.
    try:
        if select.select([], [2], [], 0)[1]:
            os.write(2, _OVERDUE)
    except OSError:
        pass
    kmsg.tell(_OVERDUE_ON_THE_CONSOLE, device)


def _killed(number: int, device: str) -> None:
    os.write(2, _KILLED.format(number).encode())
    kmsg.tell(_KILLED_ON_THE_CONSOLE.format(number), device)


def _boot(run_for: watchdog.RunFor, device: str) -> int:
    # A run makes too little garbage to be worth looking for it.
    gc.disable()
    try:
        from rancheros_ec2_metadata import lean  # noqa: PLC0415 - as said above

        lean.prepare()
        from rancheros_ec2_metadata.commands.call import Terminal  # noqa: PLC0415 - as said above

        return _main(Terminal(os.environ, sys.stdout, sys.stderr, run_for, device, lean.load))
    except Exception as bug:
        _broken(bug, device)  # `cli`, which says such things, was not reached
        raise


def _broken(bug: Exception, device: str) -> None:
    if "--debug" in sys.argv:
        import traceback  # noqa: PLC0415 - of this case alone

        # Without the message, as in `cli`.
        for line in "".join(traceback.format_tb(bug.__traceback__)).splitlines():
            os.write(2, f"ec2-metadata: {line}\n".encode("ascii", "backslashreplace"))
    os.write(2, _BROKEN.format(__version__, type(bug).__name__).encode())
    kmsg.tell(_BROKEN_ON_THE_CONSOLE, device)


def _main(terminal: Terminal) -> int:
    from rancheros_ec2_metadata import cli  # noqa: PLC0415 - as said above

    if isinstance(sys.stdout, io.TextIOWrapper):
        # What tags hold, a terminal's encoding may not have.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return cli.main(sys.argv[1:], terminal)
    except BrokenPipeError:
        return 128 + signal.SIGPIPE  # `show | head`: whoever reads has read enough
