"""Where the log and what is printed go: to whoever reads them, if anybody does."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds


@pytest.fixture(params=["full disk", "no reader"])
def dead_end(request: pytest.FixtureRequest) -> Iterator[tuple[int, int, str]]:
    """A file descriptor that takes nothing, and how what needs it ends, and what it says."""
    if request.param == "full disk":
        descriptor = os.open("/dev/full", os.O_WRONLY)
        yield descriptor, 5, "standard output cannot be written: No space left on device"
    else:
        read, descriptor = os.pipe()
        os.close(read)
        yield descriptor, 128 + signal.SIGPIPE, ""
    os.close(descriptor)


def run(
    disk: MachineDisk,
    imds: FakeImds,
    *words: str,
    closed: str = "",
    out: int = subprocess.PIPE,
    err: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """Run the program with standard streams closed, as a shell writes it, or given."""
    of_no_machine = words[:1] in [("--help",), ("--version",), ("demo",)]
    flags = () if of_no_machine else program.machine_flags(disk, words)
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *program.command(*words, *flags)],
        env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url),
        stdout=out,
        stderr=err,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("flags", [[], ["--debug"]])
def test_a_log_that_cannot_be_written_costs_no_label(
    disk: MachineDisk, imds: FakeImds, dead_end: tuple[int, int, str], flags: list[str]
) -> None:
    assert run(disk, imds, *flags, err=dead_end[0]).returncode == 0
    assert disk.extra_args() == ["--debug", "--label=docker.role=web"]


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_log_that_is_closed_costs_no_label(
    disk: MachineDisk, imds: FakeImds, closed: str
) -> None:
    assert run(disk, imds, closed=closed).returncode == 0
    assert disk.extra_args() == ["--debug", "--label=docker.role=web"]


@pytest.mark.parametrize(
    ("command", "status"),
    [("--help", 0), ("--version", 0), ("show", 0), ("plan", 10), ("status", 5), ("demo", 0)],
)
def test_an_output_that_is_closed_is_no_bug(
    disk: MachineDisk, imds: FakeImds, command: str, status: int
) -> None:
    done = run(disk, imds, command, closed=">&-")
    assert done.returncode == status, done.stderr
    assert "bug" not in done.stderr


@pytest.mark.parametrize("command", ["show", "plan", "status", "demo", "--help", "--version"])
def test_a_reader_that_has_read_enough_or_a_full_disk_is_no_bug(
    disk: MachineDisk, imds: FakeImds, dead_end: tuple[int, int, str], command: str
) -> None:
    out, status, said = dead_end
    done = run(disk, imds, command, out=out)
    assert done.returncode == status
    assert said in done.stderr
    assert "bug" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize(("command", "status"), [("show", 0), ("plan", 10), ("demo", 0)])
def test_a_log_that_cannot_be_written_is_not_in_the_status(
    disk: MachineDisk, imds: FakeImds, dead_end: tuple[int, int, str], command: str, status: int
) -> None:
    done = run(disk, imds, command, out=subprocess.DEVNULL, err=dead_end[0])
    assert done.returncode == status


@pytest.mark.parametrize("command", ["show", "plan", "apply"])
def test_a_terminal_that_is_not_utf_8_gets_escapes(
    disk: MachineDisk, imds: FakeImds, command: str
) -> None:
    imds.instance = replace(imds.instance, tags={"docker.motto": "café 東京", "docker.a=é": "x"})
    disk.cloud_config("# café\n")
    ran = program.run(disk, command, imds=imds, PYTHONIOENCODING="ascii")
    assert ran.status == {"plan": 10}.get(command, 0)
    assert (ran.out + ran.err).isascii()
    if command == "show":
        assert r"'caf\xe9 \u6771\u4eac'" in ran.out
