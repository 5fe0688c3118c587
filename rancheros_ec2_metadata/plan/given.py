"""What a plan starts from on the machine's side."""

from __future__ import annotations

from dataclasses import dataclass

from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.rancheros.state import State


@dataclass(frozen=True)
class Given:
    """The machine as it is found.

    Args:
        disk: its files, as read.
        release: the RancherOS that reads them.
        state: what of them the last run wrote.
    """

    disk: Disk
    release: Release
    state: State
