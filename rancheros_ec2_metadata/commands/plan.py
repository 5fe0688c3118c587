"""``plan``: what a run would change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rancheros_ec2_metadata.boot import Ec2, boot
from rancheros_ec2_metadata.desk.disk import settings_on_disk
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.plan_report.document import document
from rancheros_ec2_metadata.plan_report.report import report
from rancheros_ec2_metadata.plan_report.text import lines

from .call import Call
from .target import edges_without_writing


def run(call: Call) -> int:
    """Do all that a run does but write, and print what would change."""
    log = call.log
    with settings_on_disk(call) as settings:
        edges = edges_without_writing(call, settings)
        ec2 = _Remembering(edges.ec2)
        made = boot(settings, replace(edges, ec2=ec2))
    status = log.status()
    if made is not None:
        told = report(made, ec2.facts.sources)
        status = status or (ExitStatus.WOULD_CHANGE if told.files else ExitStatus.OK)
        as_json = call.given.format == "json"
        call.terminal.print([document(told, status, log.noted)] if as_json else lines(told))
    log.line(f"nothing was written; exit {int(status)}")
    return status


@dataclass
class _Remembering:
    """EC2, with what it said kept for the report."""

    ec2: Ec2
    facts: Facts = field(default_factory=Facts)

    def read(self, *, kept: bool, so_far: Callable[[Facts], None]) -> Facts:
        self.facts = self.ec2.read(kept=kept, so_far=so_far)
        return self.facts
