"""Where the program starts: what a boot waits for in a child under the watchdog, all else in place.

The child is made before anything else is imported. Parent and child share each page until one of
them writes to it, and Python writes to nearly all: made after the imports, the child cost a tenth
of the run (docs/performance.md).
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys

from rancheros_ec2_metadata import kmsg, last_words, watchdog
from rancheros_ec2_metadata.commands import AT_BOOT

TYPE_CHECKING = False  # as in `watchdog`
if TYPE_CHECKING:
    from rancheros_ec2_metadata.commands.call import Terminal


# A boot must not wait for whoever reads its log.
_LOG_SECONDS = 1.0


def console() -> None:
    """Run the program as the console script, the image and ``python -m`` do."""
    _open_what_is_closed()
    first = sys.argv[1] if sys.argv[1:] else "apply"
    if first in AT_BOOT or first.startswith("-"):
        device = kmsg.device(sys.argv[1:], os.environ)
        try:
            status = watchdog.supervised(
                lambda run_for: _boot(run_for, device),
                lambda: last_words.of_overdue(device),
                lambda number: last_words.of_killed(number, device),
                lambda number: last_words.of_stopped(number, device),
            )
        except OSError as refused:
            status = last_words.of_refused(refused, device)
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


def _boot(run_for: watchdog.RunFor, device: str) -> int:
    # A run makes too little garbage to be worth looking for it.
    gc.disable()
    try:
        from rancheros_ec2_metadata.commands.call import Terminal  # noqa: PLC0415 - as said above

        out, err = sys.stdout, sys.stderr
        return _main(Terminal(os.environ, out, err, run_for, device, _LOG_SECONDS))
    except Exception as bug:
        # `cli`, which says such things, was not reached.
        last_words.of_broken(bug, device, debug="--debug" in sys.argv)
        raise


def _main(terminal: Terminal) -> int:
    from rancheros_ec2_metadata import cli  # noqa: PLC0415 - as said above

    if isinstance(sys.stdout, io.TextIOWrapper):
        # What tags hold, a terminal's encoding may not have.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return cli.main(sys.argv[1:], terminal)
    except BrokenPipeError:
        return 128 + signal.SIGPIPE  # `show | head`: whoever reads has read enough
