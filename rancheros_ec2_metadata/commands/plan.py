"""``plan``: what a run would change."""

from __future__ import annotations

from rancheros_ec2_metadata.apply import apply
from rancheros_ec2_metadata.commands.call import Call
from rancheros_ec2_metadata.commands.first_boot import settings_on_disk
from rancheros_ec2_metadata.commands.target import runtime_without_writing
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.report import make_report, report_json, report_lines


def run(call: Call) -> int:
    """Do all that a run does but write, and print what would change."""
    log = call.log
    with settings_on_disk(call) as settings:
        result = apply(settings, runtime_without_writing(call, settings))
    status = result.status
    if result.plan is not None:
        report = make_report(result.plan, result.sources)
        status = status or (ExitStatus.WOULD_CHANGE if report.changes else ExitStatus.OK)
        as_json = call.given.format == "json"
        lines = [report_json(report, status, log.noted)] if as_json else report_lines(report)
        call.terminal.print(lines)
    log.line(f"nothing was written; exit {int(status)}")
    return status
