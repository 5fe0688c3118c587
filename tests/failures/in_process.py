"""Runs inside this process: EC2's answer is given, all else is the program's own."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rancheros_ec2_metadata.boot import Edges, boot
from rancheros_ec2_metadata.commands.call import Call, Terminal
from rancheros_ec2_metadata.commands.clean import take_back
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.ec2.instance import Identity
from rancheros_ec2_metadata.errors import ExitStatus, Note, error
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.plan.planning import Plan
from rancheros_ec2_metadata.rancheros.ros import Ros
from rancheros_ec2_metadata.rancheros.store import Store
from rancheros_ec2_metadata.settings import Settings

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
INSTANCE = "i-0123456789abcdef0"
METADATA = {"AWS_INSTANCE_ID": INSTANCE, "AWS_LOCAL_IPV4": "10.0.0.12", "AWS_REGION": "eu-west-1"}


def found(
    tags: Mapping[str, str] | None,
    *,
    instance_id: str | None = INSTANCE,
    started: str | None = "2026-01-05T07:59:00Z",
    metadata: Mapping[str, str] | None = None,
    notes: tuple[Note, ...] = (),
) -> Facts:
    """Return what EC2 says: all of it, but for what is None here.

    Args:
        tags: all tags; None where no source gave any.
        instance_id: None where the identity document was not had.
        started: pendingTime.
        metadata: AWS_ variables; None where they are the usual ones.
        notes: for the log.
    """
    findings = Facts(on_ec2=True, notes=list(notes))
    if instance_id is None:
        return findings
    findings.identity = Identity(instance_id, "eu-west-1", pending_time=started)
    findings.variables = {**(METADATA if metadata is None else metadata)}
    findings.variables_complete = True
    if tags is not None:
        findings.tags, findings.keys = dict(tags), frozenset(tags)
        findings.tags_complete, findings.tags_source = True, "imds"
    return findings


def elsewhere() -> Facts:
    """Return what is found on a machine that is no EC2 instance."""
    none = error(ExitStatus.NOT_ON_EC2, "this is no EC2 instance")
    return Facts(on_ec2=False, notes=[none])


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


@dataclass(frozen=True)
class Booted:
    """A run that came to its end.

    Args:
        status: its exit status. log: its text. plan: the last one.
    """

    status: ExitStatus
    log: str
    plan: Plan | None


def run(
    root: Path,
    ec2: GivenEc2,
    *,
    settings: Settings | None = None,
    machine: Machine | None = None,
    store: Store | None = None,
    ros: Ros | None = None,
) -> Booted:
    """Run once on the disk below ``root``; by default on a Nitro instance, with default settings.

    Raises:
        Ec2MetadataError: as `boot` does.
    """
    settings = settings or Settings(root=root)
    log = Log(io.StringIO())
    log.notes(ec2.findings.notes)
    edges = Edges(
        log=log,
        now=NOW,
        machine=machine or Machine("yes", INSTANCE, "ec2e1916-9099-7caf-fd21-012345abcdef"),
        ec2=ec2,
        store=store or Store(root),
        ros=ros,
        deadline=Limit.after(60, Clock()),
    )
    plan = boot(settings, edges)
    text = log.stream
    assert isinstance(text, io.StringIO)
    return Booted(log.status(), text.getvalue(), plan)


def clean(root: Path, store: Store | None = None) -> None:
    """Take back what runs on the disk below ``root`` wrote; it must end well."""
    log, written = Log(io.StringIO()), io.StringIO()
    terminal = Terminal({}, written, written)
    given = argparse.Namespace(legacy=False, dry_run=False)
    status = take_back(Call(given, Settings(root=root), terminal, log), store or Store(root))
    assert status == ExitStatus.OK
