"""The program as a process of its own, as an operator or the system starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from machine import MachineDisk

if TYPE_CHECKING:
    from rancheros_ec2_metadata.fake_ec2.server import FakeImds

_PREFIX = "ec2-metadata: "


@dataclass(frozen=True)
class Ran:
    """How a run ended: its exit status, standard output and standard error."""

    status: int
    out: str
    err: str

    @classmethod
    def of(cls, done: subprocess.CompletedProcess[str]) -> Ran:
        return cls(done.returncode, done.stdout, done.stderr)

    @property
    def log(self) -> list[str]:
        """Return the lines of the boot log; nothing else may be on standard error."""
        lines = self.err.splitlines()
        assert [line for line in lines if not line.startswith(_PREFIX)] == []
        return [line.removeprefix(_PREFIX) for line in lines]

    def line(self, *words: str) -> str:
        """Return the one line of the log that has all ``words`` in it."""
        (found,) = (line for line in self.log if all(word in line for word in words))
        return found


def ended(argv: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, however that is, and return it with what was printed."""
    return subprocess.run(argv, capture_output=True, text=True, check=False, **options)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "rancheros_ec2_metadata", *arguments]


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without proxies and coverage, with ``variables``."""
    return unmeasured(measured_environment(**variables))


def measured_environment(**variables: str) -> dict[str, str]:
    """Return the same with coverage, which takes as long as the run, and imports more.

    Without PYTHONUNBUFFERED: nothing would be left to be written when the program ends.
    """
    kept = os.environ.items()
    return {
        name: text
        for name, text in kept
        if not name.lower().endswith("_proxy") and name != "PYTHONUNBUFFERED"
    } | variables


def unmeasured(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without coverage's variables."""
    return {name: text for name, text in environ.items() if not name.startswith("COVERAGE")}


def run(disk: MachineDisk, *arguments: str, imds: FakeImds | None = None, **variables: str) -> Ran:
    """Run the program on a disk to its end.

    Args:
        disk: the machine's.
        arguments: command and flags; ``--root`` follows, and the stand-in as ``--ros`` for a
            command that asks it, unless another is named.
        imds: the metadata service; None leaves the real addresses.
        variables: of the environment.
    """
    if imds is not None:
        variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    done = subprocess.run(
        command(*arguments, *machine_flags(disk, arguments)),
        # Tests that call them cover the same lines.
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran.of(done)


def machine_flags(disk: MachineDisk, arguments: Sequence[str] = ()) -> list[str]:
    """Return the flags that name the machine: its root, and its ``ros`` where that is asked."""
    asks = arguments[:1] not in [("show",), ("status",), ("clean",)]
    named = any(word.startswith("--ros") for word in arguments)
    return ["--root", str(disk.root), *(["--ros", str(disk.ros())] if asks and not named else [])]


def on_ec2(disk: MachineDisk, instance_id: str | None = None) -> None:
    """Give the disk the firmware's files of a Nitro instance."""
    disk.write("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
    if instance_id is not None:
        disk.write("/sys/class/dmi/id/board_asset_tag", f"{instance_id}\n")


def elsewhere(disk: MachineDisk) -> None:
    """Give the disk the firmware's files of a machine that is no EC2 instance."""
    disk.write("/sys/class/dmi/id/sys_vendor", "QEMU\n")


def contents(disk: MachineDisk) -> dict[str, bytes]:
    """Return each file's bytes."""
    return {name: raw for name, (_, raw) in disk.snapshot().items()}


def holding(disk: MachineDisk, texts: Iterable[str]) -> list[str]:
    """Return which of ``texts`` are in a file of the disk, or in a file's name."""
    files = [file for file in disk.root.rglob("*") if file.is_file()]
    everything = b"\0".join(part for file in files for part in (bytes(file), file.read_bytes()))
    return [text for text in texts if text.encode() in everything]
