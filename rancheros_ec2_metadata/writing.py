"""Planning and writing, as often as there is something new to plan from, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.errors import FilesError, info, warning
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.outcome import Left, left
from rancheros_ec2_metadata.plan import blocked, planning
from rancheros_ec2_metadata.plan.given import Given
from rancheros_ec2_metadata.plan.local import Local
from rancheros_ec2_metadata.plan.mapping import Desired
from rancheros_ec2_metadata.plan.shell import EXPANDED
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import readback
from rancheros_ec2_metadata.rancheros import state as states
from rancheros_ec2_metadata.rancheros.change import FileChange, in_order
from rancheros_ec2_metadata.rancheros.disk import Disk, read_also, read_disk
from rancheros_ec2_metadata.rancheros.layers import stack
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.rancheros.ros import Ros
from rancheros_ec2_metadata.rancheros.state import State
from rancheros_ec2_metadata.rancheros.store import ChangedError, Store

# The system writes cloud-config.yml once or twice at a boot; more often is a fault.
_ATTEMPTS = 5

Wanted = Callable[[State], tuple[Desired, State]]
Files = Mapping[str, bytes | None]


def state_of(disk: Disk, log: Log) -> State:
    """Return the state that the last run left; an empty one where it left none that reads."""
    raw = disk.files.get(paths.STATE)
    if raw is None:
        return State()
    try:
        return states.parse(raw)
    except states.DamagedStateError as reason:
        log.note(warning(f"{paths.STATE} is of no use ({reason}); it is written anew"))
        return State()


def _as_given(state: State) -> State:
    """Return a state as it is given to a plan, less what the plan itself puts there."""
    return replace(state, labels={}, variables={}, items=(), edits={}, removal=None, env_files=())


class Writer:
    """Writes one run's plans.

    Args:
        root: the folder that stands for the machine's root.
        release: that reads the files.
        store: writes them.
        log: the boot log.
        may_go: what may be taken out of cloud-config.yml.
    """

    def __init__(self, root: Path, release: Release, store: Store, log: Log, may_go: Local) -> None:
        self._root = root
        self._may_go = may_go
        self.release = release
        self._store = store
        self._log = log
        self._former: dict[str, bytes | None] = {}
        self.written: dict[str, bytes | None] = {}
        self.plan: planning.Plan | None = None
        self.as_planned = True
        # What the last plan was made of, if it changed nothing: it need not be made again.
        self._unchanging: tuple[Disk, Desired, State] | None = None

    def write(self, wanted: Wanted) -> None:
        """Plan from the disk as it is now, and write what differs.

        Args:
            wanted: given the state on the disk, what is desired, and the state to leave.
        """
        for _ in range(_ATTEMPTS):
            disk = read_disk(self._root)
            state = state_of(disk, self._log)
            desired, new_state = wanted(state)
            disk = self._with_env_files(disk, state, desired)
            disk = self._with_daemon_json(disk)
            asked = disk, desired, _as_given(new_state)
            if asked == self._unchanging:
                return
            given = Given(disk, self.release, state)
            self.plan = planning.plan(desired, given, new_state, self._may_go)
            self._log.notes(self.plan.notes)
            self.as_planned = False
            try:
                for change in in_order(self.plan.changes):
                    self._store.write(change)
                    if not self._store.dry:
                        self._remember(change)
            except ChangedError as error:
                self._log.note(info(f"{error}; planned again"))
                continue
            except FilesError as error:
                self._log.note(error.note())
            else:
                self.as_planned = True
            self._unchanging = None if self.plan.changes else asked
            return
        self._log.note(FilesError("files kept changing while this program ran").note())

    def _with_env_files(self, disk: Disk, state: State, desired: Desired) -> Disk:
        wanted = {desired.env_file.path} if desired.env_file is not None else set()
        for path in state.env_files:
            self._store.drop_temporary(path)
        for path in wanted.union(state.env_files):
            disk = read_also(self._root, disk, path)
        return disk

    def _with_daemon_json(self, disk: Disk) -> Disk:
        """Return the disk with Docker's configuration file, where it is not the usual one."""
        path = blocked.daemon_json(stack(disk, self.release), self.release.quoting)
        if path == paths.DAEMON_JSON or EXPANDED in path:
            return disk
        return read_also(self._root, disk, path)

    def read_back(self, ros: Ros | None, limit: Limit) -> None:
        """Compare what ``ros`` reads with what was planned; put the former files back if it must.

        If ``ros`` is as wrong without our files, the fault is not ours, and they go in again.
        """
        if ros is None or self.plan is None or not self.written:
            return
        names = self.plan.variables
        wrong = readback.difference(ros, self.plan.predicted, self.release, names, limit)
        if wrong is None:
            self._log.note(info("read back through ros: as planned"))
            return
        self._put(reversed(self.written), self._former, self.written)
        before = stack(read_disk(self._root), self.release)
        if readback.difference(ros, before, self.release, names, limit) is None:
            self.as_planned = False
            self._log.note(FilesError(f"{wrong}; the former files are back").note())
            return
        self._put(self.written, self.written, self._former)
        text = f"{wrong}, and is as wrong without our files; they are left in place"
        self._log.note(warning(text))

    def left(self, before: State) -> Left:
        """Return what is on the disk now, which need not be what was planned.

        Args:
            before: the state that the run found.
        """
        return left(self._root, self.release, self.plan, before, as_planned=self.as_planned)

    def _remember(self, change: FileChange) -> None:
        """Keep what to put back: what somebody else wrote last, not what this run did before."""
        if change.path not in self.written or self.written[change.path] != change.before:
            self._former[change.path] = change.before
        self.written[change.path] = change.after

    def _put(self, files: Iterable[str], new: Files, old: Files) -> None:
        """Write the files as ``new`` has them, each only if it is as ``old`` has it."""
        # The state knows what is ours in cloud-config.yml: one is not written without the other.
        together = {paths.STATE, paths.CLOUD_CONFIG}
        if self.plan is not None and self.plan.state.removal is not None:
            # Our drop-in stands in for the user's variables that were taken out there.
            together.add(paths.DROP_IN)
        failed: set[str] = set()
        for path in files:
            if path in together and failed & together:
                continue
            try:
                self._store.write(FileChange(path, old.get(path), new.get(path)))
            except FilesError as error:
                failed.add(path)
                self._log.note(error.note())
