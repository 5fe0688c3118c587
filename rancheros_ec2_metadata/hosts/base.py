"""What a host is, and what a run would write on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from rancheros_ec2_metadata.errors import Note, info, quote
from rancheros_ec2_metadata.hosts.files import FileChange
from rancheros_ec2_metadata.hosts.state import State
from rancheros_ec2_metadata.plan.desired import Desired


class Ours(NamedTuple):
    """This program's values on a machine.

    Args:
        labels: Docker labels.
        variables: environment variables.
        config: config values by path, as text.
    """

    labels: Mapping[str, str] = {}
    variables: Mapping[str, str] = {}
    config: Mapping[str, str] = {}


class ArgumentList(NamedTuple):
    """One list of Docker's arguments.

    Args:
        key: its config path.
        before: the items in effect without us.
        after: the items as planned.
        ours: those of ``after`` that are ours, with the label that each sets.
        written_to: the file that sets it, by name; None if it stays as it is.
        shown: the text to show for items that are not shown as they are.
    """

    key: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    ours: Mapping[str, str]
    written_to: str | None
    shown: Mapping[str, str] = {}


class Plan(NamedTuple):
    """What a run is about to do.

    Args:
        changes: files that change, in the order of writing, the intermediate state included.
        state: the state for the next run.
        desired: the desired state that the plan was made from.
        before: this program's values on the machine now.
        after: the planned values.
        lists: Docker's arguments; empty if they are not known.
        our_files: paths of the files that are wholly ours, there or not.
        labels_take_effect: when labels take effect, in words.
        overridden: names of variables and config paths that a stronger file sets.
        notes: what was decided.
    """

    changes: tuple[FileChange, ...]
    state: State
    desired: Desired
    before: Ours
    after: Ours
    lists: tuple[ArgumentList, ...] = ()
    our_files: tuple[str, ...] = ()
    labels_take_effect: str = "when Docker starts"
    overridden: Mapping[str, str] = {}
    notes: tuple[Note, ...] = ()


class Places(NamedTuple):
    """Where a host keeps what a run needs, as the machine names it.

    Args:
        lock: the folder whose lock a run holds.
        lock_fix: what to do if that folder does not exist.
        state: the file of the state.
        swept: the folders in which a run that was killed may leave a temporary file.
        lock_is_ours: the folder of the lock is this program's: it is made if it does not exist.
    """

    lock: str
    lock_fix: str
    state: str
    swept: tuple[str, ...]
    lock_is_ours: bool = False


class FileStatus(NamedTuple):
    """One file: whether it is as the last run left it, and what it is now in words."""

    path: str
    as_left: bool
    what: str


class DockerStatus(NamedTuple):
    """Whether Docker has the labels.

    Args:
        started: when it was started, as 2026-01-05T08:00:00Z; None if not known.
        has_labels: it has those that were written last; None if not known.
        what: the same in words.
    """

    started: str | None
    has_labels: bool | None
    what: str


def note_labels(
    labels: Mapping[str, str], before: Mapping[str, str], *, changed_until: str, removed_until: str
) -> Iterator[Note]:
    """Yield which labels are set, and which of them changed or were removed.

    Args:
        labels: ours, as planned.
        before: ours, as the files set them now.
        changed_until: the text for changed ones, while a running Docker has the old ones.
        removed_until: the same for removed ones.
    """
    changed = sorted(key for key in labels if before.get(key, labels[key]) != labels[key])
    removed = sorted(before.keys() - labels.keys())
    for keys, what, end in (
        (sorted(labels), "labels", ""),
        (changed, "labels changed", changed_until),
        (removed, "labels removed", removed_until),
    ):
        if keys:
            yield info(f"{what}: {', '.join(map(quote, keys))}{end}")


class Host(Protocol):
    """One kind of machine: how its configuration is read, planned, rehearsed and written."""

    @property
    def places(self) -> Places:
        """Where it keeps what a run needs."""

    @property
    def description(self) -> str:
        """The release or the kind of it, for the log; empty if that is not known."""

    @property
    def always_says_outcome(self) -> bool:
        """Tell whether EC2_METADATA_STATUS is set even if nothing else is."""

    @property
    def later_runs_read_briefly(self) -> bool:
        """Tell whether later runs of a boot wait for EC2 for some seconds at most."""

    def locate(self, path: str) -> Path:
        """Return the path at which this process finds a machine's file."""

    def carries(self, value: str) -> str | None:
        """Return why its environment cannot carry a value; None if it can."""

    def read_state(self) -> tuple[State, list[Note]]:
        """Return the state of the last run; an empty one if none can be read."""

    def read_ours(self, plan: Plan) -> Ours:
        """Return this program's values in the files, after a plan was not written completely."""

    def plan(self, desired: Desired, kept: State) -> Plan:
        """Return what to write so that the machine has what is ``desired``, rehearsed."""

    def activate(self, seconds: float) -> Iterable[Note]:
        """Have a running Docker take what was written, and look for some seconds whether it has."""

    def check_files(self, state: State) -> Iterable[FileStatus]:
        """Yield what is there now of the user's files that the last run changed."""

    def check_docker(self, state: State, boot_id: str | None) -> DockerStatus:
        """Return whether Docker has the labels that were written last."""
