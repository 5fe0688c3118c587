"""The boot log: notes as lines, each once, and the last line to the kernel's log too."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterable
from typing import TextIO

from rancheros_ec2_metadata.errors import ExitStatus, Level, Note, escape, worst

PREFIX = "ec2-metadata: "
_LONGEST = 1000
# Kernels refuse a record longer than their LOG_LINE_MAX: 1024 bytes less a prefix of up to 48.
_LONGEST_RECORD = 900


class Log:
    """Writes notes as lines, each once, however often a run comes to it: it plans twice.

    Args:
        stream: stderr, which escapes what its encoding does not have.
        debug: also write debug notes.
        kmsg: path of the kernel's log, for the last line of a run at boot.
    """

    def __init__(self, stream: TextIO, *, debug: bool = False, kmsg: str | None = None) -> None:
        self.stream = stream
        self.debug = debug
        self.kmsg = kmsg
        self.noted: list[Note] = []
        """The notes that have been written, but those for debugging."""

    def notes(self, notes: Iterable[Note]) -> None:
        """Write each note that has not been written yet."""
        for one in notes:
            note = one._replace(left_out=()) if one.left_out else one
            if note.level is Level.DEBUG:
                if self.debug:
                    self.line(f"debug: {note.text}")
            elif note not in self.noted:
                self.noted.append(note)
                level = "" if note.level is Level.INFO else f"{note.level}: "
                self.line(level + note.text)

    def note(self, note: Note) -> None:
        """Write one note."""
        self.notes([note])

    def line(self, text: str) -> None:
        """Write a line that is not a note: the first of a run and its summary."""
        # Labels are set even if the log has no reader any more, or its disk is full.
        with contextlib.suppress(OSError):
            self.stream.write(f"{_render_line(text)}\n")
            self.stream.flush()

    def last(self, text: str) -> None:
        """Write the last line of a run, to the kernel's log as well."""
        self.line(text)
        if self.kmsg is not None:
            with contextlib.suppress(OSError):
                _tell_the_kernel(self.kmsg, _render_line(text))

    def status(self) -> ExitStatus:
        """Return the exit status of all that has been noted."""
        return worst(note.status for note in self.noted)


def make_nonblocking(stderr: TextIO) -> TextIO:
    """Return a stream for the log that never blocks a boot.

    A pipe is reopened, non-blocking: what its reader does not take is lost. The flags of the former
    one stay, because other processes may share it.
    """
    with contextlib.suppress(OSError, ValueError):
        if stat.S_ISFIFO(os.fstat(stderr.fileno()).st_mode):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
            raw = io.FileIO(os.open(f"/proc/self/fd/{stderr.fileno()}", flags), "w")
            # Without a buffer, which would keep what was not taken and fail at the next line.
            return io.TextIOWrapper(raw, stderr.encoding, stderr.errors, write_through=True)
    return stderr


def _tell_the_kernel(path: str, line: str) -> None:
    """Write one record to the kernel's log; EC2's console output shows it.

    Raises:
        OSError: there is none, or it takes nothing.
    """
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
    with io.FileIO(os.open(path, flags), "w") as device:
        if stat.S_ISCHR(os.fstat(device.fileno()).st_mode):
            # Informational: a console shows it unless the kernel was told to be quiet.
            text = f"<6>{line}".encode("ascii", "backslashreplace")
            device.write(text[:_LONGEST_RECORD] + b"\n")


def _render_line(text: str) -> str:
    """Return the one line that is written for ``text``, whatever is in it."""
    cut = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return PREFIX + escape(cut)
