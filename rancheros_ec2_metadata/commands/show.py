"""``show``: what the instance and its tags are."""

from __future__ import annotations

from rancheros_ec2_metadata.deadline import Clock
from rancheros_ec2_metadata.edges import Limits, edges
from rancheros_ec2_metadata.rancheros.store import Store
from rancheros_ec2_metadata.records import replace
from rancheros_ec2_metadata.show import lines

from .call import Call


def run(call: Call) -> int:
    """Print what the instance and all its tags are, and where each came from."""
    limits = Limits.of(call.settings.deadline, 0, Clock())
    everything = replace(call.settings, metadata=True, label_prefixes=("", "aws:"))
    store = Store(call.settings.root, dry=True)
    found = edges(everything, call.log, limits, store).ec2.ask(kept=False, so_far=lambda _: None)
    call.terminal.print(lines(found, call.given.format))
    return call.log.status()
