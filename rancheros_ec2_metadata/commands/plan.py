"""``plan``: what a run would change."""

from __future__ import annotations

from rancheros_ec2_metadata.boot import boot
from rancheros_ec2_metadata.desk.disk import settings_on_disk
from rancheros_ec2_metadata.desk.edges import edges_without_writing
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.plan_report.document import document
from rancheros_ec2_metadata.plan_report.report import report
from rancheros_ec2_metadata.plan_report.text import lines

from .call import Call


def run(call: Call) -> int:
    """Do all that a run does but write, and print what would change."""
    log = call.log
    with settings_on_disk(call) as settings:
        made = boot(settings, edges_without_writing(call, settings))
    status = log.status()
    if made is not None:
        told = report(made)
        status = status or (ExitStatus.WOULD_CHANGE if told.files else ExitStatus.OK)
        as_json = call.given.format == "json"
        call.terminal.print([document(told, status, log.noted)] if as_json else lines(told))
    log.line(f"nothing was written; exit {int(status)}")
    return status
