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

# systemd 252 gives a unit a /proc that has the kernel's: here it is the same at each boot.
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
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
        if debian_tree.SUITE == "bookworm":
            _give_boot_ids(made.root)
        shutil.copy(_PYZ, made.root / "srv/ec2-docker-labels.pyz")
        yield made


def _give_boot_ids(root: Path) -> None:
    (root / "etc/tmpfiles.d/boot-id.conf").write_text(f"C /run/boot-id - - - - {_BOOT_ID}")
    drop_in = root / "etc/systemd/system/ec2-.service.d/boot-id.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(f"[Service]\nBindReadOnlyPaths=/run/boot-id:{_BOOT_ID}\n")
