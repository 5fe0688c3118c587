"""A Linux with systemd and Docker as a host: reads it, plans, rehearses, and says what to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, Note, error, info, warning
from rancheros_ec2_metadata.hosts.base import (
    DockerStatus,
    FileStatus,
    Ours,
    Places,
    Plan,
    note_labels,
)
from rancheros_ec2_metadata.hosts.env_files import plan_env_files
from rancheros_ec2_metadata.hosts.files import FileChange
from rancheros_ec2_metadata.hosts.state import State, render_state
from rancheros_ec2_metadata.hosts.systemd import daemon_json, docker_unit, unit_env_file
from rancheros_ec2_metadata.hosts.systemd.docker_unit import UNIT, Docker, NoAnswerError
from rancheros_ec2_metadata.hosts.systemd.found_machine import (
    DAEMON_JSON,
    FOLDER,
    RECORD,
    STATE,
    STATE_FOLDER,
    FoundMachine,
    find_machine,
    read_state,
)
from rancheros_ec2_metadata.hosts.systemd.label_plan import PlannedLabels, plan_labels
from rancheros_ec2_metadata.plan.desired import Desired
from rancheros_ec2_metadata.plan.provenance import LeftOut
from rancheros_ec2_metadata.settings import STATUS_VARIABLE, Settings

SYSTEMD = "/run/systemd/system"
_LOOK = 0.05  # seconds between checks whether Docker has its labels


class SystemdHost:
    """One machine with systemd.

    Args:
        root: the folder that stands for the machine's root.
        docker: is asked; None if this is not the machine.
        limit: for what is waited for.
    """

    places = Places(
        lock=STATE_FOLDER,
        lock_fix="make it a folder",
        state=STATE,
        swept=(FOLDER, STATE_FOLDER, unit_env_file.FOLDER),
        lock_is_ours=True,
    )
    description = "systemd"
    # Units that name the file do not start without it.
    always_says_outcome = True
    later_runs_read_briefly = True
    carries = staticmethod(unit_env_file.explain_uncarriable)

    def __init__(self, root: Path, docker: Docker | None, limit: Limit) -> None:
        self.root = root
        self.docker = docker
        self.limit = limit

    def locate(self, path: str) -> Path:
        """Return the path at which this process finds a machine's file."""
        return self.root / path.lstrip("/")

    def read_state(self) -> tuple[State, list[Note]]:
        """Return the state of the last run; an empty one if none can be read."""
        return read_state(self.root)

    def read_ours(self, plan: Plan) -> Ours:
        """Return this program's values in the files, after a plan was not written completely."""
        found = find_machine(self.root)
        variables = _find_our_variables(found, plan.after.variables, plan.before.variables)
        return Ours(found.our_labels, variables)

    def plan(self, desired: Desired, kept: State) -> Plan:
        """Return what to write so that the machine has what is ``desired``, rehearsed.

        Args:
            desired: labels and variables; config values are RancherOS's alone.
            kept: the instance, tags and metadata for the new state.
        """
        more = (desired.env_file.path,) if desired.env_file is not None else ()
        found = find_machine(self.root, more)
        planned = plan_labels(found, desired.labels, self.docker)
        outcome = desired.variables.get(STATUS_VARIABLE, kept.status)
        if any(note.status for note in planned.notes) and outcome in ("complete", "kept"):
            outcome = "partial"
            desired = desired.with_outcome(outcome)
        variables, content, env_notes = _plan_unit_env_file(found, desired.variables)
        env_files, file_notes = plan_env_files(
            found.state.env_files, desired.env_file, found.files, found.unreadable
        )
        before = Ours(found.our_labels, _find_our_variables(found, found.state.variables))
        after = Ours(planned.labels, variables)
        state = kept._replace(
            labels=after.labels,
            variables=after.variables,
            env_files=tuple(path for path, raw in env_files.items() if raw is not None),
            status=outcome,
            labels_changed=found.state.labels_changed,
            last_run=found.state.last_run,
        )
        return Plan(
            changes=_order(found, planned, state, content, env_files),
            state=state,
            desired=desired._replace(config={}),
            before=before,
            after=after,
            our_files=(unit_env_file.PATH, *state.env_files),
            labels_take_effect="when Docker starts or is reloaded",
            notes=(
                *found.notes,
                *planned.notes,
                *_note_config(desired),
                *env_notes,
                *file_notes,
                *note_labels(after.labels, before.labels, changed_until="", removed_until=""),
                *desired.notes,
            ),
        )

    def activate(self, seconds: float) -> Iterator[Note]:
        """Reload a running Docker that does not have the labels of daemon.json yet.

        A reload waits for the end of a unit with Before=docker.service, which this run may be. The
        plan of the next run records that Docker has them.

        Args:
            seconds: how long to check whether it has; a reload takes some 15 ms.
        """
        found = find_machine(self.root)
        if self.docker is None or found.cannot_merge is not None:
            return
        if found.record is None or not found.record.pending:
            return
        try:
            unit = self.docker.read_unit()
            if unit.active != "active":
                return
            self.docker.reload()
            limit, has = self.limit.within(seconds), False
            while not has and not limit.passed():
                limit.sleep(_LOOK)
                has = self.docker.read_labels(unit) == set(found.items)
        except NoAnswerError as why:
            yield warning(f"Docker is not reloaded: {why}")
            return
        if has:
            yield info("Docker has the labels of daemon.json, without a restart")
        else:
            yield info(
                "Docker is told to reload daemon.json, which it does when this run has ended"
            )

    def check_files(self, state: State) -> Iterator[FileStatus]:
        """Yield whether our labels are in daemon.json still."""
        if not state.labels:
            return
        missing = len(state.labels.keys() - find_machine(self.root).our_labels.keys())
        what = f"{missing} of our labels are gone" if missing else "our labels are in it"
        yield FileStatus(DAEMON_JSON, as_left=not missing, what=what)

    def check_docker(self, _state: State, _boot_id: str | None) -> DockerStatus:
        """Return whether Docker has the labels of daemon.json: it is asked itself."""
        if self.docker is None:
            return DockerStatus(None, None, "not known: it is not asked here")
        try:
            unit = self.docker.read_unit()
        except NoAnswerError as why:
            return DockerStatus(None, None, f"not known: {why}")
        if not unit.is_there:
            return DockerStatus(None, None, f"there is no {UNIT}")
        if not unit.may_have_read:
            return DockerStatus(None, None, "it does not run: it reads daemon.json when it starts")
        at = datetime.fromtimestamp(unit.started / 1_000_000, timezone.utc)
        started = f"{at:%Y-%m-%dT%H:%M:%SZ}" if unit.started else None
        found, docker_has = find_machine(self.root), self.docker.read_labels(unit)
        has: bool | None = None
        if found.cannot_merge is not None:
            what = f"{DAEMON_JSON}: {found.cannot_merge}"
        elif docker_has is None:
            what = "it does not say which labels it has"
        elif has := docker_has == set(found.items):
            what = "it has the labels of daemon.json"
        else:
            what = "it has NOT the labels of daemon.json: 'systemctl reload docker' loads them"
        since = f"{unit.active}, started {started}" if started else unit.active
        return DockerStatus(started, has, f"{since}; {what}")


def make_systemd(settings: Settings, limit: Limit, *, off_machine: bool) -> SystemdHost:
    """Return this machine, or one in a folder; see hosts.selection.

    Raises:
        FilesError: this machine does not run systemd.
    """
    if settings.root != Path("/"):
        return SystemdHost(
            settings.root, docker_unit.SupposedDocker() if off_machine else None, limit
        )
    if not Path(SYSTEMD).is_dir():
        raise FilesError(
            f"systemd does not run here, {SYSTEMD} is not there; run it on the machine, not in a"
            " container"
        )
    return SystemdHost(settings.root, Docker(), limit)


def _find_our_variables(found: FoundMachine, *known: Mapping[str, str]) -> Mapping[str, str]:
    """Return those of the known variables that the file has; none if it has others."""
    raw = found.files.get(unit_env_file.PATH)
    return next((one for one in known if unit_env_file.render_unit_env_file(one) == raw), {})


def _plan_unit_env_file(
    found: FoundMachine, variables: Mapping[str, str]
) -> tuple[Mapping[str, str], bytes | None, list[Note]]:
    path = unit_env_file.PATH
    there, why = found.files.get(path), found.unreadable.get(path)
    if why is None and there and not there.startswith(unit_env_file.FIRST_LINE):
        why = "it does not begin with this program's line"
    if why is not None:
        text = f"no variable is set: {path} is left as it is: {why}; move it away"
        names = tuple(LeftOut("variable", name, why) for name in variables)
        return {}, there, [error(ExitStatus.FILES, text, *names)]
    return variables, unit_env_file.render_unit_env_file(variables) if variables else None, []


def _order(
    found: FoundMachine,
    planned: PlannedLabels,
    state: State,
    variables: bytes | None,
    env_files: Mapping[str, bytes | None],
) -> tuple[FileChange, ...]:
    """Return the changes in the order of writing.

    First the variables: they are in memory, so that a full disk does not keep units from their
    file. An item to remove stays in the state and the record until its file is written: after a
    kill in between, none of our items may be taken for the user's, and none of the user's be lost.
    """
    # Without a record the state serves as one: it must name no label before the record does.
    steps: list[tuple[str, bytes | None]] = [(unit_env_file.PATH, variables)]
    if planned.record is not None:
        steps.append((RECORD, planned.record))
    between = state.with_former(found.state)
    if state.holds_values() and between != found.state:
        steps.append((STATE, render_state(between)))
    steps.append((DAEMON_JSON, planned.content))
    if planned.record is None:
        steps.append((RECORD, None))
    return tuple(
        FileChange(
            path,
            found.files.get(path),
            raw,
            keeps_attributes=path == DAEMON_JSON,
            is_record=path in (STATE, RECORD),
            tell=partial(daemon_json.diff_labels, found.items, planned.items)
            if path == DAEMON_JSON
            else None,
        )
        for path, raw in (*steps, *env_files.items())
        if found.files.get(path) != raw
    )


def _note_config(desired: Desired) -> Iterator[Note]:
    for path in desired.config:
        why = "only RancherOS has config paths"
        left_out = LeftOut("config path", path, why, desired.sources.config.get(path))
        yield warning(f"{path} is not set: {why}; remove its mapping", left_out)
