"""What goes wrong in a run: a disk that fails, a run that is killed, a ``ros`` that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from fuzz.texts import SECRET
from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.ros import Answer, NoAnswerError
from rancheros_ec2_metadata.rancheros.store import Store

Run = Callable[[Sequence[str], Limit], Answer]


class CutOffError(BaseException):
    """The run was killed."""


class Faulty(Store):
    """A disk that fails once.

    Args:
        root: as a Store's.
        at: the number of the write that it happens at.
        fault: called with the change, before the write; what it raises, the write raises.
    """

    def __init__(self, root: Path, at: int, fault: Callable[[FileChange], None]) -> None:
        super().__init__(root)
        self._left = at
        self._fault = fault
        self.failed = False

    def write(self, change: FileChange) -> None:
        self._left -= 1
        if self._left == 0:
            self.failed = True
            self._fault(change)
            self.failed = False
        super().write(change)


def no_space(change: FileChange) -> None:
    raise FilesError(f"{change.path} could not be written: No space left; it is as it was")


def cut_off(_: FileChange) -> None:
    raise CutOffError


def misread(rng: Random, well: Run) -> Run:
    """Return a ``ros`` that reads ``well`` at times, and at others answers nonsense."""

    def run(command: Sequence[str], limit: Limit) -> Answer:
        kind = rng.randint(0, 4)
        if kind == 0:
            raise NoAnswerError("did not answer in time")
        if kind == 1:
            return well(command, limit)
        outputs = (b"", f"[{SECRET}]\n".encode(), b"\xff\n", f"{{A: {SECRET}}}\n".encode())
        return Answer(rng.choice((0, 0, 1)), rng.choice(outputs))

    return run
