"""``plan``: what a run would change."""

from __future__ import annotations

from rancheros_ec2_metadata.boot import boot
from rancheros_ec2_metadata.deadline import Clock
from rancheros_ec2_metadata.edges import Limits, edges
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.plan_report.document import document
from rancheros_ec2_metadata.plan_report.report import report
from rancheros_ec2_metadata.plan_report.text import lines
from rancheros_ec2_metadata.rancheros.store import Store

from .call import Call


def run(call: Call) -> int:
    """Do all that a run does but write, and print what would change."""
    settings, log = call.settings, call.log
    limits = Limits.of(settings.deadline, 0, Clock())
    made = boot(settings, edges(settings, log, limits, Store(settings.root, dry=True)))
    status = log.status()
    if made is not None:
        told = report(made)
        status = status or (ExitStatus.WOULD_CHANGE if told.files else ExitStatus.OK)
        as_json = call.given.format == "json"
        call.terminal.print([document(told, status, log.noted)] if as_json else lines(told))
    log.line(f"nothing was written; exit {int(status)}")
    return status
