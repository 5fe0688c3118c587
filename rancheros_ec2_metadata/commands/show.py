"""``show``: what the instance and its tags are."""

from __future__ import annotations

from dataclasses import replace

from rancheros_ec2_metadata.desk.edges import runtime_without_writing
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.saved_metadata import of_another_machine
from rancheros_ec2_metadata.hosts.rancheros.snapshot import Snapshot, read_file
from rancheros_ec2_metadata.show import lines, what_is_shown

from .call import Call


def run(call: Call) -> int:
    """Print what the instance and all its tags are, and where each came from."""
    everything = replace(call.settings, metadata=True, label_prefixes=("", "aws:"))
    found = runtime_without_writing(call, everything).ec2.ask(kept=False, so_far=lambda _: None)
    saved = read_file(call.settings.root, Snapshot(), paths.SAVED_METADATA)
    raw = saved.files.get(paths.SAVED_METADATA)
    other = of_another_machine(raw, found.variables) if raw else None
    if other is not None:
        call.log.note(other)
    what = what_is_shown(found, [other.text] if other else [])
    call.terminal.print(lines(what, call.given.format))
    return call.log.status()
