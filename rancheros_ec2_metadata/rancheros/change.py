"""What a plan does to one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FileChange:
    """One file, as it is and as it shall be; None is no file.

    Args:
        path: absolute, as the machine names it.
        before: what the plan was made from. It may hold private keys, so it is in no repr.
        after: what it shall be.
    """

    path: str
    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)


def in_order(changes: Sequence[FileChange]) -> list[FileChange]:
    """Return the files to write in their order, then those to remove against it.

    The state comes first and goes last: a run that is killed in between leaves nothing of ours
    that the next run would not know as ours.
    """
    written = [change for change in changes if change.after is not None]
    removed = [change for change in changes if change.after is None]
    return written + removed[::-1]
