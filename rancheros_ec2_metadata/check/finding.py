"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from rancheros_ec2_metadata.check.checked_file import File


class Found(NamedTuple):
    """What is found in a line of the file, from 1, without any value that may be a secret.

    ``fix`` and ``why`` are empty where they are the rule's own.
    """

    line: int
    what: str
    fix: str = ""
    why: str = ""


Finder: TypeAlias = "Callable[[File], Iterator[Found]]"


class Rule(NamedTuple):
    """A rule: its name, which scripts know, what comes of what it finds, and what to do then."""

    name: str
    why: str
    fix: str
    find: Finder


class Finding(NamedTuple):
    """One finding, as it is shown."""

    line: int
    rule: str
    reason: str
    fix: str


def rule(name: str, why: str, fix: str) -> Callable[[Finder], Rule]:
    """Return what makes a rule of a function that finds something in a file."""
    return lambda find: Rule(name, why, fix, find)
