"""The boot log: one line per decision, for an operator at 3 a.m."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TextIO

from rancheros_ec2_metadata import kmsg
from rancheros_ec2_metadata.errors import ExitStatus, Level, Note, printable, worst

PREFIX = "ec2-metadata: "
_LONGEST = 1000
# At most PIPE_BUF bytes: what select(2) says a pipe takes without waiting.
_PIECE = 1000


@dataclass()
class Log:
    """Writes notes as lines, and remembers what they add to the exit status.

    A decision is written once, however often a run comes to it: it plans twice.

    Args:
        stream: stderr.
        debug: also write debug notes.
        kmsg: path of the kernel's log, which gets the last line too.
        patience: seconds that a reader who stands still is waited for, once: then what it does not
            take is not logged. None: for ever.
    """

    stream: TextIO
    debug: bool = False
    kmsg: str | None = None
    patience: float | None = None
    _seen: list[Note] = field(default_factory=list)
    _held: list[Note] = field(default_factory=list)

    def notes(self, notes: Iterable[Note]) -> None:
        """Write each note that has not been written yet."""
        for one in notes:
            note = one
            if note.level is Level.DEBUG:
                self._debug(note)
            elif note not in self._seen:
                self._seen.append(note)
                level = "" if note.level is Level.INFO else f"{note.level}: "
                self._write(level + note.text)

    def note(self, note: Note) -> None:
        """Write one note."""
        self.notes([note])

    def hold(self, note: Note) -> None:
        """Write one note below the next line: a run's first line comes before all else."""
        self._held.append(note)

    def line(self, text: str) -> None:
        """Write a line that is no decision: the first of a run and its summary."""
        self._write(text)
        self._let_go()

    def last(self, text: str) -> None:
        """Write the last line of a run, to the kernel's log as well."""
        self._let_go()
        self._write(text)
        if self.kmsg is not None:
            kmsg.tell(_line(text), self.kmsg)

    @property
    def noted(self) -> tuple[Note, ...]:
        """Return the notes that have been written, but those for debugging."""
        return tuple(self._seen)

    def status(self) -> ExitStatus:
        """Return the exit status of all that has been noted."""
        return worst(note.status for note in self._seen)

    def _let_go(self) -> None:
        self.notes(self._held)
        self._held.clear()

    def _debug(self, note: Note) -> None:
        if self.debug:
            self._write(f"debug: {note.text}")

    def _write(self, text: str) -> None:
        line = f"{_line(text)}\n"
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        # That nobody reads the log any more, or its disk is full, is no reason to label nothing.
        with contextlib.suppress(OSError):
            written = line.encode(encoding, "backslashreplace").decode(encoding)
            for start in range(0, len(written), _PIECE):
                if not self._is_read():
                    break
                self.stream.write(written[start : start + _PIECE])
                self.stream.flush()

    def _is_read(self) -> bool:
        if self.patience is None:
            return True
        _, ready, _ = select.select([], [self.stream.fileno()], [], self.patience)
        if not ready:
            self.patience = 0.0
        return bool(ready)


def _line(text: str) -> str:
    """Return the one line that is written for ``text``, whatever is in it."""
    cut = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return PREFIX + printable(cut)
