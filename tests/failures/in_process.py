"""Runs inside this process: EC2's answer is given, all else is the program's own."""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TypeAlias

from rancheros_ec2_metadata.apply import apply, render_last_line
from rancheros_ec2_metadata.commands.clean import clean as run_clean
from rancheros_ec2_metadata.commands.invocation import Invocation, Process
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.ec2.instance import Identity
from rancheros_ec2_metadata.errors import ExitStatus, Note, error
from rancheros_ec2_metadata.hosts.base import Plan
from rancheros_ec2_metadata.hosts.files import Files
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.legacy import Legacy
from rancheros_ec2_metadata.hosts.rancheros.rancheros_host import RancherOs
from rancheros_ec2_metadata.hosts.rancheros.rehearsal import Rehearsal
from rancheros_ec2_metadata.hosts.rancheros.release import find_release
from rancheros_ec2_metadata.hosts.rancheros.ros import Printed, Ros
from rancheros_ec2_metadata.hosts.selection import make_host
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.runtime import Runtime, Target
from rancheros_ec2_metadata.settings import Settings
from ros_stand_in import root_folder

Commands: TypeAlias = Sequence[Sequence[str]]

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=timezone.utc)
INSTANCE = "i-0123456789abcdef0"
METADATA = {"AWS_INSTANCE_ID": INSTANCE, "AWS_LOCAL_IPV4": "10.0.0.12", "AWS_REGION": "eu-west-1"}


def found(
    tags: Mapping[str, str] | None,
    *,
    instance_id: str | None = INSTANCE,
    started: str | None = "2026-01-05T07:59:00Z",
    metadata: Mapping[str, str] | None = None,
) -> Facts:
    """Return what EC2 says: all of it, but for what is None here.

    Args:
        tags: all tags; None where no source gave any.
        instance_id: None where the identity document was not had.
        started: pendingTime.
        metadata: AWS_ variables; None where they are the usual ones.
    """
    if instance_id is None:
        return Facts(on_ec2=True)
    return Facts(
        on_ec2=True,
        identity=Identity(instance_id, "eu-west-1", pending_time=started),
        variables=METADATA if metadata is None else metadata,
        variables_complete=True,
        tags=tags,
        tags_source=None if tags is None else "imds",
        keys=frozenset(tags or ()),
    )


def elsewhere() -> Facts:
    """Return what is found on a machine that is no EC2 instance."""
    return Facts(on_ec2=False)


def list_notes(findings: Facts) -> list[Note]:
    """Return what is logged of an answer, so that the run has its exit status."""
    if findings.on_ec2 is False:
        return [error(ExitStatus.NOT_ON_EC2, "this is not an EC2 instance")]
    if findings.variables_complete and findings.tags_complete:
        return []
    return [error(ExitStatus.INCOMPLETE, "EC2 is not to be had")]


@dataclass
class GivenEc2:
    """An EC2 whose answer is known before it is asked.

    Args:
        findings: the answer.
        before: called when it is asked; it may raise.
        asked: whether something of this instance was kept, for each time.
    """

    findings: Facts
    before: Callable[[], None] = lambda: None
    asked: list[bool] = field(default_factory=list)

    def read(self, *, kept: bool, so_far: Callable[[Facts], None]) -> Facts:
        self.asked.append(kept)
        self.before()
        return self.findings


def stand_in(root: Path, release: str) -> Ros:
    """Return a ``ros`` of a release that answers inside this process."""
    answer = root_folder.in_process(root, release)
    return Ros("ros", lambda commands, _: [Printed(*answer(one)) for one in commands])


@dataclass(frozen=True)
class Booted:
    """A run that came to its end.

    Args:
        status: its exit status. log: its text. plan: the last one.
        rounds: how often ``ros`` was asked. outcome: of the run. changed: files, by path.
    """

    status: ExitStatus
    log: str
    plan: Plan | None
    rounds: int
    outcome: str | None
    changed: Mapping[str, str]


def run(
    root: Path,
    ec2: GivenEc2,
    *,
    settings: Settings | None = None,
    machine: Machine | None = None,
    files: Files | None = None,
    ros: Ros | None = None,
    has_ros: bool = True,
    now: datetime = NOW,
) -> Booted:
    """Run once on the machine below ``root``; by default on a Nitro instance, default settings.

    Args:
        root: a folder.
        ec2: what is asked.
        settings: the run's.
        machine: what the firmware says.
        files: writes.
        ros: answers; None is the stand-in of the release that os-config.yml tells.
        has_ros: False where there is none to ask.
        now: the time of day.

    Raises:
        Ec2MetadataError: as `apply` does.
    """
    settings = settings or Settings(root=root)
    stream = io.StringIO()
    log = Log(stream)
    log.notes(list_notes(ec2.findings))
    # Time stands still: what a run says of itself is the same each time.
    limit = Limit.after(600, Clock(lambda: 0.0, time.sleep))
    os_config = paths.locate(root, paths.OS_CONFIG)
    release = find_release(os_config.read_bytes() if os_config.exists() else b"")
    asked = (ros or stand_in(root, release.text or "v1.5.8")) if has_ros else None
    rehearsal = Rehearsal(root, asked, limit)
    runtime = Runtime(
        target=Target(
            RancherOs(root, release, rehearsal, Legacy.of(settings)),
            files or Files(partial(paths.locate, root)),
            log,
        ),
        now=now,
        machine=machine or Machine("yes", INSTANCE, "ec2e1916-9099-7caf-fd21-012345abcdef"),
        ec2=ec2,
        deadline=limit,
    )
    result = apply(settings, runtime)
    log.last(render_last_line(result))
    assert not (root / paths.COPY.lstrip("/")).exists()
    return Booted(
        result.status,
        stream.getvalue(),
        result.plan,
        rehearsal.rounds,
        result.outcome,
        result.changed,
    )


def clean(root: Path, files: Files | None = None, *, legacy: bool = False) -> str:
    """Remove what runs on the machine below ``root`` wrote; return the log."""
    stream = io.StringIO()
    process = Process({}, io.StringIO(), io.StringIO())
    given = argparse.Namespace(legacy=legacy, dry_run=False)
    settings, log = Settings(root=root), Log(stream)
    limit = Limit.after(settings.deadline, Clock())
    host = make_host(settings, limit, remove_legacy=legacy)
    files = files or Files(host.locate)
    run_clean(Invocation(given, settings, process, log), Target(host, files, log), limit)
    return stream.getvalue()
