"""The way of the data at one boot: EC2 and the disk in, a plan, files out, read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rancheros_ec2_metadata import closing, summary
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, Note, error, info, shown
from rancheros_ec2_metadata.plan import kept
from rancheros_ec2_metadata.plan.local import Local
from rancheros_ec2_metadata.plan.mapping import NOTHING
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros.disk import Disk, read_also
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.rancheros.state import State
from rancheros_ec2_metadata.times import Times
from rancheros_ec2_metadata.writing import Wanted, Writer, state_of

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit
    from rancheros_ec2_metadata.ec2.facts import Facts
    from rancheros_ec2_metadata.ec2.firmware import Machine
    from rancheros_ec2_metadata.log import Log
    from rancheros_ec2_metadata.plan.planning import Plan
    from rancheros_ec2_metadata.rancheros.ros import Ros
    from rancheros_ec2_metadata.rancheros.store import Store
    from rancheros_ec2_metadata.settings import Settings


class Ec2(Protocol):
    """EC2, as a run asks it; see ec2.read."""

    def read(self, *, kept: bool, so_far: Callable[[Facts], None]) -> Facts:
        """Return what EC2 says."""


@dataclass(frozen=True)
class Edges:
    """Where a run touches the world.

    Args:
        log: the boot log.
        now: the time of day, for the first line.
        machine: what the firmware says.
        ec2: is asked for metadata and tags.
        store: writes files.
        ros: reads back; None where it is not there.
        deadline: until when anything may be waited for.
        boot_id: the kernel's name for this boot, for `status`.
    """

    log: Log
    now: datetime
    machine: Machine
    ec2: Ec2
    store: Store
    ros: Ros | None
    deadline: Limit
    boot_id: str | None = None


def boot(settings: Settings, edges: Edges) -> Plan | None:
    """Run once: read EC2, write RancherOS's configuration, read it back; return the last plan.

    The exit status is the log's.

    Raises:
        FilesError: there is nothing to write to.
        DeadlineError: another run is in the way.
    """
    log, machine, times = edges.log, edges.machine, Times(edges.deadline.clock.now)
    release, told = release_of(settings.root, edges.ros, edges.deadline)
    log.line(summary.first_line(edges.now, machine.instance_id, release))
    log.notes(told)
    with edges.store.locked(edges.deadline):
        state = state_of(read_also(settings.root, Disk(), paths.STATE), log)
        writer = Writer(settings.root, release, edges.store, log, Local.of(settings))

        def write(wanted: Wanted) -> None:
            with times.of("files"):
                writer.write(wanted)

        def write_found(facts: Facts) -> None:
            answer = _answer(facts, settings)
            write(lambda _: kept.after_requests(settings, state, machine, answer))

        if state.holds_values():
            write(lambda state: kept.before_requests(settings, state, machine))
        of_this_instance = state.holds_values() and kept.same_machine(state, machine) is True
        with times.of("EC2"):
            facts = edges.ec2.read(kept=of_this_instance, so_far=write_found)
        if facts.identity is not None:
            log.note(info(f"instance {shown(facts.identity.instance_id)}"))
        if facts.on_ec2 is False:
            write(lambda _: (NOTHING, State()))
        else:
            write_found(facts)
        with times.of("ros"):
            writer.read_back(edges.ros, edges.deadline)
        closing.close(edges, writer, state, facts, times.seconds)
    return writer.plan


def release_of(root: Path, ros: Ros | None, limit: Limit) -> tuple[Release, list[Note]]:
    """Return the release that reads the files, and what is to be said where nothing tells.

    Args:
        root: the folder that stands for the machine's root.
        ros: is asked where os-config.yml does not tell.
        limit: for its answer.
    """
    disk = read_also(root, Disk(), paths.OS_CONFIG)
    release = releases.of(disk)
    told: list[Note] = []
    if not release.known and ros is not None:
        try:
            release = releases.of(disk, ros.version(limit))
        except FilesError as unanswered:
            told.append(info(str(unanswered)))
    if not release.known:
        text = (
            f"the release is not known: {paths.OS_CONFIG} does not tell; mount /usr/share/ros into"
            " this container (/usr/share/ros:/usr/share/ros:ro)"
        )
        told.append(error(ExitStatus.FILES, text))
    return release, told


def _answer(facts: Facts, settings: Settings) -> kept.Answer:
    return kept.Answer(
        instance_id=facts.identity.instance_id if facts.identity else None,
        pending_time=facts.pending_time,
        metadata=facts.variables,
        metadata_complete=facts.variables_complete,
        tags=facts.tags,
        unread_tags=tuple(facts.unread_tags),
        tags_complete=facts.tags_complete and not facts.missing(settings.require_tags),
    )
