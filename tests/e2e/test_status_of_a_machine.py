"""``status``: what it says of the last run, and of what has happened to its files since."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from e2e import program
from e2e.program import Ran
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.docker_start import DOCKER_PID

BOOT_ID = "/proc/sys/kernel/random/boot_id"
CLOUD_CONFIG = """\
ssh_authorized_keys: [ssh-ed25519 AAAA]
rancher:
  docker: {extra_args: [--mine]}
  environment: {AWS_REGION: of-the-user}
"""


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    disk = MachineDisk(tmp_path / "machine")
    disk.write(BOOT_ID, "0f0f\n")
    return disk


def status(disk: MachineDisk) -> Ran:
    return program.run(disk, "status")


def as_json(disk: MachineDisk) -> dict[str, Any]:
    ran = program.run(disk, "status", "--format=json")
    found: dict[str, Any] = json.loads(ran.out)
    assert (found["schema"], found["exit_status"]) == (2, ran.status)
    return found


def not_as_left(disk: MachineDisk) -> dict[str, str]:
    return {file["path"]: file["what"] for file in as_json(disk)["files"] if not file["as_left"]}


def docker_started(disk: MachineDisk, seconds_from_now: float) -> None:
    pid = disk.write(DOCKER_PID, "4711")
    at = datetime.now(timezone.utc).timestamp() + seconds_from_now
    os.utime(pid, (at, at))


def test_after_a_boot_that_went_well_all_is_as_it_was_left(
    disk: MachineDisk, imds: FakeImds
) -> None:
    run = program.run(disk, imds=imds)
    docker_started(disk, 5)
    before = program.contents(disk)
    ran = status(disk)
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "status: complete, exit 0"
    # The run's own summary is in it.
    assert [f"  {line}" for line in run.log[-3:-1]] == lines[5:7]
    assert "NOT" not in ran.out
    assert as_json(disk)["docker"]["has_labels"] is True
    assert program.contents(disk) == before


@pytest.mark.parametrize("change", ["edited", "removed", "a folder"])
def test_a_file_that_is_not_as_it_was_left_is_named_and_the_status_is_5(
    disk: MachineDisk, imds: FakeImds, change: str
) -> None:
    program.run(disk, imds=imds)
    file = disk.path(paths.DROP_IN)
    if change == "edited":
        file.write_text(file.read_text() + "\n")
    else:
        file.unlink()
    if change == "a folder":
        file.mkdir()
    ran = status(disk)
    assert ran.status == 5
    assert f"  {paths.DROP_IN}: NOT as the last run left it, " in ran.out
    assert "1 file has changed" in ran.out.splitlines()[0]
    assert list(not_as_left(disk)) == [paths.DROP_IN]


def test_the_env_file_is_looked_at_too(disk: MachineDisk, imds: FakeImds) -> None:
    disk.path("/opt").mkdir()
    program.run(disk, "--env-file", "/opt/ec2.env", imds=imds)
    assert status(disk).status == 0
    file = disk.path("/opt/ec2.env")
    file.write_text(file.read_text() + "MINE=1\n")
    assert list(not_as_left(disk)) == ["/opt/ec2.env"]


def test_cloud_config_yml_may_be_written_anew_but_our_items_must_be_in_it(
    disk: MachineDisk, imds: FakeImds
) -> None:
    disk.cloud_config(CLOUD_CONFIG)
    program.run(disk, imds=imds)
    file = disk.path(paths.CLOUD_CONFIG)
    file.write_text(f"# by ros\n{file.read_text()}hostname: web\n")
    assert status(disk).status == 0
    file.write_text(file.read_text().replace("docker.role=web", "docker.role=x"))
    assert not_as_left(disk).keys() == {"cloud-config.yml"}
    assert "of-the-user" not in status(disk).out


@pytest.mark.parametrize("content", [None, "{", "[]", "folder", "no conf"])
def test_where_no_run_is_known_it_says_so_and_the_status_is_5(
    disk: MachineDisk, content: str | None
) -> None:
    if content == "no conf":
        shutil.rmtree(disk.path(paths.CONF))
    elif content == "folder":
        disk.path(paths.STATE).mkdir()
    elif content is not None:
        disk.write(paths.STATE, content)
    ran = status(disk)
    assert ran.status == 5
    assert ran.out.startswith("status: unknown: no run has ended here yet\n")
    assert as_json(disk)["last_run"] is None


def test_a_hostile_state_cannot_steer_the_terminal_nor_look_outside(disk: MachineDisk) -> None:
    disk.root.parent.joinpath("outside").write_text("x")
    run = {
        "time": "\x1b[2J\n",
        "exit_status": 256,
        "notes": ["a\nLAST RUN: b"],
        "files": {"/../outside": None, "\x1b": "1f", "relative": None},
    }
    tree = {"schema": 2, "last_run": run, "labels_changed": ["no time"], "status": "\x1b"}
    disk.write(paths.STATE, json.dumps(tree))
    docker_started(disk, 0)
    ran = status(disk)
    assert ran.status == 1
    assert all(line.isprintable() for line in ran.out.splitlines())
    assert ran.out.count("\nLAST RUN") == 1
    assert as_json(disk)["files"][0]["as_left"] is True  # nothing was seen there
