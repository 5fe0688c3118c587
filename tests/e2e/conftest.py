"""A machine in a folder, and a metadata service on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faulty_imds import FaultyImds
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    """A machine's disk, whose user-data has an argument of its own for Docker."""
    disk = MachineDisk(tmp_path / "disk")
    disk.user_data("#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n")
    return disk


@pytest.fixture
def imds() -> Iterator[FaultyImds]:
    """The metadata service of an instance that shows its tags in it."""
    with FaultyImds(FakeInstance(tags={"docker.role": "web", "other": "x"})) as running:
        yield running
