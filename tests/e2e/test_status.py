"""``status``: what it says of runs that were, and of what has happened to their files since."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rancheros_ec2_metadata.rancheros import disk as paths

from e2e import program
from e2e.program import Ran
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.status import DOCKER_PID

BOOT_ID = "/proc/sys/kernel/random/boot_id"
CLOUD_CONFIG = """\
ssh_authorized_keys: [ssh-ed25519 AAAA]
rancher:
  docker: {extra_args: [--mine]}
  environment: {AWS_REGION: of-the-user}
"""


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    disk = MachineDisk(tmp_path)
    disk.write(BOOT_ID, "0f0f\n")
    return disk


@pytest.fixture
def imds() -> Iterator[FakeImds]:
    with FakeImds(FakeInstance(tags={"docker.role": "web"})) as fake:
        yield fake


def status(disk: MachineDisk) -> Ran:
    return program.run(disk, "status")


def as_json(disk: MachineDisk) -> dict[str, Any]:
    ran = program.run(disk, "status", "--format=json")
    found: dict[str, Any] = json.loads(ran.out)
    assert found["exit_status"] == ran.status
    return found


def docker_started(disk: MachineDisk, seconds_from_now: float) -> None:
    pid = disk.write(DOCKER_PID, "4711")
    at = datetime.now(UTC).timestamp() + seconds_from_now
    os.utime(pid, (at, at))


def edit(disk: MachineDisk, path: str, change: Callable[[str], str]) -> None:
    disk.path(path).write_text(change(disk.path(path).read_text()))


def test_after_a_boot_that_went_well_all_is_as_it_was_left(
    disk: MachineDisk, imds: FakeImds
) -> None:
    run = program.run(disk, imds=imds)
    docker_started(disk, 5)
    before = disk.snapshot(), disk.path(paths.RUNS).read_bytes()
    ran = status(disk)
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("LAST RUN: 20")
    assert lines[1] == "  i-0123456789abcdef0, v1.5.8, version 1.0.0"
    assert lines[2] == "  complete, exit 0"
    assert lines[3:5] == [f"  {line}" for line in run.log[-3:-1]]
    assert "NOT" not in ran.out
    assert "after its labels changed" in lines[-1]
    assert (disk.snapshot(), disk.path(paths.RUNS).read_bytes()) == before
    assert max(map(len, lines)) <= 80


def test_the_runs_before_the_last_have_a_line_each(disk: MachineDisk, imds: FakeImds) -> None:
    for _ in range(6):
        program.run(disk, imds=imds)
    lines = status(disk).out.splitlines()
    assert lines.index("FILES") - lines.index("BEFORE IT") == 5
    assert len(as_json(disk)["runs"]) == 5


@pytest.mark.parametrize(
    ("path", "what"),
    [(paths.DROP_IN, "it has changed"), (paths.STATE, "it has changed"), ("gone", "it has gone")],
)
def test_a_file_that_is_not_as_it_was_left_is_named_and_the_status_is_5(
    disk: MachineDisk, imds: FakeImds, path: str, what: str
) -> None:
    program.run(disk, imds=imds)
    if path == "gone":
        disk.path(paths.DROP_IN).unlink()
    else:
        edit(disk, path, lambda text: text + "\n")
    ran = status(disk)
    assert ran.status == 5
    assert f"    NOT as the last run left it: {what}" in ran.out.splitlines()
    wrong = [file["path"] for file in as_json(disk)["files"] if not file["as_left"]]
    assert wrong == [paths.DROP_IN if path == "gone" else path]


def test_a_file_that_cannot_be_read_is_not_as_it_was_left(
    disk: MachineDisk, imds: FakeImds
) -> None:
    program.run(disk, imds=imds)
    disk.path(paths.DROP_IN).unlink()
    disk.path(paths.DROP_IN).mkdir()
    (wrong,) = (file for file in as_json(disk)["files"] if not file["as_left"])
    assert wrong["what"].startswith("it cannot be read: ")


def test_the_env_file_is_looked_at_too(disk: MachineDisk, imds: FakeImds) -> None:
    program.run(disk, "--env-file", "/opt/ec2.env", imds=imds)
    assert status(disk).status == 5  # it could not be written: the last run's own status
    disk.path("/opt").mkdir()
    program.run(disk, "--env-file", "/opt/ec2.env", imds=imds)
    assert status(disk).status == 0
    edit(disk, "/opt/ec2.env", lambda text: text + "MINE=1\n")
    assert status(disk).status == 5


def test_cloud_config_yml_may_be_written_anew_but_our_items_must_be_in_it(
    disk: MachineDisk, imds: FakeImds
) -> None:
    disk.cloud_config(CLOUD_CONFIG)
    program.run(disk, imds=imds)
    edit(disk, paths.CLOUD_CONFIG, lambda text: "# by ros\n" + text + "hostname: web\n")
    assert status(disk).status == 0
    edit(disk, paths.CLOUD_CONFIG, lambda text: text.replace("docker.role=web", "docker.role=x"))
    (wrong,) = (file for file in as_json(disk)["files"] if not file["as_left"])
    assert wrong["path"] == paths.CLOUD_CONFIG
    assert wrong["what"].startswith("1 of our items have gone")
    assert "of-the-user" not in status(disk).out


def test_else_the_status_is_the_last_runs_own(disk: MachineDisk, imds: FakeImds) -> None:
    program.run(disk, imds=imds)
    imds.instance = FakeInstance(tags={})
    program.run(disk, "--require-tag=docker.role", "--deadline=3", imds=imds)
    assert status(disk).status == 6
    assert "error: the required tag 'docker.role'" in status(disk).out


def test_a_boot_without_a_run_that_ended_is_not_taken_for_the_last_one(
    disk: MachineDisk, imds: FakeImds
) -> None:
    program.run(disk, imds=imds)
    disk.write(BOOT_ID, "another\n")
    ran = status(disk)
    assert ran.status == 7
    assert "no run has ended since this machine started" in ran.out
    assert as_json(disk)["this_boot"] is False
    disk.path(BOOT_ID).unlink()
    assert status(disk).status == 0
    assert as_json(disk)["this_boot"] is None


def test_a_docker_that_was_started_before_its_labels_changed_is_named(
    disk: MachineDisk, imds: FakeImds
) -> None:
    program.run(disk, imds=imds)
    docker_started(disk, -60)
    assert as_json(disk)["docker"]["since_labels_changed"] is False
    assert "BEFORE its labels changed" in status(disk).out
    # Docker's pid is there, so Docker was started in this boot.
    disk.write(BOOT_ID, "another\n")
    assert as_json(disk)["docker"]["since_labels_changed"] is True


def test_without_dockers_pid_it_cannot_tell_and_says_what_is_to_be_mounted(
    disk: MachineDisk, imds: FakeImds
) -> None:
    program.run(disk, imds=imds)
    ran = status(disk)
    assert ran.status == 0
    assert "/var/run:/var/run:ro" in ran.out
    assert as_json(disk)["docker"]["since_labels_changed"] is None


def test_labels_that_no_run_has_changed_are_no_reason_to_start_docker_again(
    disk: MachineDisk, imds: FakeImds
) -> None:
    program.run(disk, "-t", "none.", imds=imds)
    docker_started(disk, -60)
    assert "no run has changed its labels" in status(disk).out


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "none has ended here yet"),
        ("{", "it is damaged"),
        ("[]", "it is damaged"),
        ("folder", "a folder stands where a file should be"),
        ("no conf", "mount it"),
    ],
)
def test_where_no_run_is_known_it_says_why_and_the_status_is_5(
    disk: MachineDisk, content: str | None, why: str
) -> None:
    if content == "no conf":
        disk.path(paths.CLOUD_CONFIG_D).rmdir()
        disk.path(paths.CONF).rmdir()
    elif content == "folder":
        disk.path(paths.RUNS).mkdir()
    elif content is not None:
        disk.write(paths.RUNS, content)
    ran = status(disk)
    assert ran.status == 5
    assert why in ran.line("error: no run is known")
    assert as_json(disk)["runs"] == []


def test_a_hostile_history_cannot_steer_the_terminal_nor_look_outside(
    disk: MachineDisk,
) -> None:
    disk.root.parent.joinpath("outside").write_text("x")
    run = {
        "time": "\x1b[2J\n",
        "exit_status": 256,
        "notes": ["a\nLAST RUN: b"],
        "files": {"/../outside": None, "\x1b": "1f", "relative": None},
    }
    tree = {"runs": [run], "labels_changed": {"time": "no time", "boot_id": 1}}
    disk.write(paths.RUNS, json.dumps(tree))
    docker_started(disk, 0)
    ran = status(disk)
    assert ran.status == 1
    assert "\x1b" not in ran.out
    assert ran.out.count("\nLAST RUN") == 0
    assert "cannot tell when its labels changed" in ran.out
    assert as_json(disk)["files"][0]["as_left"] is True  # nothing was seen there
