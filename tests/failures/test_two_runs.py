"""Two runs at once take turns, and the second finds nothing to do.

A run is held up by a ``ros`` that answers when it is told to; so no outcome depends on a time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e import program
from failures import timed
from failures.test_ros_faults import script
from faulty_imds import FaultyImds
from machine import MachineDisk

LABEL = "--label=docker.role=web"


@dataclass(frozen=True)
class Gate:
    """A ``ros`` that answers once it is let through."""

    ros: Path

    def is_reached(self) -> bool:
        return (self.ros.parent / "asked").exists()

    def open(self) -> None:
        (self.ros.parent / "go").touch()


@pytest.fixture
def gate(disk: MachineDisk, tmp_path: Path) -> Gate:
    wait = "touch $here/asked; while ! [ -e $here/go ]; do sleep 0.02; done"
    return Gate(script(tmp_path, f'{wait}; exec {disk.ros()} "$@"'))


@contextlib.contextmanager
def started(disk: MachineDisk, imds: FaultyImds, *flags: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        program.command(*flags, *program.machine_flags(disk, flags)),
        env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url),
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def files(disk: MachineDisk) -> dict[str, tuple[int, bytes]]:
    """Return each file's inode and bytes, but those of the copy."""
    there = disk.snapshot().items()
    return {path: file for path, file in there if not path.startswith("dev/")}


def ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    _, log = run.communicate(timeout=60)
    return run.returncode, log.splitlines()[-1]


def test_of_two_runs_at_once_the_second_waits_and_writes_nothing(
    disk: MachineDisk, imds: FaultyImds, gate: Gate
) -> None:
    with started(disk, imds, f"--ros={gate.ros}") as first:
        timed.wait_for(gate.is_reached)
        asked = len(imds.requests)
        with started(disk, imds) as second:
            timed.wait_for(lambda: timed.waits_for_lock(disk, second))
            assert len(imds.requests) == asked
            gate.open()
            status, line = ended(first)
            assert (status, "wrote cloud-config.yml" in line) == (0, True)
            written = files(disk)
            status, line = ended(second)
    assert (status, "wrote no file" in line) == (0, True)
    assert files(disk) == written
    assert timed.items(disk) == ["--mine", LABEL]


def test_a_run_that_is_killed_holds_no_lock_and_the_next_completes_its_work(
    disk: MachineDisk, imds: FaultyImds, gate: Gate
) -> None:
    with started(disk, imds, f"--ros={gate.ros}") as first:
        timed.wait_for(gate.is_reached)
        for process in (timed.child_of(first), first.pid):
            os.kill(process, signal.SIGKILL)
        first.communicate(timeout=60)
    assert (disk.root / "dev/shm/rancher-conf").is_dir()
    gate.open()
    ran = program.run(disk, imds=imds)
    assert ran.status == 0
    assert timed.items(disk) == ["--mine", LABEL]
    assert list((disk.root / "dev/shm").iterdir()) == []
