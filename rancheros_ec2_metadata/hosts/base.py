"""A plan: what a run would write on a host, and what that does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rancheros_ec2_metadata.errors import Note
from rancheros_ec2_metadata.hosts.files import FileChange
from rancheros_ec2_metadata.hosts.state import State
from rancheros_ec2_metadata.plan.desired import Desired


@dataclass(frozen=True)
class Ours:
    """What of ours a machine has.

    Args:
        labels: Docker labels.
        variables: environment variables.
        config: config values by path, as text.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ArgumentList:
    """One list of Docker's arguments.

    Args:
        key: its config path.
        before: the items in effect without us.
        after: the items as planned.
        ours: those of ``after`` that are ours, with the label that each sets.
        written_to: the file that sets it, by name; None where it stays as it is.
        addressed: the user's own text of items in which the system fills in an address.
    """

    key: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    ours: Mapping[str, str]
    written_to: str | None
    addressed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a run is about to do.

    Args:
        changes: files that change, in the order of writing; the state as it is between.
        state: what the next run shall know.
        desired: what it was made of.
        before: what of ours the machine has now.
        after: what it shall have.
        lists: Docker's arguments; empty where nothing told what they are.
        items: those of Docker's arguments that are ours, now or as planned.
        overridden: names of variables and config paths that a stronger file sets.
        notes: what was decided.
    """

    changes: tuple[FileChange, ...]
    state: State
    desired: Desired
    before: Ours
    after: Ours
    lists: tuple[ArgumentList, ...] = ()
    items: frozenset[str] = frozenset()
    overridden: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
