"""What a command is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TextIO

from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.settings import Settings

if TYPE_CHECKING:
    import argparse

    from rancheros_ec2_metadata.log import Log
    from rancheros_ec2_metadata.supervisor import RunFor


class Process(NamedTuple):
    """What the program is given of the process it runs in.

    Args:
        environ: its environment.
        out: standard output.
        err: for the log.
        run_for: called with the seconds after which the run shall be over.
        kmsg: path of the kernel's log, for the last line; None if this is no run at boot.
        started: when it was, in seconds on the monotonic clock; None if this is no run at boot.
    """

    environ: Mapping[str, str]
    out: TextIO
    err: TextIO
    run_for: RunFor = lambda _seconds: None
    kmsg: str | None = None
    started: float | None = None

    def print(self, lines: Iterable[str]) -> None:
        """Write lines to standard output.

        Raises:
            FilesError: it cannot be written, a full disk mostly.
            BrokenPipeError: nobody reads it any more.
        """
        try:
            self.out.writelines(line + "\n" for line in lines)
            self.out.flush()
        except BrokenPipeError:
            raise
        except OSError as why:
            text = f"standard output cannot be written: {why.strerror}; what it has is not whole"
            raise FilesError(text) from why


class Invocation(NamedTuple):
    """One call of a command: its own flags, and settings that are the defaults if it has none."""

    given: argparse.Namespace
    settings: Settings
    process: Process
    log: Log
