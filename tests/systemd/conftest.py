"""The tree, the program as one file, and machines to boot from them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rancheros_ec2_metadata import __version__
from real_parts import requirements
from systemd import debian_tree
from systemd.booted import Booted

_PYZ = Path(__file__).parents[2] / f"dist/ec2-docker-labels-{__version__}.pyz"


@pytest.fixture(scope="session")
def tree() -> Path:
    """The tree's folder. These tests are asked for by name: what is missing is no skip."""
    reason = requirements.missing(requirements.SYSTEMD_PROGRAMS)
    if reason is None and not _PYZ.exists():
        reason = f"{_PYZ} is missing (make pyz)"
    if reason is not None:
        pytest.exit(f"no machine can be booted here: {reason}", returncode=1)
    return debian_tree.make()


@pytest.fixture
def machine(tree: Path) -> Iterator[Booted]:
    """A machine that is not booted yet, with the program's file where user-data fetches it."""
    with Booted.made(tree) as made:
        shutil.copy(_PYZ, made.root / "srv/ec2-docker-labels.pyz")
        yield made
