"""RancherOS as a host: reads it, plans, rehearses, and says what to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.errors import ExitStatus, Note, error, warning
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
from rancheros_ec2_metadata.hosts.rancheros import cloud_config, drop_in, paths, rehearsal, ros_yaml
from rancheros_ec2_metadata.hosts.rancheros.culprits import (
    UNNAMED,
    name_stronger,
    refuse_difference,
)
from rancheros_ec2_metadata.hosts.rancheros.docker_start import check_start
from rancheros_ec2_metadata.hosts.rancheros.found import (
    Found,
    count_missing_items,
    decode,
    find,
    find_ours,
    read_file,
    read_state,
)
from rancheros_ec2_metadata.hosts.rancheros.legacy import Legacy
from rancheros_ec2_metadata.hosts.rancheros.proposal import (
    Proposal,
    RefusedError,
    list_values,
    propose,
    propose_nothing,
    propose_off_machine,
    propose_variables,
)
from rancheros_ec2_metadata.hosts.rancheros.rehearsal import Rehearsal
from rancheros_ec2_metadata.hosts.rancheros.release import Release, find_release
from rancheros_ec2_metadata.hosts.rancheros.ros import Answers, NoAnswerError, Ros
from rancheros_ec2_metadata.hosts.state import State, render_state
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.plan.desired import Desired
from rancheros_ec2_metadata.plan.provenance import LeftOut
from rancheros_ec2_metadata.settings import STATUS_VARIABLE, Settings


def make_rancheros(
    settings: Settings, limit: Limit, *, remove_legacy: bool, off_machine: bool
) -> RancherOs:
    """Return this machine, or one in a folder; see hosts.selection."""
    ros = Ros(str(settings.ros)) if settings.ros else None
    return RancherOs(
        root=settings.root,
        release=find_release(read_file(settings.root, paths.OS_CONFIG) or b""),
        rehearsal=None if off_machine and ros is None else Rehearsal(settings.root, ros, limit),
        legacy=Legacy.of(settings),
        remove_legacy=remove_legacy,
    )


class RancherOs:
    """One RancherOS machine.

    Args:
        root: the folder that stands for the root of the container.
        release: that reads the files.
        rehearsal: asks ``ros``; None off the machine, for which only a plan is made.
        legacy: what the legacy amazon-metadata would have left.
        remove_legacy: remove that too.
    """

    places = Places(
        paths.CONF, paths.MOUNT_FIX, paths.STATE, swept=(paths.CONF, paths.CLOUD_CONFIG_D)
    )
    always_says_outcome = False
    later_runs_read_briefly = False
    carries = staticmethod(drop_in.explain_uncarriable)

    def __init__(
        self,
        root: Path,
        release: Release,
        rehearsal: Rehearsal | None,
        legacy: Legacy,
        *,
        remove_legacy: bool = False,
    ) -> None:
        self.root = root
        self.release = release
        self.rehearsal = rehearsal
        self.legacy = legacy
        self.remove_legacy = remove_legacy

    @property
    def description(self) -> str:
        """The release; empty if that is not known."""
        return self.release.text

    def locate(self, path: str) -> Path:
        """Return the path at which this process finds a machine's file."""
        return paths.locate(self.root, path)

    def read_state(self) -> tuple[State, list[Note]]:
        """Return the state of the last run; an empty one if none can be read."""
        return read_state(self.root)

    def read_ours(self, plan: Plan) -> Ours:
        """Return this program's values in the files, after a plan was not written completely."""
        found, _ = find(self.root, self.release)
        old, new = find_ours(found, plan.before.labels), find_ours(found, plan.after.labels)
        return new._replace(labels={**old.labels, **new.labels})

    def activate(self, _seconds: float) -> Iterator[Note]:
        """Yield nothing: Docker takes its arguments when it starts."""
        yield from ()

    def check_files(self, state: State) -> Iterator[FileStatus]:
        """Yield whether our items are in cloud-config.yml still, if that sets the list."""
        if state.edits:
            missing = count_missing_items(find(self.root, self.release)[0])
            what = f"{missing} of our items are gone" if missing else "our items are in it"
            yield FileStatus("cloud-config.yml", as_left=not missing, what=what)

    def check_docker(self, state: State, boot_id: str | None) -> DockerStatus:
        """Return whether Docker has been started since its labels last changed."""
        return check_start(self.root, state, boot_id)

    def plan(self, desired: Desired, kept: State) -> Plan:
        """Return what to write so that the machine has what is ``desired``.

        Labels are set if ``ros`` reads them, and all else, as it should; if not, none is, and the
        plan says why. The instance, tags and metadata of the new state are those of ``kept``.
        """
        env_file = () if desired.env_file is None else (desired.env_file.path,)
        found, notes = find(self.root, self.release, *env_file)
        notes += [
            error(ExitStatus.FILES, f"items of an earlier run stay in cloud-config.yml: {why}")
            for why in found.stuck
        ]
        proposal = self._look_for_legacy(self._rehearse(found, desired))
        env_files, env_notes = plan_env_files(
            found.state.env_files, proposal.desired.env_file, found.disk, found.unreadable
        )
        before = find_ours(found, found.state.labels)
        config = {path: config_paths.render(one) for path, one in proposal.desired.config.items()}
        after = Ours(proposal.labels, proposal.variables, config)
        state = kept._replace(
            labels=after.labels,
            variables=after.variables,
            edits=proposal.edits,
            env_files=tuple(path for path, content in env_files.items() if content is not None),
            status=proposal.desired.variables.get(STATUS_VARIABLE, kept.status),
            rehearsed=proposal.rehearsed,
            labels_changed=found.state.labels_changed,
            last_run=found.state.last_run,
        )
        notes += [*proposal.notes, *env_notes]
        notes += note_labels(
            after.labels,
            before.labels,
            changed_until="; Docker takes them when it starts",
            removed_until="; Docker keeps them until it restarts",
        )
        return Plan(
            changes=_plan_changes(found, proposal, state, env_files),
            state=state,
            desired=proposal.desired,
            before=before,
            after=after,
            lists=proposal.lists,
            our_files=(paths.DROP_IN, *state.env_files),
            overridden=proposal.overridden,
            notes=(*notes, *desired.notes),
        )

    def _rehearse(self, found: Found, desired: Desired) -> Proposal:
        """Rehearse, and return what may be written: all, all but lists, or nothing."""
        if not (desired.labels or desired.variables or desired.config):
            return propose_nothing(found, desired)
        if self.rehearsal is None:
            return propose_off_machine(found, desired)
        try:
            rehearsal.check_readable(found.unreadable)
            before = self.rehearsal.ask(found.users)
            proposal = propose(found, desired, before)
            return self._compare(self.rehearsal, found, proposal, before)
        except (RefusedError, NoAnswerError) as why:
            return self._fall_back(found, desired, why)

    def _fall_back(self, found: Found, desired: Desired, why: Exception) -> Proposal:
        """Return what may be written if labels, or the variables alone, may not: the rest."""
        status = desired.variables.get(STATUS_VARIABLE)
        rest = desired
        if desired.labels:
            names = [LeftOut("label", key, str(why)) for key in desired.labels]
            note = error(ExitStatus.FILES, f"no label is set: {why}", *names)
            rest = desired.with_outcome("partial") if status in ("complete", "kept") else desired
        elif isinstance(why, NoAnswerError):
            note = warning(f"what is written was not rehearsed: {why}")
        else:
            names = [LeftOut("variable", name, str(why)) for name in desired.variables]
            note = error(ExitStatus.FILES, f"no variable is set: {why}", *names)
            none = desired.with_outcome("none") if status is not None else desired
            return propose_nothing(found, none)._replace(notes=(note,))
        rest = rest._replace(labels={})
        # Variables need no answer.
        without_answer = isinstance(why, NoAnswerError)
        proposal = (propose_variables if without_answer else self._rehearse)(found, rest)
        return proposal._replace(notes=(note, *proposal.notes))

    def _compare(
        self, ros: Rehearsal, found: Found, proposal: Proposal, before: Answers
    ) -> Proposal:
        """Ask ``ros`` with our files in place, unless that was done and nothing has changed since.

        Raises:
            RefusedError: it reads something otherwise than planned.
            NoAnswerError: it gave no answer.
        """
        planned = proposal.put_into(found.users)
        digest = rehearsal.digest(planned)
        if digest == found.state.rehearsed == rehearsal.digest(found.disk):
            return proposal._replace(rehearsed=digest)
        after = ros.ask(planned)
        values = list_values(proposal.desired)
        unhidden = self._are_args_unhidden(found, before, after)
        ours = [keys for keys, _ in values.values()]
        ours += [(*cloud_config.DOCKER, key) for key in self.release.argument_keys]
        key = rehearsal.find_difference(before, after, ours, unhidden=unhidden)
        for one in proposal.lists:
            is_back = unhidden and one.key == "args" and not one.after
            if after.arguments(one.key) != one.after and not is_back:
                stronger = name_stronger(found.users, (*cloud_config.DOCKER, one.key))
                if key is None or stronger != UNNAMED:
                    text = f"rancher.docker.{one.key} is overridden by {stronger}"
                    raise RefusedError(f"{text}; remove it there")
        if key is not None:
            raise refuse_difference(found.users, key)
        read = dict(ros_yaml.flatten(after._asdict()))
        overridden = {
            name: name_stronger(found.users, keys)
            for name, (keys, value) in values.items()
            if read.get(keys) != (list(value) if isinstance(value, tuple) else str(value))
        }
        # What is overridden is named at each run, so it is asked for at each.
        return proposal._replace(
            overridden=overridden,
            notes=(*proposal.notes, *_note_overridden(overridden, proposal.desired)),
            rehearsed=None if overridden else digest,
        )

    def _are_args_unhidden(self, found: Found, before: Answers, after: Answers) -> bool:
        """Tell whether ``args`` of os-config.yml, which a null had hidden, are in effect with us.

        Before v0.7 Docker cannot start without them. What an oem-config.yml sets stays hidden.
        """
        has_oem = paths.OEM_CONFIG in {*found.disk, *found.unreadable}
        return (
            "args" in self.release.argument_keys
            and not has_oem
            and not before.arguments("args")
            and bool(after.arguments("args"))
        )

    def _look_for_legacy(self, proposal: Proposal) -> Proposal:
        text, notes = proposal.cloud_config, list[Note]()
        if text is not None and self.remove_legacy:
            text, notes = self.legacy.remove(text)
        elif text is not None and proposal.tree:
            notes += self.legacy.name(text)
        return proposal._replace(cloud_config=text, notes=(*proposal.notes, *notes))


def _note_overridden(overridden: Mapping[str, str], desired: Desired) -> Iterator[Note]:
    values = list_values(desired)
    for name, stronger in overridden.items():
        path = ".".join(values[name][0])
        why = f"overridden by {stronger}"
        fix = f"change it there, or with 'sudo ros config set {path} VALUE'"
        if name in desired.config:
            yield warning(f"{name} is {why}; {fix}", LeftOut("config path", name, why, by=stronger))
        else:
            left_out = LeftOut("variable", name, why, by=stronger)
            yield warning(f"variable {name} is {why}; {fix}", left_out)


def _plan_changes(
    found: Found, proposal: Proposal, state: State, env_files: Mapping[str, bytes | None]
) -> tuple[FileChange, ...]:
    """Return the changes in the order of writing.

    An item to remove stays in the state until its file is written: after a kill in between, none of
    our items may be taken for the user's, and none of the user's be lost.
    """
    planned = proposal.put_into(found.users)
    steps: list[tuple[str, bytes | None]] = []
    ours = [(path, planned.get(path)) for path in (paths.DROP_IN, paths.CLOUD_CONFIG)]
    if state.holds_values():
        between = state.with_former(found.state)._replace(
            labels_changed=state.labels_changed if state.labels == found.state.labels else (),
        )
        if between._replace(rehearsed=None) != found.state._replace(rehearsed=None):
            steps.append((paths.STATE, render_state(between)))
    else:
        ours.reverse()
    if paths.CLOUD_CONFIG in found.unreadable:
        ours = [one for one in ours if one[0] != paths.CLOUD_CONFIG]
    steps += [(path, None) for path, content in env_files.items() if content is None]
    steps += ours
    # Written last: an error in a folder of the operator's must not prevent labels.
    steps += [(path, content) for path, content in env_files.items() if content is not None]
    items = set(proposal.items.values()).union(*(x.ours for x in found.state.edits.values()))

    def tell() -> Iterator[str]:
        old, new = (decode(x.get(paths.CLOUD_CONFIG)) or "" for x in (found.disk, planned))
        return cloud_config.diff(old, new, items)

    return tuple(
        FileChange(
            path,
            found.disk.get(path),
            content,
            keeps_attributes=path == paths.CLOUD_CONFIG,
            is_record=path == paths.STATE,
            tell=tell if path == paths.CLOUD_CONFIG else None,
        )
        for path, content in steps
        if found.disk.get(path) != content or path in found.unreadable
    )
