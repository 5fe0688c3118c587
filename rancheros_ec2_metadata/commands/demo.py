"""``demo``: a boot, played on this machine: a fake EC2, and a host in a folder."""

from __future__ import annotations

from rancheros_ec2_metadata.columns import wrap
from rancheros_ec2_metadata.commands import demo_on_rancheros, demo_on_systemd
from rancheros_ec2_metadata.commands.invocation import Invocation


def run(invocation: Invocation) -> int:
    """Play a boot and print what it did; return its exit status.

    Raises:
        FilesError: there is no place for the disk.
    """
    on_systemd = invocation.settings.host == "systemd"
    lines, status = demo_on_systemd.play() if on_systemd else demo_on_rancheros.play()
    invocation.process.print(part for line in lines for part in wrap("", line))
    return status
