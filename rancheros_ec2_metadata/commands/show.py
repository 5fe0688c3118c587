"""``show``: what the instance and its tags are."""

from __future__ import annotations

from dataclasses import replace

from rancheros_ec2_metadata.commands.call import Call
from rancheros_ec2_metadata.commands.target import runtime_without_writing
from rancheros_ec2_metadata.errors import printable
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.saved_metadata import of_another_machine
from rancheros_ec2_metadata.hosts.rancheros.snapshot import Snapshot, read_file
from rancheros_ec2_metadata.show import find_value, lines, tree


def run(call: Call) -> int:
    """Print what the instance and all its tags are and where each came from, or one value alone.

    Raises:
        UsageError: no value is called so.
        Ec2Error: the instance does not have it, or EC2 did not say.
    """
    given, terminal = call.given, call.terminal
    everything = replace(call.settings, metadata=True, label_prefixes=("", "aws:"))
    runtime = runtime_without_writing(call, everything)
    facts = runtime.ec2.read(kept=False, so_far=lambda _: None)
    if given.name is not None:
        value = find_value(facts, given.name)
        # A program gets the value as it is; what would steer a terminal does not reach one.
        terminal.print([printable(value) if terminal.out.isatty() else value])
        return call.log.status()
    saved = read_file(call.settings.root, Snapshot(), paths.SAVED_METADATA)
    raw = saved.files.get(paths.SAVED_METADATA)
    other = of_another_machine(raw, facts.variables) if raw else None
    if other is not None:
        call.log.note(other)
    terminal.print(lines(tree(facts, [other.text] if other else []), given.format))
    return call.log.status()
