"""What is written is read back through ``ros``, and put back if that reads something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.rancheros import disk as paths
from ros_stand_in.root_folder import executable, metadata

SECRET = "-----BEGIN RSA PRIVATE KEY-----"


def script(folder: Path, text: str) -> str:
    file = folder / "ros"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize("release", ["v0.4.5", "v0.9.2", "v1.5.8"])
def test_a_ros_that_reads_what_was_planned_is_content(
    imds: FakeImds, tmp_path: Path, release: str
) -> None:
    disk = MachineDisk(tmp_path / "disk", release)
    disk.user_data("rancher: {docker: {extra_args: ['--host=$private_ipv4', '--label=a=b c']}}\n")
    disk.write(paths.SAVED_METADATA, metadata({"$private_ipv4": "10.0.0.12"}))
    ros = executable(tmp_path, disk.root, release)
    ran = program.run(disk, "--ros", str(ros), imds=imds)
    assert ran.status == 0
    assert ran.line("read back through ros: as planned")
    assert disk.path(paths.DROP_IN).exists()


def test_after_a_ros_that_reads_otherwise_the_former_files_are_back(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    disk.cloud_config("rancher: {docker: {extra_args: [--mine]}}\n")
    before = program.contents(disk)
    # It reads its user's files well, and ours as if they were not there.
    answers = (
        f'case "$3" in *extra_args) echo "[--mine]"; echo "# {SECRET}";; *) echo "{{}}";; esac'
    )
    ran = program.run(disk, "--ros", script(tmp_path, answers), imds=imds)
    assert ran.status == 5
    assert ran.line("error", "rancher.docker.extra_args", "the former files are back")
    assert SECRET not in ran.err
    assert "0 labels, 0 variables" in ran.log[-1]
    assert program.contents(disk) == before


def test_a_ros_that_is_as_wrong_without_us_does_not_cost_the_labels(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    ran = program.run(disk, "--ros", script(tmp_path, f"echo '{SECRET}' >&2; exit 1"), imds=imds)
    assert ran.status == 0
    assert ran.line("warning", "config get", "as wrong without our files")
    assert SECRET not in ran.err
    assert disk.extra_args() == ["--debug", "--label=docker.role=web"]


def test_a_run_that_writes_nothing_asks_ros_nothing(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    program.run(disk, imds=imds)
    asked = tmp_path / "asked"
    ran = program.run(disk, "--ros", script(tmp_path, f"touch {asked}"), imds=imds)
    assert ran.status == 0
    assert not asked.exists()


def test_a_ros_that_never_answers_leaves_every_file_old_or_new_at_the_deadline(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    before = program.contents(disk)
    ran = program.run(disk, "--deadline=2", "--ros", script(tmp_path, "exec sleep 60"), imds=imds)
    assert ran.status == 7
    assert ran.log[-1].endswith("exit 7")
    left = program.contents(disk)
    program.run(disk, imds=imds)
    assert left.items() <= before.items() | program.contents(disk).items()


def test_a_plan_asks_no_ros_and_puts_nothing_back(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    ran = program.run(disk, "plan", "--ros", script(tmp_path, f"touch {asked}"), imds=imds)
    assert ran.status == 10
    assert not asked.exists()
