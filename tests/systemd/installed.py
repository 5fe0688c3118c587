"""Machines with the program's file, and the program installed on them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from rancheros_ec2_metadata import __version__
from real_parts.instance_imds import InstanceImds
from real_parts.namespace import IMDS_IPV4
from real_parts.polling import until
from systemd import debian_tree
from systemd.booted import Booted

PYZ = Path(__file__).parents[2] / f"dist/ec2-docker-labels-{__version__}.pyz"
Said: TypeAlias = Callable[[str, float], None]
SERVICE, FOLLOW = "ec2-docker-labels.service", "ec2-docker-labels-follow.service"

# systemd 252 gives a unit a /proc that has the kernel's: here it is the same at each boot.
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
# No firmware here says that this is EC2.
_ON_EC2 = f"[Service]\nEnvironment=AWS_EC2_METADATA_SERVICE_ENDPOINT=http://{IMDS_IPV4}\n"
_FILE = "/srv/ec2-docker-labels.pyz"


@contextlib.contextmanager
def made(tree: Path) -> Iterator[Booted]:
    """Make a machine that is not booted yet, with the file where user-data can fetch it."""
    with Booted.made(tree) as machine:
        if debian_tree.SUITE == "bookworm":
            _give_boot_ids(machine.root)
        shutil.copy(PYZ, machine.root / _FILE.lstrip("/"))
        yield machine


def install(machine: Booted, *flags: str) -> None:
    """Install it on a machine that runs, as an operator does."""
    machine.run("python3", _FILE, "install", "-t", "docker.", *flags)


@contextlib.contextmanager
def labelled(
    tree: Path, folder: Path, tags: Mapping[str, str], *flags: str
) -> Iterator[tuple[Booted, InstanceImds]]:
    """Boot a machine, install it, and wait until Docker has the labels of ``tags``.

    Args:
        tree: of the machine.
        folder: for the metadata service.
        tags: all of them labels.
        flags: of ``install``.
    """
    with made(tree) as machine:
        with InstanceImds.started(machine.namespace, {"tags": tags}, folder) as imds:
            machine.boot()
            add_drop_in(machine, SERVICE, _ON_EC2)
            install(machine, *flags)
            assert until(machine.labels, dict(tags)) == dict(tags)
            yield machine, imds
        machine.power_off()


def add_drop_in(machine: Booted, unit: str, text: str) -> None:
    """Change a unit of a machine that runs."""
    folder = machine.root / f"etc/systemd/system/{unit}.d"
    folder.mkdir(exist_ok=True)
    (folder / "test.conf").write_text(text)
    machine.run("systemctl", "daemon-reload")


def _give_boot_ids(root: Path) -> None:
    (root / "etc/tmpfiles.d/boot-id.conf").write_text(f"C /run/boot-id - - - - {_BOOT_ID}")
    drop_in = root / "etc/systemd/system/ec2-.service.d/boot-id.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(f"[Service]\nBindReadOnlyPaths=/run/boot-id:{_BOOT_ID}\n")
