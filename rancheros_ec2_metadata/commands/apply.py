"""``apply``, which is also no command: the run at boot."""

from __future__ import annotations

import time

from rancheros_ec2_metadata.apply import apply, last_line
from rancheros_ec2_metadata.commands.call import Call
from rancheros_ec2_metadata.deadline import Clock
from rancheros_ec2_metadata.runtime import Limits, make_runtime


def run(call: Call) -> int:
    """Run at boot; the supervisor ends it at the deadline whatever it is doing."""
    age = time.monotonic() - call.terminal.started
    limits = Limits.of(call.settings.deadline, age, Clock())
    result = apply(call.settings, make_runtime(call.settings, call.log, limits))
    call.log.last(last_line(result))
    return result.status
