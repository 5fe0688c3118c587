"""``plan``: what a run would change."""

from __future__ import annotations

from rancheros_ec2_metadata.apply import apply
from rancheros_ec2_metadata.commands.first_boot import make_first_disk
from rancheros_ec2_metadata.commands.invocation import Invocation
from rancheros_ec2_metadata.commands.target import make_runtime_without_writing
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.report import make_report, render_report, render_report_json


def run(invocation: Invocation) -> int:
    """Do all that a run does but write, and print what would change."""
    log = invocation.log
    with make_first_disk(invocation) as settings:
        result = apply(settings, make_runtime_without_writing(invocation, settings))
    report = make_report(result.plan, result.sources)
    status = result.status
    if status == ExitStatus.OK and report["would_change"]:
        status = ExitStatus.WOULD_CHANGE
    if invocation.given.format == "json":
        invocation.process.print([render_report_json(report, status, log.noted)])
    else:
        invocation.process.print(render_report(report, result.plan.labels_take_effect))
    log.line(f"nothing was written; exit {int(status)}")
    return status
