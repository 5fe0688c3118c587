"""A machine whose cloud-config.yml sets Docker's arguments, and a metadata service on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from failures import timed
from failures.scenarios import CLOUD_CONFIG
from faulty_imds import FaultyImds
from hostile_imds import SANE
from machine import MachineDisk


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    """A machine whose list in cloud-config.yml has to be edited."""
    disk = timed.user_machine(tmp_path / "disk")
    disk.cloud_config(CLOUD_CONFIG)
    return disk


@pytest.fixture
def imds() -> Iterator[FaultyImds]:
    """The metadata service of an instance with nothing odd about it."""
    with FaultyImds(SANE) as running:
        yield running
