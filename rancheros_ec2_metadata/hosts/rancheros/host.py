"""RancherOS as a host: reads it, plans, rehearses, and says what to write."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, info, shown, warning
from rancheros_ec2_metadata.hosts.files import FileChange
from rancheros_ec2_metadata.hosts.plan import ArgumentList, Ours, Plan
from rancheros_ec2_metadata.hosts.rancheros import (
    cloud_config,
    conflicts,
    docker_args,
    drop_in,
    paths,
    rehearsal,
    shell,
)
from rancheros_ec2_metadata.hosts.rancheros.cloud_config import CannotEditError, Item
from rancheros_ec2_metadata.hosts.rancheros.legacy import Legacy
from rancheros_ec2_metadata.hosts.rancheros.rehearsal import Rehearsal
from rancheros_ec2_metadata.hosts.rancheros.release import Release
from rancheros_ec2_metadata.hosts.rancheros.ros import Answers, NoAnswerError, Tree
from rancheros_ec2_metadata.hosts.rancheros.snapshot import Snapshot, read_file, read_snapshot
from rancheros_ec2_metadata.hosts.state import (
    DamagedStateError,
    Edit,
    State,
    parse_state,
    render_state,
)
from rancheros_ec2_metadata.plan import config_paths, env_file
from rancheros_ec2_metadata.plan.desired import Desired
from rancheros_ec2_metadata.plan.provenance import LeftOut
from rancheros_ec2_metadata.settings import STATUS_VARIABLE


class _RefusedError(Exception):
    """No list of ours is written; the message says why and what to do."""


@dataclass(frozen=True)
class _Proposal:
    """What our files shall be.

    Args:
        tree: of the drop-in.
        cloud_config: the text of cloud-config.yml; None where there is none.
        labels: that it sets, with the item of each.
        lists: Docker's arguments, by key: without us and as planned.
        edits: of cloud-config.yml.
        desired: what it was made of.
        notes: what was decided.
    """

    tree: dict[str, Any]
    cloud_config: str | None
    desired: Desired
    labels: Mapping[str, str] = field(default_factory=dict)
    lists: tuple[ArgumentList, ...] = ()
    edits: Mapping[str, Edit] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def put_into(self, users: Snapshot) -> Snapshot:
        """Return the user's files with ours among them."""
        content = drop_in.render_drop_in(self.tree) if self.tree else None
        raw = None if self.cloud_config is None else _encode(self.cloud_config)
        return users.with_file(paths.DROP_IN, content).with_file(paths.CLOUD_CONFIG, raw)


@dataclass(frozen=True)
class RancherOs:
    """One RancherOS machine.

    Args:
        root: the folder that stands for the root of the container.
        release: that reads the files.
        rehearsal: asks ``ros``; None off the machine, where only a plan is made.
        legacy: what the legacy amazon-metadata would have left.
        remove_legacy: remove that too.
    """

    root: Path
    release: Release
    rehearsal: Rehearsal | None
    legacy: Legacy
    remove_legacy: bool = False

    carries = staticmethod(drop_in.explain_uncarriable)

    def read_state(self) -> tuple[State, list[Note]]:
        """Return what the last run left; an empty state where it left none that reads."""
        return _state_of(read_file(self.root, Snapshot(), paths.STATE))

    def plan(self, desired: Desired, kept: State) -> Plan:
        """Return what to write so that the machine has what is ``desired``.

        Labels are set if ``ros`` reads them, and all else, as it should; if not, none is, and the
        plan says why.

        Args:
            desired: labels, variables and config values.
            kept: the instance, tags and metadata that the new state shall name.
        """
        return _Planner(self, read_snapshot(self.root), desired, kept).plan()

    def read_ours(self, plan: Plan) -> Ours:
        """Return what of ours the files set, where not all of a plan could be written."""
        disk = read_snapshot(self.root)
        old, new = (
            find_ours(disk, labels, self.release)
            for labels in (plan.before.labels, plan.after.labels)
        )
        return replace(new, labels={**old.labels, **new.labels})


class _Planner:
    """Makes one plan, from the files as they are now."""

    def __init__(self, host: RancherOs, disk: Snapshot, desired: Desired, kept: State) -> None:
        self._host = host
        self._release = host.release
        self._desired = desired
        self._kept = kept
        self._state, self._notes = _state_of(disk)
        for path in {
            *self._state.env_files,
            *([desired.env_file.path] if desired.env_file else ()),
        }:
            disk = read_file(host.root, disk, path)
        self._disk = disk
        text = _decode(disk.files.get(paths.CLOUD_CONFIG))
        self._users_text = text
        self._stuck: tuple[str, ...] = ()
        if text is not None:
            restored = cloud_config.restore(text, self._state.edits, self._release.quoting)
            self._users_text, self._stuck = restored.text, restored.problems
        elif self._state.edits and paths.CLOUD_CONFIG in disk.unreadable:
            why = disk.unreadable[paths.CLOUD_CONFIG]
            self._stuck = (f"items of an earlier run stay in cloud-config.yml: {why}",)
        raw = None if self._users_text is None else _encode(self._users_text)
        self._users = disk.with_file(paths.DROP_IN, None)
        if paths.CLOUD_CONFIG not in disk.unreadable:
            self._users = self._users.with_file(paths.CLOUD_CONFIG, raw)

    def plan(self) -> Plan:
        self._notes.extend(error(ExitStatus.FILES, text) for text in self._stuck)
        proposal, overridden, rehearsed = self._propose()
        self._notes.extend(proposal.notes)
        text = proposal.cloud_config
        if text is not None and self._host.remove_legacy:
            text, notes = self._host.legacy.remove(text)
            self._notes.extend(notes)
            proposal = replace(proposal, cloud_config=text)
        elif text is not None and self._wants_something():
            self._notes.extend(self._host.legacy.name(text))
        desired = proposal.desired
        values = {key: desired.labels[key] for key in proposal.labels}
        environment = proposal.tree.get("rancher", {}).get("environment", {})
        ours_before = find_ours(self._disk, self._state.labels, self._release)
        gone, env_files = self._env_files(desired)
        state = replace(
            self._kept,
            labels=values,
            variables=dict(environment),
            edits=dict(proposal.edits),
            env_files=tuple(env_files),
            status=desired.variables.get(STATUS_VARIABLE, self._kept.status),
            rehearsed=rehearsed,
            overridden=tuple(sorted(overridden)),
            labels_changed=self._state.labels_changed,
            last_run=self._state.last_run,
        )
        self._notes.extend(_note_labels(values, ours_before.labels))
        self._notes.extend(self._note_overridden(overridden))
        planned = proposal.put_into(self._users)
        return Plan(
            changes=self._changes(planned, state, gone, env_files),
            state=state,
            desired=desired,
            before=ours_before,
            after=Ours(values, environment, _config_of(proposal.tree)),
            lists=proposal.lists,
            overridden=overridden,
            notes=(*self._notes, *desired.notes),
        )

    def _wants_something(self) -> bool:
        wanted = self._desired
        return bool(wanted.labels or wanted.variables or wanted.config)

    # What our files shall be.

    def _propose(self) -> tuple[_Proposal, dict[str, str], str | None]:
        """Return the proposal, what of it is overridden, and the digest of what was rehearsed."""
        nothing = _Proposal({}, self._users_text, self._desired, edits=self._stuck_edits())
        if not self._wants_something():
            return nothing, {}, None
        if self._host.rehearsal is None:
            return self._off_machine(), {}, None
        try:
            before = self._ask_without_us()
            proposal = self._with_lists(before)
            return proposal, *self._rehearse(proposal, before)
        except (_RefusedError, NoAnswerError) as why:
            return self._without_lists(nothing, why)

    def _off_machine(self) -> _Proposal:
        """Return what of ours a machine will have: the rest of its list ``ros`` decides there."""
        desired = self._desired
        items, left_out = docker_args.label_items(desired.labels, self._release.quoting, 0)
        notes = [
            warning(f"label {shown(key)} is left out: {why}", LeftOut("label", key, why))
            for key, why in left_out.items()
        ]
        if items:
            notes.append(info("the user's own arguments: decided by ros on the machine"))
        lists = {"extra_args": list(items.values())} if items else {}
        tree = _tree(desired, lists)
        return _Proposal(tree, self._users_text, desired, items, notes=tuple(notes))

    def _without_lists(
        self, nothing: _Proposal, why: Exception
    ) -> tuple[_Proposal, dict[str, str], str | None]:
        """Return our plan without lists, rehearsed likewise; without anything where that fails."""
        status = self._desired.variables.get(STATUS_VARIABLE)
        desired = self._desired
        if desired.labels:
            left_out = tuple(LeftOut("label", key, str(why)) for key in desired.labels)
            self._notes.append(error(ExitStatus.FILES, f"no label is set: {why}", *left_out))
            if status in ("complete", "kept"):
                desired = desired.with_outcome("partial")
        elif isinstance(why, NoAnswerError):
            self._notes.append(warning(f"what is written was not rehearsed: {why}"))
        desired = replace(desired, labels={})
        proposal = replace(nothing, desired=desired, tree=_tree(desired, {}))
        if isinstance(why, NoAnswerError):
            return proposal, {}, None  # variables need no answer
        try:
            if self._desired.labels:
                return proposal, *self._rehearse(proposal, self._ask(self._users))
        except (_RefusedError, NoAnswerError) as also:
            why = also
            if isinstance(also, NoAnswerError):
                return proposal, {}, None
        names = tuple(LeftOut("variable", name, str(why)) for name in desired.variables)
        self._notes.append(error(ExitStatus.FILES, f"no variable is set: {why}", *names))
        if status is not None:
            desired = desired.with_outcome("none")
        return replace(nothing, desired=replace(desired, config={})), {}, None

    def _ask_without_us(self) -> Answers:
        if why := rehearsal.unreadable(self._disk):
            raise _RefusedError(f"{why}; make it a plain file that root can read")
        if self._stuck:
            raise _RefusedError(self._stuck[0])
        return self._ask(self._users)

    def _ask(self, files: Snapshot) -> Answers:
        assert self._host.rehearsal is not None  # noqa: S101 - looked at before
        return self._host.rehearsal.ask(files)

    def _rehearse(self, proposal: _Proposal, before: Answers) -> tuple[dict[str, str], str | None]:
        """Return what is overridden, and the digest of the files that were rehearsed.

        Raises:
            _RefusedError: ``ros`` reads something otherwise than planned.
        """
        planned = proposal.put_into(self._users)
        rehearsed = rehearsal.digest(planned)
        if rehearsed == self._state.rehearsed == rehearsal.digest(self._disk):
            names = {*proposal.desired.variables, *proposal.desired.config}
            names &= {*self._state.overridden}
            return {name: self._name_stronger(_path_of(name)) for name in names}, rehearsed
        after = self._ask(planned)
        restored = self._restored(before, after)
        for one in proposal.lists:
            found = after.arguments(one.key)
            is_back = restored is not None and one.key == "args" and not one.after
            if found != one.after and not is_back:
                stronger = self._name_stronger(("rancher", "docker", one.key))
                raise _RefusedError(
                    f"rancher.docker.{one.key} is overridden by {stronger}; remove it there"
                )
        ours: list[tuple[str, ...]] = [("docker", key) for key in self._release.argument_keys]
        ours += [("environment", name) for name in proposal.desired.variables]
        ours += [_strip(config_paths.keys(path)) for path in proposal.desired.config]
        if (key := rehearsal.find_difference(before, after, ours, restored)) is not None:
            raise _RefusedError(self._explain_difference(key))
        return self._overridden(proposal.desired, after), rehearsed

    def _restored(self, before: Answers, after: Answers) -> dict[str, Tree] | None:
        """Return what os-config.yml alone gives, where its lost ``args`` come back.

        Before v0.7 Docker cannot start without them. An OEM's values stay hidden.
        """
        if "args" not in self._release.argument_keys or before.arguments("args"):
            return None
        files = self._users.files
        if paths.OEM_CONFIG in files or paths.OEM_CONFIG in self._users.unreadable:
            return None
        system = {x: files[x] for x in (paths.OS_CONFIG, paths.COMMAND_LINE) if x in files}
        alone = self._ask(Snapshot(system)) if after.arguments("args") else None
        is_back = alone is not None and alone.arguments("args") == after.arguments("args")
        return alone.rancher if alone is not None and is_back else None

    def _overridden(self, desired: Desired, after: Answers) -> dict[str, str]:
        environment = after.map("environment")
        names = [
            name for name, value in desired.variables.items() if environment.get(name) != value
        ]
        for path, value in desired.config.items():
            keys = config_paths.keys(path)
            found = after.hostname if path == "hostname" else after.get(*_strip(keys))
            wanted = list(value) if isinstance(value, tuple) else str(value)
            if found != wanted:
                names.append(path)
        return {name: self._name_stronger(_path_of(name)) for name in names}

    def _note_overridden(self, overridden: Mapping[str, str]) -> Iterator[Note]:
        for name, stronger in overridden.items():
            path = ".".join(_path_of(name))
            kind = "config path" if name in self._desired.config else "variable"
            what = name if kind == "config path" else f"variable {name}"
            why = f"overridden by {stronger}"
            fix = f"change it there, or with 'sudo ros config set {path} VALUE'"
            left_out = LeftOut("config path" if kind == "config path" else "variable", name, why)
            yield warning(f"{what} is {why}; {fix}", replace(left_out, by=stronger))

    # Docker's arguments.

    def _with_lists(self, before: Answers) -> _Proposal:
        """Return the proposal with labels in Docker's arguments.

        Raises:
            _RefusedError: no label may be set.
        """
        release, desired, notes = self._release, self._desired, list[Note]()
        users = {key: before.arguments(key) for key in release.argument_keys}
        notes.extend(conflicts.find_later_changes(before, self._disk.files.get(paths.SCRIPT)))
        if not desired.labels:
            return _Proposal(
                _tree(desired, {}),
                self._users_text,
                desired,
                lists=tuple(
                    ArgumentList(key, items, items, {}, None) for key, items in users.items()
                ),
                notes=tuple(notes),
            )
        if not release.known:
            raise _RefusedError(
                f"the release is not known, {paths.OS_CONFIG} does not tell; mount /usr/share/ros"
                " into this container (/usr/share/ros:/usr/share/ros:ro)"
            )
        self._check_words(users)
        wanted = self._without_conflicts(before, users, notes)
        taken = sum(map(docker_args.size, users.values()))
        items, left_out = docker_args.label_items(wanted, release.quoting, taken)
        for key, reason in left_out.items():
            text = f"label {shown(key)} is left out: {reason}"
            notes.append(warning(text, LeftOut("label", key, reason)))
        if (
            len(wanted) < len(desired.labels)
            and desired.variables.get(STATUS_VARIABLE) == "complete"
        ):
            self._desired = desired.with_outcome("partial")
            return self._with_lists(before)
        return self._composed(users, items, notes)

    def _check_words(self, users: Mapping[str, tuple[str, ...]]) -> None:
        for key, items in users.items():
            try:
                docker_args.find_labels(items, self._release.quoting)
            except shell.NotWordsError as wrong:
                item = shown(docker_args.name_option(items[wrong.item]))
                text = f"item {item} of rancher.docker.{key} has {wrong.reason}"
                raise _RefusedError(f"{text}; {wrong.so}") from None

    def _without_conflicts(
        self, before: Answers, users: Mapping[str, tuple[str, ...]], notes: list[Note]
    ) -> dict[str, str]:
        """Return the labels that do not stop Docker.

        Raises:
            _RefusedError: any label of ours would stop it.
        """
        wanted, files = dict(self._desired.labels), self._disk.files
        everything = [item for items in users.values() for item in items]
        path = conflicts.find_daemon_json(before, everything, self._release.quoting)
        if path not in files and shell.EXPANDED not in path:
            files = read_file(self._host.root, self._disk, path).files
        content = conflicts.as_it_will_be(before, files, path)
        if content is not None and conflicts.has_labels(content):
            raise _RefusedError(
                f"{path} has 'labels', and with any --label beside them Docker does not start;"
                " move those labels to rancher.docker.extra_args"
            )
        opts = conflicts.as_it_will_be(before, files, paths.DOCKER_OPTS)
        for key in sorted(conflicts.find_docker_opts_labels(opts, wanted) & wanted.keys()):
            del wanted[key]
            reason = f"DOCKER_OPTS in {paths.DOCKER_OPTS} sets it too, and Docker would not start"
            text = f"label {shown(key)} is left out: {reason}; remove it there"
            left_out = LeftOut("label", key, reason, by=paths.DOCKER_OPTS)
            notes.append(error(ExitStatus.FILES, text, left_out))
        return wanted

    def _composed(
        self, users: Mapping[str, tuple[str, ...]], items: Mapping[str, str], notes: list[Note]
    ) -> _Proposal:
        target = "args" if users.get("args", ())[:1] == ("daemon",) else "extra_args"
        text = self._users_text
        lists, edits, in_drop_in = [], {}, {}
        for key, before in users.items():
            without = docker_args.remove_labels(before, items, self._release.quoting)
            ours = list(items.values()) if key == target else []
            after = (*without.items, *ours)
            if after == before:
                lists.append(ArgumentList(key, before, before, {}, None))
                continue
            if without.removed:
                gone = docker_args.find_labels(before, self._release.quoting).keys() & items.keys()
                names = ", ".join(map(shown, sorted(gone)))
                notes.append(info(f"labels of rancher.docker.{key} overridden by tags: {names}"))
            home = "cloud-config.yml" if self._is_in_cloud_config(key, before) else None
            if home is not None and text is not None:
                text, edits[key] = self._edited(text, key, items, ours)
            else:
                home, in_drop_in[key] = f"cloud-config.d/{paths.DROP_IN_NAME}", list(after)
            of_labels = {item: label for label, item in items.items()} if key == target else {}
            lists.append(ArgumentList(key, before, after, of_labels, home))
        tree = _tree(self._desired, in_drop_in)
        return _Proposal(tree, text, self._desired, items, tuple(lists), edits, tuple(notes))

    def _is_in_cloud_config(self, key: str, read: tuple[str, ...]) -> bool:
        """Tell whether cloud-config.yml is what sets a list that ``ros`` reads.

        Raises:
            _RefusedError: it may be, and cannot be edited.
        """
        if self._users_text is None:
            return False
        try:
            found = cloud_config.find_list(self._users_text, key)
        except CannotEditError as why:
            self._cannot_edit = str(why)
            return False
        return found is not None and cloud_config.matches(found.texts, read)

    _cannot_edit: str | None = None

    def _edited(
        self, text: str, key: str, items: Mapping[str, str], ours: Sequence[str]
    ) -> tuple[str, Edit]:
        """Return cloud-config.yml with a list of it changed, and how to restore that."""
        found = cloud_config.find_list(text, key)
        assert found is not None  # noqa: S101 - looked for just before
        try:
            without = docker_args.remove_labels(found.texts, items, self._release.quoting)
        except shell.NotWordsError as wrong:
            raise _RefusedError(f"rancher.docker.{key} in cloud-config.yml has {wrong}") from None
        unused = list(found.items)
        new = [_take(unused, one) for one in without.items] + [Item(one) for one in ours]
        former = cloud_config.list_text(text, found)
        now = self._list_now(key)
        source = now.source if now and now.texts == tuple(one.text for one in new) else None
        after = cloud_config.replace_list(text, found, new, source)
        in_place = cloud_config.find_list(after, key)
        written = cloud_config.list_text(after, in_place) if in_place else ""
        old = self._state.edits.get(key)
        known = [now.source] if now and old and now.source != former else []
        left = [one for one in (old.ours if old else ()) if now and one in now.texts]
        return after, Edit(
            former=former,
            written=tuple(dict.fromkeys([*known, written])),
            ours=tuple(dict.fromkeys([*left, *ours])),
            displaced=without.removed,
        )

    def _list_now(self, key: str) -> _ListNow | None:
        """Return a list of cloud-config.yml as it is on the disk, with what is ours in it."""
        text = _decode(self._disk.files.get(paths.CLOUD_CONFIG)) or ""
        try:
            found = cloud_config.find_list(text, key)
        except CannotEditError:
            return None
        return _ListNow(cloud_config.list_text(text, found), found.texts) if found else None

    def _stuck_edits(self) -> Mapping[str, Edit]:
        return self._state.edits if self._stuck else {}

    # Who is in the way.

    def _name_stronger(self, path: Sequence[str]) -> str:
        """Return the layer that overrides our drop-in at ``path``, as an operator knows it."""
        dotted = ".".join(path)
        for name, content in self._users.files.items():
            if b"EXTRA_CMDLINE" in content and f"{dotted}=".encode() in content:
                return f"EXTRA_CMDLINE in {paths.name_layer(name)}"
        if f"{dotted}=".encode() in self._users.files.get(paths.COMMAND_LINE, b""):
            return paths.name_layer(paths.COMMAND_LINE)
        later = [one for one in self._users.drop_ins() if one > paths.DROP_IN]
        for name in (paths.CLOUD_CONFIG, *reversed(later)):
            if cloud_config.sets(_decode(self._users.files.get(name)) or "", path):
                cannot = self._cannot_edit if name == paths.CLOUD_CONFIG else None
                why = f", which cannot be edited ({cannot})" if cannot else ""
                return f"{paths.name_layer(name)}{why}"
        return "a stronger file"

    def _explain_difference(self, key: str) -> str:
        """Name the empty key of the user's that a map of ours would fill."""
        for name in (*self._users.drop_ins(), paths.CLOUD_CONFIG):
            text = _decode(self._users.files.get(name)) or ""
            for path in (("rancher",), cloud_config.DOCKER, cloud_config.ENVIRONMENT):
                if cloud_config.is_null(text, path):
                    empty = ".".join(path)
                    return (
                        f"{paths.name_layer(name)} has the empty key {empty}, which hides {key};"
                        f" anything of ours there would bring that back; remove the key"
                    )
        return f"{key} would be read otherwise than now"

    # The files.

    def _env_files(self, desired: Desired) -> tuple[list[str], dict[str, bytes]]:
        """Return the files of --env-file to remove, and the one to write."""
        wanted = desired.env_file
        written: dict[str, bytes] = {}
        if wanted is not None and wanted.variables:
            written[wanted.path] = env_file.render_env_file(wanted.variables)
        gone = []
        for path in (*written, *self._state.env_files):
            why = self._disk.unreadable.get(path)
            if why is None and not env_file.is_ours(self._disk.files.get(path, b"")):
                why = "it does not begin with this program's line"
            if why is not None:
                written.pop(path, None)
                text = f"{path} is left as it is: {why}; move it away, or name another file"
                self._notes.append(error(ExitStatus.FILES, text))
            elif path not in written and path in self._disk.files:
                gone.append(path)
        return gone, written

    def _changes(
        self,
        planned: Snapshot,
        state: State,
        gone: Collection[str],
        written: Mapping[str, bytes],
    ) -> tuple[FileChange, ...]:
        """Return the changes in the order of writing.

        What is to go from a file is in the state until it has gone there: after a kill in between,
        nothing of ours may be taken for the user's, and nothing of the user's be lost.
        """
        between = replace(state, edits={**self._state.edits, **state.edits})
        steps: list[tuple[str, bytes | None]] = []
        if replace(between, rehearsed=None) != replace(self._state, rehearsed=None):
            steps.append((paths.STATE, render_state(between)))
        ours = [(path, planned.files.get(path)) for path in (paths.DROP_IN, paths.CLOUD_CONFIG)]
        if not state.holds_values():
            steps, ours = [], ours[::-1]
        if paths.CLOUD_CONFIG in self._disk.unreadable:
            ours = [one for one in ours if one[0] != paths.CLOUD_CONFIG]
        steps += [(path, None) for path in gone]
        steps += ours
        # Last: that one of the operator's folders cannot be written must not be at Docker's cost.
        steps += written.items()
        return tuple(
            FileChange(path, self._disk.files.get(path), content, path == paths.CLOUD_CONFIG)
            for path, content in steps
            if self._disk.files.get(path) != content or path in self._disk.unreadable
        )


@dataclass(frozen=True)
class _ListNow:
    """A list as it is on the disk: its text, and its items."""

    source: str
    texts: tuple[str, ...]


def find_ours(disk: Snapshot, labels: Mapping[str, str], release: Release) -> Ours:
    """Return what of ours the files on the disk set.

    Args:
        disk: as read.
        labels: that the last run set; those whose items are there count.
        release: that reads the files.
    """
    tree = drop_in.parse_drop_in(disk.files.get(paths.DROP_IN, b"{}"))
    rancher = tree.get("rancher")
    rancher = rancher if isinstance(rancher, dict) else {}
    docker, environment = rancher.get("docker"), rancher.get("environment")
    items: set[str] = set()
    for key in release.argument_keys:
        found = docker.get(key) if isinstance(docker, dict) else None
        items.update(found if isinstance(found, list) else ())
        try:
            own = cloud_config.find_list(_decode(disk.files.get(paths.CLOUD_CONFIG)) or "", key)
        except CannotEditError:
            own = None
        items.update(own.texts if own is not None else ())
    there = {}
    for key, value in labels.items():
        try:
            if docker_args.label_item(key, value, release.quoting) in items:
                there[key] = value
        except ValueError:
            continue
    return Ours(there, environment if isinstance(environment, dict) else {}, _config_of(tree))


def count_missing_items(disk: Snapshot, state: State) -> int:
    """Return how many of our items are no longer in cloud-config.yml, where they were set."""
    text = _decode(disk.files.get(paths.CLOUD_CONFIG)) or ""
    missing = 0
    for key, edit in state.edits.items():
        try:
            found = cloud_config.find_list(text, key)
        except CannotEditError:
            found = None
        missing += sum(item not in (found.texts if found else ()) for item in edit.ours)
    return missing


def _config_of(tree: Mapping[str, Any]) -> dict[str, str]:
    """Return the config values of a drop-in, by path, as text."""
    found: dict[str, str] = {}

    def walk(node: Any, path: tuple[str, ...]) -> None:
        if path == cloud_config.ENVIRONMENT or (
            path[:2] == cloud_config.DOCKER
            and path[2:]
            in (
                ("args",),
                ("extra_args",),
            )
        ):
            return
        if isinstance(node, dict):
            for key, value in node.items():
                walk(value, (*path, key))
        else:
            found[".".join(path)] = ", ".join(node) if isinstance(node, list) else str(node)

    walk(tree, ())
    return found


def _state_of(disk: Snapshot) -> tuple[State, list[Note]]:
    raw = disk.files.get(paths.STATE)
    if raw is None:
        return State(), []
    try:
        return parse_state(raw), []
    except DamagedStateError as why:
        return State(), [warning(f"{paths.STATE} cannot be used ({why}); it is written anew")]


def _note_labels(labels: Mapping[str, str], before: Mapping[str, str]) -> Iterator[Note]:
    if labels:
        yield info(f"labels: {', '.join(map(shown, sorted(labels)))}")
    changed = sorted(key for key in labels if key in before and before[key] != labels[key])
    if changed:
        names = ", ".join(map(shown, changed))
        yield info(f"labels changed: {names}; Docker takes them when it starts")
    removed = sorted(before.keys() - labels.keys())
    if removed:
        names = ", ".join(map(shown, removed))
        yield info(f"labels removed: {names}; Docker keeps them until it restarts")


def _tree(desired: Desired, lists: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what our drop-in shall set."""
    tree: dict[str, Any] = {}
    for key, items in lists.items():
        drop_in.put(tree, ("rancher", "docker", key), list(items))
    for path, value in desired.config.items():
        drop_in.put(
            tree, config_paths.keys(path), list(value) if isinstance(value, tuple) else value
        )
    if desired.variables:
        drop_in.put(tree, ("rancher", "environment"), dict(sorted(desired.variables.items())))
    return tree


def _take(unused: list[Item], text: str) -> Item:
    for item in unused:
        if item.text == text:
            unused.remove(item)
            return item
    return Item(text)


def _path_of(name: str) -> tuple[str, ...]:
    """Return the keys of a variable or a config path."""
    if "." in name or name == "hostname":
        return config_paths.keys(name)
    return (*cloud_config.ENVIRONMENT, name)


def _strip(keys: tuple[str, ...]) -> tuple[str, ...]:
    return keys[1:] if keys[0] == "rancher" else keys


def _decode(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
