"""The ways a run can fail: one exit status per class, and the notes an operator reads."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rancheros_ec2_metadata.plan.provenance import LeftOut


LONGEST_VALUE = 4096  # characters of a value that is shown to an operator who asks


class ExitStatus(IntEnum):
    """Exit statuses; the table of docs/reference.md says what each means to an operator."""

    OK = 0
    BUG = 1
    USAGE = 2
    NOT_ON_EC2 = 3
    INCOMPLETE = 4
    FILES = 5
    REQUIRED_TAG = 6
    DEADLINE = 7
    WOULD_CHANGE = 10
    FINDINGS = 11


# Of several failures in one run, the first of these is the exit status.
SEVERITY = (
    ExitStatus.BUG,
    ExitStatus.USAGE,
    ExitStatus.DEADLINE,
    ExitStatus.FILES,
    ExitStatus.NOT_ON_EC2,
    ExitStatus.REQUIRED_TAG,
    ExitStatus.INCOMPLETE,
)


class Level(str, Enum):
    """How much a note matters to the one who reads the boot log."""

    __str__ = str.__str__

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Note(NamedTuple):
    """One line of the boot log.

    Args:
        level: how much it matters.
        text: the line.
        status: what it adds to the run's exit status.
        left_out: what it says is left out, for `plan`.
    """

    level: Level
    text: str
    status: ExitStatus = ExitStatus.OK
    left_out: tuple[LeftOut, ...] = ()


def debug(text: str, *left_out: LeftOut) -> Note:
    """Return a note about a normal event."""
    return Note(Level.DEBUG, text, left_out=left_out)


def info(text: str, *left_out: LeftOut) -> Note:
    """Return a note about a decision."""
    return Note(Level.INFO, text, left_out=left_out)


def warning(text: str, *left_out: LeftOut) -> Note:
    """Return a note about something left out, or done otherwise than asked."""
    return Note(Level.WARNING, text, left_out=left_out)


def error(status: ExitStatus, text: str, *left_out: LeftOut) -> Note:
    """Return a note about a failure that shows in the exit status."""
    return Note(Level.ERROR, text, status, left_out)


def worst(statuses: Iterable[ExitStatus]) -> ExitStatus:
    """Return the exit status of a run in which all of ``statuses`` happened."""
    seen = set(statuses)
    return next((status for status in SEVERITY if status in seen), ExitStatus.OK)


class Ec2MetadataError(Exception):
    """Base of this program's errors: the message is for an operator, the status for a script."""

    status = ExitStatus.BUG

    def note(self) -> Note:
        """Return the error as a line of the log."""
        return error(self.status, str(self))


class UsageError(Ec2MetadataError):
    """A flag, mapping or variable that is not valid; nothing has been changed."""

    status = ExitStatus.USAGE


class NotOnEc2Error(Ec2MetadataError):
    """This machine is not an EC2 instance."""

    status = ExitStatus.NOT_ON_EC2


class Ec2Error(Ec2MetadataError):
    """EC2 did not say, or said only in part, what was asked of it."""

    status = ExitStatus.INCOMPLETE


class FilesError(Ec2MetadataError):
    """A file could not be read or written, or what is in it is in the way."""

    status = ExitStatus.FILES


class DeadlineError(Ec2MetadataError):
    """The run's deadline passed."""

    status = ExitStatus.DEADLINE


def count(number: int, what: str) -> str:
    """Return a number and its noun, in the plural unless the number is one."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def quote(text: str, limit: int = 80) -> str:
    """Return ``text`` quoted on one line of at most about ``limit`` characters.

    Tag keys and values, and all that IMDS and the API send, are hostile: a newline in one must
    not make a second log line, an escape sequence must not reach the terminal.
    """
    cut = text if len(text) <= limit else text[:limit] + "…"
    quoted = cut.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escape(quoted)}'"


def escape(text: str) -> str:
    """Return ``text`` on one line, with what would steer a terminal escaped."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode("ascii")
        for one in text
    )
