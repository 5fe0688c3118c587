"""A Linux with systemd and Docker as a host: reads it, plans, rehearses, and says what to write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.errors import (
    ExitStatus,
    FilesError,
    Note,
    error,
    info,
    shown,
    warning,
)
from rancheros_ec2_metadata.hosts.base import DockerStatus, FileStatus, Ours, Places, Plan
from rancheros_ec2_metadata.hosts.env_files import plan_env_files
from rancheros_ec2_metadata.hosts.files import FileChange, Files, read_plain
from rancheros_ec2_metadata.hosts.state import (
    DamagedStateError,
    Edit,
    State,
    parse_state,
    render_state,
)
from rancheros_ec2_metadata.hosts.systemd import daemon_json, docker_unit, unit_env_file
from rancheros_ec2_metadata.hosts.systemd.daemon_json import CannotMergeError, DaemonJson, Merged
from rancheros_ec2_metadata.hosts.systemd.docker_unit import UNIT, Docker, DockerUnit, NoAnswerError
from rancheros_ec2_metadata.hosts.systemd.label_record import (
    LabelRecord,
    parse_record,
    render_record,
)
from rancheros_ec2_metadata.plan.desired import Desired
from rancheros_ec2_metadata.plan.provenance import LeftOut
from rancheros_ec2_metadata.settings import STATUS_VARIABLE, Settings

FOLDER = "/etc/docker"
DAEMON_JSON = f"{FOLDER}/daemon.json"
RECORD = f"{FOLDER}/.ec2-docker-labels.json"
STATE_FOLDER = "/var/lib/ec2-docker-labels"
STATE = f"{STATE_FOLDER}/state.json"
SYSTEMD = "/run/systemd/system"

_FIRST = (DAEMON_JSON, RECORD, STATE, unit_env_file.PATH)
_LOOK = 0.05


class _RefusedError(Exception):
    """No label of ours is set; the message says why, and what to do."""


class _WaitingError(Exception):
    """No label of ours is set yet, and that is as it should be; the message says why."""


@dataclass(frozen=True)
class _Found:
    """The machine as it is.

    Args:
        files: content by path.
        unreadable: why a file that is there is left alone, by path.
        state: what the last run left.
        record: what of daemon.json is ours.
        unit: Docker's; None where it is not known.
        unknown: why systemd did not tell of it.
        docker_has: the labels of the running daemon; None where it does not say.
        notes: what is to be said of it.
    """

    files: Mapping[str, bytes] = field(repr=False)
    unreadable: Mapping[str, str]
    state: State
    record: LabelRecord
    unit: DockerUnit | None
    unknown: NoAnswerError | None
    docker_has: tuple[str, ...] | None
    notes: tuple[Note, ...]

    def parse(self) -> DaemonJson | None:
        """Return daemon.json as read; None where there is none.

        Raises:
            CannotMergeError: it is to be left alone.
        """
        if why := self.unreadable.get(DAEMON_JSON):
            raise CannotMergeError(f"{why}; make it a plain file")
        raw = self.files.get(DAEMON_JSON)
        return None if raw is None else daemon_json.parse_daemon_json(raw)


@dataclass(frozen=True)
class _Planned:
    """What daemon.json shall be; the labels that it sets, and what was decided.

    Args:
        content: None where there shall be no file.
        record: what of it is ours then.
        labels: of ours.
        desired: with the outcome of that.
        notes: for the log.
    """

    content: bytes | None
    record: LabelRecord
    labels: Mapping[str, str]
    desired: Desired
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class SystemdHost:
    """One machine with systemd.

    Args:
        root: the folder that stands for the machine's root.
        docker: is asked; None where this is not the machine.
        limit: for what is waited for.
        off_machine: only a plan is made: Docker need not be asked.
    """

    root: Path
    docker: Docker | None
    limit: Limit
    off_machine: bool = False

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
    reads_long_once_a_boot = True
    carries = staticmethod(unit_env_file.explain_uncarriable)

    def locate(self, path: str) -> Path:
        """Return where a file of the machine is found."""
        return self.root / path.lstrip("/")

    def read_state(self) -> tuple[State, list[Note]]:
        """Return what the last run left; an empty state where it left none that reads."""
        files, _ = self._read((STATE,))
        try:
            return (parse_state(files[STATE]) if STATE in files else State()), []
        except DamagedStateError as why:
            return State(), [warning(f"{STATE} cannot be used: {why}; it is written anew")]

    def read_ours(self, plan: Plan) -> Ours:
        """Return what of ours the files set, where not all of a plan could be written."""
        found = self._find(None)
        there = found.files.get(unit_env_file.PATH)
        for one in (plan.after, plan.before):
            if one.variables and there == unit_env_file.render_unit_env_file(one.variables):
                return Ours(_our_labels(found), one.variables)
        return Ours(_our_labels(found))

    def plan(self, desired: Desired, kept: State) -> Plan:
        """Return what to write so that the machine has what is ``desired``, rehearsed.

        Args:
            desired: labels and variables; config values are RancherOS's alone.
            kept: the instance, tags and metadata that the new state shall name.
        """
        found = self._find(desired)
        planned = self._plan_labels(found, desired)
        variables, content, env_notes = _plan_unit_env_file(found, planned.desired.variables)
        env_files, more = plan_env_files(
            found.state.env_files, planned.desired.env_file, found.files, found.unreadable
        )
        same = found.files.get(unit_env_file.PATH) == unit_env_file.render_unit_env_file(
            found.state.variables
        )
        before = Ours(_our_labels(found), found.state.variables if same else {})
        after = Ours(planned.labels, variables)
        state = replace(
            kept,
            labels=after.labels,
            variables=after.variables,
            env_files=tuple(path for path, raw in env_files.items() if raw is not None),
            status=planned.desired.variables.get(STATUS_VARIABLE, kept.status),
            labels_changed=found.state.labels_changed,
            last_run=found.state.last_run,
        )
        notes = (*found.notes, *planned.notes, *_note_config(desired), *env_notes, *more)
        return Plan(
            changes=_order(found, planned, state, {**env_files, unit_env_file.PATH: content}),
            state=state,
            desired=replace(planned.desired, config={}),
            before=before,
            after=after,
            our_files=(unit_env_file.PATH, *state.env_files),
            labels_take_effect="when Docker starts or is reloaded",
            notes=(*notes, *_note_labels(after.labels, before.labels), *desired.notes),
        )

    def activate(self, files: Files, seconds: float) -> Iterator[Note]:
        """Reload a running Docker that does not have the labels of daemon.json yet.

        A reload waits for the end of a unit with Before=docker.service, which this run may be.

        Args:
            files: writes that it has them.
            seconds: how long to look whether it has; a reload takes some 15 ms.
        """
        found = self._find(None)
        if not found.record.pending or found.unit is None or found.unit.active != "active":
            return
        assert self.docker is not None  # noqa: S101 - it has given the unit
        try:
            file = found.parse()
        except CannotMergeError:
            return
        items = file.items if file is not None else ()
        limit = self.limit.within(seconds)
        try:
            if not _has(found.docker_has, items):
                self.docker.reload()
            while not (has := _has(self.docker.read_labels(found.unit), items)):
                if limit.passed():
                    break
                limit.sleep(_LOOK)
        except NoAnswerError as why:
            yield warning(f"Docker is not reloaded: {why}")
            return
        if not has:
            yield info(
                "Docker is told to reload daemon.json, which it does when this run has ended"
            )
            return
        yield info("Docker has the labels of daemon.json, without a restart")
        record = render_record(replace(found.record, pending=False))
        try:
            files.write(FileChange(RECORD, found.files.get(RECORD), record, is_record=True))
        except FilesError as failed:
            yield failed.note()

    def check_files(self, state: State) -> Iterator[FileStatus]:
        """Yield whether our labels are in daemon.json still."""
        if not state.labels:
            return
        missing = len(state.labels.keys() - _our_labels(self._find(None)).keys())
        what = f"{missing} of our labels are gone" if missing else "our labels are in it"
        yield FileStatus(DAEMON_JSON, as_left=not missing, what=what)

    def check_metadata(self, _variables: Mapping[str, str]) -> Iterator[Note]:
        """Yield nothing: such a machine saves none."""
        yield from ()

    def check_docker(self, _state: State, _boot_id: str | None) -> DockerStatus:
        """Return whether Docker has the labels of daemon.json: it is asked itself."""
        found = self._find(None)
        unit = found.unit
        if unit is None:
            return DockerStatus(None, None, f"not known: {found.unknown or 'it is not asked here'}")
        if not unit.is_there:
            return DockerStatus(None, None, f"there is no {UNIT}")
        if not unit.may_have_read:
            return DockerStatus(None, None, "it does not run: it reads daemon.json when it starts")
        at = datetime.fromtimestamp(unit.started / 1_000_000, timezone.utc)
        started = f"{at:%Y-%m-%dT%H:%M:%SZ}" if unit.started else None
        has: bool | None = None
        try:
            file = found.parse()
        except CannotMergeError as why:
            what = f"{DAEMON_JSON}: {why}"
        else:
            what = "it does not say which labels it has"
            if found.docker_has is not None:
                has = _has(found.docker_has, file.items if file is not None else ())
                what = "it has the labels of daemon.json"
        if has is False:
            what = "it has NOT the labels of daemon.json: 'systemctl reload docker' loads them"
        since = f"{unit.active}, started {started}" if started else unit.active
        return DockerStatus(started, has, f"{since}; {what}")

    def _read(self, paths: Iterable[str]) -> tuple[dict[str, bytes], dict[str, str]]:
        files, unreadable = dict[str, bytes](), dict[str, str]()
        for path in paths:
            where = self.locate(path)
            try:
                if where.is_symlink() or where.parent.is_symlink():
                    unreadable[path] = "a symbolic link, which is never followed in writing"
                else:
                    files[path] = read_plain(where)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as why:
                unreadable[path] = why.strerror or str(why)
        return files, unreadable

    def _find(self, desired: Desired | None) -> _Found:
        state, notes = self.read_state()
        paths = [*_FIRST, *state.env_files]
        if desired is not None and desired.env_file is not None:
            paths.append(desired.env_file.path)
        files, unreadable = self._read(paths)
        unit, unknown, has = None, None, None
        if self.docker is not None:
            try:
                unit = self.docker.read_unit()
                has = self.docker.read_labels(unit)
            except NoAnswerError as why:
                unknown = why
        try:
            record = parse_record(files[RECORD])
        except (KeyError, ValueError):
            # Ours are known by what the last run has set, too.
            ours = tuple(f"{key}={value}" for key, value in state.labels.items())
            record = LabelRecord(Edit("", (), ours) if ours else None)
            if RECORD in files:
                notes.append(warning(f"{RECORD} cannot be used; it is written anew"))
        return _Found(files, unreadable, state, record, unit, unknown, has, tuple(notes))

    def _plan_labels(self, found: _Found, desired: Desired) -> _Planned:
        """Return daemon.json with our labels, or without them and why."""
        labels, left_out = _encodable(desired.labels)
        notes, kept = list(left_out), dict[str, str]()
        try:
            file = found.parse()
            if labels:
                self._check_unit(found)
            merged = self._merge(found, file, labels)
            if labels and merged.text is not None:
                self._rehearse(found, file, merged)
            if not labels and merged.edit is not None:
                text = "daemon.json has an empty list until Docker has let its labels go"
                notes.append(info(text))
            return _planned(found, merged, labels, desired, notes)
        except _WaitingError as why:
            gone = tuple(LeftOut("label", key, str(why)) for key in labels)
            notes.append(info(f"labels wait: {why}", *gone))
        except (CannotMergeError, _RefusedError, NoAnswerError) as why:
            kept, failed = _refuse(found, labels, why)
            notes += failed
            if failed and desired.variables.get(STATUS_VARIABLE) in ("complete", "kept"):
                desired = desired.with_outcome("partial")
        try:
            merged = self._merge(found, found.parse(), kept)
        except CannotMergeError:
            there = found.files.get(DAEMON_JSON)
            return _Planned(there, found.record, _our_labels(found), desired, tuple(notes))
        return _planned(found, merged, kept, desired, notes)

    def _merge(self, found: _Found, file: DaemonJson | None, labels: Mapping[str, str]) -> Merged:
        record, unit = found.record, found.unit
        runs = unit.may_have_read if unit is not None else found.unknown is not None
        runs = runs and found.docker_has != ()
        clear = record.edit is not None and runs
        existed = record.existed or record.edit is None
        return daemon_json.merge(file, labels, record.edit, clear=clear, existed=existed)

    def _check_unit(self, found: _Found) -> None:
        """Look at how this machine's Docker is started.

        Raises:
            _RefusedError: it would not take, or not start with, labels in daemon.json.
            _WaitingError: there is none yet.
            NoAnswerError: an environment file of its unit cannot be read.
        """
        unit = found.unit
        if found.unknown is not None:
            raise found.unknown
        if unit is None:
            if self.off_machine:
                return
            raise _RefusedError("systemd cannot be asked about another root; run it on the machine")
        if unit.snap:
            raise _RefusedError(
                "Docker is a snap, which has a configuration of its own; install your"
                " distribution's or Docker's own package"
            )
        if not unit.is_there:
            if next(self.root.glob("run/user/*/docker.sock"), None) is not None:
                raise _RefusedError(
                    "Docker is rootless, with a file of its user's; install it for the system"
                )
            raise _WaitingError(f"there is no {UNIT} yet")
        if not unit.dockerd:
            raise _RefusedError(
                f"{UNIT} does not start dockerd itself; its flags are not known, see 'systemctl cat"
                f" {UNIT}'"
            )
        if where := docker_unit.find_other_labels(unit, self.root):
            raise _RefusedError(
                f"{where}, and Docker does not start with that and labels in daemon.json; move it"
                " into daemon.json"
            )

    def _rehearse(self, found: _Found, file: DaemonJson | None, merged: Merged) -> None:
        """Ask dockerd whether it would start with the file as planned, where it is another one.

        Raises:
            _RefusedError: it would not. NoAnswerError: it did not say.
        """
        assert merged.text is not None  # noqa: S101 - with labels there is a file
        is_same = file is not None and file.text == merged.text
        if self.docker is None or found.unit is None or is_same:
            return
        why = self.docker.find_refusal(found.unit, merged.text.encode())
        if why is None:
            return
        without = file.text.encode() if file is not None else b"{}"
        if self.docker.find_refusal(found.unit, without) is not None:
            # Its words may quote what the user has in it.
            raise _RefusedError(
                f"dockerd does not take {DAEMON_JSON} as it is; run 'dockerd --validate' to see why"
            )
        raise _RefusedError(f"dockerd does not take our labels: {why}")


def make_systemd(settings: Settings, limit: Limit, *, off_machine: bool) -> SystemdHost:
    """Return this machine, or one in a folder; see hosts.selection.

    Raises:
        FilesError: this machine does not run systemd.
    """
    if settings.root != Path("/"):
        return SystemdHost(settings.root, None, limit, off_machine)
    if not Path(SYSTEMD).is_dir():
        raise FilesError(
            f"systemd does not run here, {SYSTEMD} is not there; run it on the machine, not in a"
            " container"
        )
    return SystemdHost(settings.root, docker_unit.LocalDocker(), limit, off_machine)


def _planned(
    found: _Found,
    merged: Merged,
    labels: Mapping[str, str],
    desired: Desired,
    notes: Iterable[Note],
) -> _Planned:
    content = None if merged.text is None else merged.text.encode()
    changes = content != found.files.get(DAEMON_JSON)
    runs = found.unit is not None and found.unit.may_have_read
    pending = changes or (found.record.pending and not _has(found.docker_has, merged.items))
    if merged.edit is None and not runs:
        pending = False  # it reads the file when it starts
    first = found.record.edit is None
    existed = DAEMON_JSON in found.files and (first or found.record.existed)
    record = LabelRecord(merged.edit, existed, pending)
    return _Planned(content, record, labels, desired, tuple(notes))


def _refuse(
    found: _Found, labels: Mapping[str, str], why: Exception
) -> tuple[dict[str, str], list[Note]]:
    """Return the labels of ours that stay, and what is said of the others."""
    kept, text = dict[str, str](), str(why)
    if isinstance(why, NoAnswerError):
        # Those that stay need no answer, and Swarm ends the tasks of a label that goes.
        ours = _our_labels(found).items()
        kept = {key: value for key, value in ours if labels.get(key) == value}
    elif isinstance(why, CannotMergeError):
        text = f"{DAEMON_JSON}: {why}"
    if not labels and found.record.edit is None:
        return kept, []  # it is the user's alone
    gone = tuple(LeftOut("label", key, text) for key in labels if key not in kept)
    if isinstance(why, NoAnswerError):
        return kept, [error(ExitStatus.FILES, f"no label is added or changed: {text}", *gone)]
    return kept, [error(ExitStatus.FILES, f"no label is set: {text}", *gone)]


def _encodable(labels: Mapping[str, str]) -> tuple[dict[str, str], list[Note]]:
    kept, notes = dict[str, str](), list[Note]()
    for key, value in labels.items():
        try:
            f"{key}{value}".encode()
        except UnicodeEncodeError:
            why = "it is not Unicode text"
            left_out = LeftOut("label", key, why)
            notes.append(warning(f"label {shown(key)} is left out: {why}", left_out))
        else:
            kept[key] = value
    return kept, notes


def _has(docker_has: tuple[str, ...] | None, items: Iterable[str]) -> bool:
    return docker_has is not None and set(docker_has) == set(items)


def _our_labels(found: _Found) -> dict[str, str]:
    """Return the labels of ours that daemon.json sets."""
    try:
        file = found.parse()
    except CannotMergeError:
        return {}
    edit = found.record.edit
    if file is None or edit is None:
        return {}
    ours = (item.partition("=") for item in file.items if item in edit.ours)
    return {key: value for key, _, value in ours}


def _plan_unit_env_file(
    found: _Found, variables: Mapping[str, str]
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
    found: _Found, planned: _Planned, state: State, env_files: Mapping[str, bytes | None]
) -> tuple[FileChange, ...]:
    """Return the changes in the order of writing.

    What is to go is in the state and the record until it has gone: after a kill in between,
    nothing of ours may be taken for the user's, and nothing of the user's be lost.
    """
    steps: list[tuple[str, bytes | None]] = []
    if state.holds_values():
        between = replace(
            state,
            env_files=tuple(sorted({*found.state.env_files, *state.env_files})),
            labels_changed=state.labels_changed if state.labels == found.state.labels else (),
        )
        if between != found.state:
            steps.append((STATE, render_state(between)))
    record = planned.record
    is_needed = record.edit is not None or record.pending
    labels = [
        (RECORD, render_record(record) if is_needed else None),
        (DAEMON_JSON, planned.content),
    ]
    steps += labels if record.edit is not None else reversed(labels)
    steps += [(path, raw) for path, raw in env_files.items() if raw is None]
    steps += [(path, raw) for path, raw in env_files.items() if raw is not None]

    def tell() -> Iterator[str]:
        return daemon_json.diff_labels(found.files.get(DAEMON_JSON), planned.content)

    return tuple(
        FileChange(
            path,
            found.files.get(path),
            raw,
            keeps_attributes=path == DAEMON_JSON,
            is_record=path in (STATE, RECORD),
            tell=tell if path == DAEMON_JSON else None,
        )
        for path, raw in steps
        if found.files.get(path) != raw
    )


def _note_config(desired: Desired) -> Iterator[Note]:
    for path in desired.config:
        why = "only RancherOS has config paths"
        left_out = LeftOut("config path", path, why, desired.sources.config.get(path))
        yield warning(f"{path} is not set: {why}; remove its mapping", left_out)


def _note_labels(labels: Mapping[str, str], before: Mapping[str, str]) -> Iterator[Note]:
    if labels:
        yield info(f"labels: {', '.join(map(shown, sorted(labels)))}")
    changed = sorted(key for key in labels if before.get(key, labels[key]) != labels[key])
    if changed:
        yield info(f"labels changed: {', '.join(map(shown, changed))}")
    removed = sorted(before.keys() - labels.keys())
    if removed:
        yield info(f"labels removed: {', '.join(map(shown, removed))}")
