"""``apply``, which is also no command: the run at boot."""

from __future__ import annotations

import time

from rancheros_ec2_metadata.boot import boot
from rancheros_ec2_metadata.deadline import Clock
from rancheros_ec2_metadata.edges import Limits, edges
from rancheros_ec2_metadata.rancheros.store import Store

from .call import Call


def run(call: Call) -> int:
    """Run at boot; the supervisor ends it at the deadline whatever it is doing."""
    age = time.monotonic() - call.terminal.started
    limits = Limits.of(call.settings.deadline, age, Clock())
    boot(call.settings, edges(call.settings, call.log, limits, Store(call.settings.root)))
    return call.log.status()
