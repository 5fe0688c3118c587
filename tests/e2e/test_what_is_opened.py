"""What a run opens on the machine's disk, counted: each is a wait on a cold disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.rancheros import disk as paths

PROGRAM = """
import io, json, sys
opened = []
root = sys.argv[1]
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
from rancheros_ec2_metadata import cli
import os
status = cli.main(["--root", root], cli.Terminal(os.environ, io.StringIO(), sys.stderr))
below = [path[len(root):] for path in opened if path.startswith(root + "/")]
print(json.dumps([status, below]))
"""


def opened(disk: MachineDisk, url: str) -> Counter[str]:
    """Return how often each file of the machine is opened."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(disk.root)],
        env={"AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "AWS_METADATA_ROS": "none"},
        capture_output=True,
        text=True,
        check=True,
    )
    status, below = json.loads(done.stdout.splitlines()[-1])
    assert status == 0, done.stderr
    return Counter(below)


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    made = MachineDisk(tmp_path)
    made.user_data("rancher: {docker: {extra_args: [--debug]}}\n")
    return made


def test_what_a_run_opens_is_counted_and_stays_so(disk: MachineDisk) -> None:
    with FakeImds(FakeInstance(tags={"docker.role": "web"})) as imds:
        first = opened(disk, imds.url)
        second = opened(disk, imds.url)
        third = opened(disk, imds.url)
    assert second == third
    # Once to tell the release, and once for each plan: a first run has nothing to plan before EC2
    # has answered.
    assert (first[paths.OS_CONFIG], second[paths.OS_CONFIG]) == (2, 3)
    assert sum(second.values()) == 34
