"""The kernel's log, as the service's ``devices:`` passes it: what it has of a run."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import program
from e2e.program import Ran
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

pytestmark = pytest.mark.real_parts


class Console:
    """A terminal in the place of the device."""

    def __init__(self, disk: MachineDisk) -> None:
        self._disk = disk
        self._terminal, self._device = os.openpty()
        os.set_blocking(self._terminal, False)

    def run(self, imds: FakeImds, *arguments: str) -> Ran:
        """Run the program with the terminal at /dev/kmsg of its machine."""
        place = self._disk.write("/dev/kmsg", "")
        mount = shlex.join(["mount", "--bind", os.ttyname(self._device), str(place)])
        command = program.command(*arguments, "--root", str(self._disk.root))
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh", *command],
            env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran.of(done)

    def read(self) -> list[str]:
        """Return the lines that were written."""
        try:
            return os.read(self._terminal, 10_000).decode().splitlines()
        except BlockingIOError:
            return []

    def close(self) -> None:
        os.close(self._terminal)
        os.close(self._device)


@pytest.fixture
def console(disk: MachineDisk) -> Iterator[Console]:
    made = Console(disk)
    yield made
    made.close()


def test_it_has_the_last_line_of_a_run(console: Console, disk: MachineDisk, imds: FakeImds) -> None:
    ran = console.run(imds)
    assert ran.status == 0
    assert console.read() == [f"<6>ec2-metadata: {ran.log[-1]}"]
    assert disk.extra_args() == ["--debug", "--label=docker.role=web"]


def test_it_has_what_is_wrong_with_the_usage(console: Console, imds: FakeImds) -> None:
    assert console.run(imds, "--nonsense").status == 2
    (line,) = console.read()
    assert line.endswith("exit 2")


def test_it_has_that_the_deadline_ended_a_run_which_could_say_nothing(
    console: Console, imds: FakeImds, tmp_path: Path
) -> None:
    ros = tmp_path / "ros"
    ros.write_text("#!/bin/sh\nkill -STOP $PPID\nsleep 60\n")
    ros.chmod(0o755)
    assert console.run(imds, "--ros", str(ros), "--deadline", "3").status == 7
    assert console.read() == ["<6>ec2-metadata: the deadline passed; exit 7"]


def test_commands_that_no_boot_runs_do_not_write_there(console: Console, imds: FakeImds) -> None:
    for command in ("plan", "show", "status"):
        console.run(imds, command)
    assert console.read() == []


def test_clean_does_since_it_is_run_at_a_boot_too(console: Console, imds: FakeImds) -> None:
    ran = console.run(imds, "clean")
    assert console.read() == [f"<6>ec2-metadata: {ran.log[-1]}"]
