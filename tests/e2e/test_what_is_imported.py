"""What a run does not import it does not wait for: each of these costs a boot its time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

HEAVY = {"asyncio", "boto3", "botocore", "moto", "tenacity"}


def imported(disk: MachineDisk, imds: FakeImds, *arguments: str) -> set[str]:
    """Return the modules that a run imports, its child process's among them."""
    run = program.command(*arguments, "--root", str(disk.root))
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *run[1:]],
        env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url),
        capture_output=True,
        text=True,
        check=True,
    )
    times = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in times}


@pytest.mark.parametrize("boot", ["first", "second"])
def test_a_run_with_tags_from_the_metadata_service_imports_nothing_heavy(
    disk: MachineDisk, imds: FakeImds, boot: str
) -> None:
    if boot == "second":
        program.run(disk, imds=imds)
    modules = imported(disk, imds)
    assert "rancheros_ec2_metadata.writing" in modules
    assert {name for name in modules if name.partition(".")[0] in HEAVY} == set()
    assert {name for name in modules if "fake_ec2" in name} == set()


def test_help_waits_for_nothing_of_a_run(disk: MachineDisk, imds: FakeImds) -> None:
    modules = imported(disk, imds, "--help")
    assert "rancheros_ec2_metadata.cli" in modules
    assert {"requests", "rancheros_ec2_metadata.run"} & modules == set()
