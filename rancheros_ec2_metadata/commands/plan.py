"""``plan``: what a run would change."""

from __future__ import annotations

from rancheros_ec2_metadata.boot import boot
from rancheros_ec2_metadata.deadline import Clock
from rancheros_ec2_metadata.diff import diff
from rancheros_ec2_metadata.edges import Limits, edges
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.rancheros.store import Store
from rancheros_ec2_metadata.records import replace

from .call import Call


def run(call: Call) -> int:
    """Do all that a run does but write, and print what would change."""
    settings, log = call.settings, call.log
    limits = Limits.of(settings.deadline, 0, Clock())
    dry = replace(edges(settings, log, limits, Store(settings.root, dry=True)), ros=None)
    made = boot(settings, dry)
    changes = made.changes if made else ()
    call.terminal.print(diff(changes))
    return log.status() or (ExitStatus.WOULD_CHANGE if changes else ExitStatus.OK)
