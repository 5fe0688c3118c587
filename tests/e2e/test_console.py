"""The kernel's log, as the service's ``devices:`` passes it: what it has of a run."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator

import pytest

from e2e import program
from e2e.program import Ran
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

pytestmark = pytest.mark.real_parts


NO_FORK = """
import os
def refuse():
    raise OSError("no room")
os.fork = refuse
from rancheros_ec2_metadata.__main__ import console
console()
"""


class Console:
    """A terminal in the place of the device, and a folder in that of this machine's /var/lib."""

    def __init__(self, disk: MachineDisk) -> None:
        self._disk = disk
        self._terminal, self._device = os.openpty()
        os.set_blocking(self._terminal, False)

    def run(self, imds: FakeImds, *command: str) -> Ran:
        """Run a command where the terminal is /dev/kmsg."""
        lib = str(self._disk.path("/var/lib"))
        mounts = [["mount", "--bind", os.ttyname(self._device), "/dev/kmsg"]]
        mounts += [["mount", "--bind", lib, "/var/lib"]]
        script = " && ".join([*map(shlex.join, mounts), 'exec "$@"'])
        done = program.ended(
            ["unshare", "--mount", "sh", "-c", script, "sh", *command],
            env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url),
            timeout=60,
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


@pytest.mark.parametrize("command", [[], ["clean"], ["--nonsense"], ["plna"]])
def test_it_has_the_last_line_of_what_a_boot_runs(
    console: Console, imds: FakeImds, command: list[str]
) -> None:
    ran = console.run(imds, *program.command(*command))
    # A wrong command is not known to be one of a boot.
    assert console.read() == ([f"<6>ec2-metadata: {ran.log[-1]}"] if command != ["plna"] else [])


def test_it_has_what_the_supervisor_says(console: Console, imds: FakeImds) -> None:
    ran = console.run(imds, sys.executable, "-c", NO_FORK)
    assert ran.status == 1
    assert console.read() == [f"<6>ec2-metadata: {ran.log[-1]}"]


@pytest.mark.parametrize(
    "command", ["plan", "show", "status", "apply --root=/x", "clean --root=/x"]
)
def test_it_has_nothing_of_other_commands_nor_of_another_machines_disk(
    console: Console, imds: FakeImds, command: str
) -> None:
    console.run(imds, *program.command(*command.split()))
    assert console.read() == []
