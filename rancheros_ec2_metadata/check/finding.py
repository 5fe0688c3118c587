"""What a rule finds, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rancheros_ec2_metadata.check.file import File


@dataclass(frozen=True)
class Found:
    """What a rule found.

    Args:
        line: in the file, from 1.
        what: there, without any value that may be a secret.
        mend: what to do about it, where that is not what the rule says of all that it finds.
        why: what comes of it, likewise.
    """

    line: int
    what: str
    mend: str = ""
    why: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule.

    Args:
        name: short, and never changed: scripts know it.
        why: what comes of what it finds.
        mend: what to do about it.
        judge: finds it in a file.
    """

    name: str
    why: str
    mend: str
    judge: Callable[[File], Iterator[Found]]


@dataclass(frozen=True)
class Finding:
    """One finding, as it is shown."""

    line: int
    rule: str
    reason: str
    mend: str
