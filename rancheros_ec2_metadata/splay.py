"""``--splay``: each instance of a fleet starts its run at a moment of its own."""

from __future__ import annotations

import hashlib
import os

from rancheros_ec2_metadata.ec2.firmware import Machine


def pause(seconds: float, machine: Machine) -> float:
    """Return how long this machine waits, the same each time.

    Args:
        seconds: over which the fleet spreads its runs.
        machine: its firmware names it; where it does not, its host name does.
    """
    name = machine.instance_id or machine.product_uuid or os.uname().nodename
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return seconds * number / 2**64
