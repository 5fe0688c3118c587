"""The order of a run, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from failures import in_process
from failures.in_process import INSTANCE, METADATA, Booted, GivenEc2, elsewhere, found
from machine import MachineDisk
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.errors import ExitStatus, FilesError
from rancheros_ec2_metadata.hosts.files import FileChange, Files
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.state import parse_state
from rancheros_ec2_metadata.settings import Settings, TagMapping

WEB = "--label=docker.role=web"
TAGS = {"docker.role": "web"}


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    return MachineDisk(tmp_path)


def run(
    disk: MachineDisk,
    said: Facts | None = None,
    before: Callable[[], None] = lambda: None,
    *,
    machine: Machine | None = None,
    files: Files | None = None,
    settings: Settings | None = None,
) -> Booted:
    return in_process.run(
        disk.root,
        GivenEc2(said or found(TAGS), before),
        settings=settings,
        machine=machine,
        files=files,
        ros=in_process.stand_in(disk.root, "v1.5.8"),
    )


def test_the_first_and_the_last_line_frame_the_log(disk: MachineDisk) -> None:
    lines = run(disk).log.splitlines()
    start = "ec2-metadata: status: started; rancheros-ec2-metadata 1.0.0, 2026-01-05T08:00:00Z"
    assert lines[0] == f"{start}, {INSTANCE}, v1.5.8"
    assert lines[-1].endswith(
        "status: complete; 1 label, 4 variables; wrote zz-ec2-metadata.yml; exit 0"
    )
    nowhere = run(disk, machine=Machine("yes")).log.splitlines()
    assert nowhere[0] == f"{start}, instance not known yet, v1.5.8"
    assert nowhere[-1].endswith("status: complete; 1 label, 4 variables; wrote no file; exit 0")


def test_nothing_is_written_before_ec2_is_asked_on_a_first_boot(disk: MachineDisk) -> None:
    there = disk.snapshot()

    def untouched() -> None:
        assert disk.snapshot() == there
        assert not disk.path(paths.STATE).exists()

    run(disk, before=untouched)


def test_values_of_a_machine_that_nothing_names_stay_until_ec2_has_answered(
    disk: MachineDisk,
) -> None:
    run(disk)

    def there() -> None:
        assert disk.extra_args() == [WEB]

    run(disk, found({}, instance_id="i-0fedcba9876543210"), there, machine=Machine("yes"))
    assert disk.extra_args() == []


def test_a_mapped_tag_that_is_not_there_is_said_and_in_the_summary(disk: MachineDisk) -> None:
    settings = Settings(root=disk.root, mappings=(TagMapping.parse("db.hots:DB_HOST"),))
    booted = run(disk, settings=settings)
    text = "DB_HOST not set: no tag 'db.hots' on this instance"
    lines = [line.removeprefix("ec2-metadata: ") for line in booted.log.splitlines()]
    assert text in lines
    assert f"left out: {text}" in lines
    assert booted.status == 0
    assert text not in run(disk, found(None), settings=settings).log


def test_the_summary_says_what_came_from_where(disk: MachineDisk) -> None:
    assert "metadata: 3 from IMDS; tags: 1 from IMDS\n" in run(disk).log
    kept = run(disk, found(None, metadata={"AWS_REGION": "x"}))
    assert "metadata: 1 from IMDS; tags: 1 from the last run\n" in kept.log
    tags = {f"docker.a=b{n}": "x" for n in range(5)}
    assert "left out: 2 more, named above" in run(disk, found(tags)).log


class Broken(Files):
    """A disk on which writing one path fails."""

    def __init__(self, disk: MachineDisk, path: str, fault: FilesError) -> None:
        super().__init__(partial(paths.locate, disk.root))
        self.path, self.fault = path, fault

    def write(self, change: FileChange) -> None:
        if change.path == self.path:
            raise self.fault
        super().write(change)


def test_where_a_write_fails_what_is_in_effect_is_counted_not_what_was_planned(
    disk: MachineDisk,
) -> None:
    full = FilesError("zz could not be written: No space left; it is as it was")
    first = run(disk, files=Broken(disk, paths.DROP_IN, full))
    assert (first.status, first.outcome) == (ExitStatus.FILES, "partial")
    assert "status: partial; 0 labels, 0 variables; wrote no file; exit 5" in first.log
    run(disk)
    later = run(disk, found({"docker.zone": "a"}), files=Broken(disk, paths.DROP_IN, full))
    assert "status: partial; 1 label, 4 variables; wrote no file; exit 5" in later.log
    assert parse_state(disk.path(paths.STATE).read_bytes()).labels == {"docker.role": "web"}
    state = FilesError("the state could not be written: No space left")
    booted = run(disk, files=Broken(disk, paths.STATE, state))
    assert booted.status == ExitStatus.FILES
    assert "this run will not be in 'status'" in booted.log


@pytest.mark.parametrize(
    "said",
    [found({}), elsewhere(), found({"docker.zone": "b"})],
    ids=["untagged", "not-on-ec2", "retagged"],
)
def test_what_could_not_be_removed_is_known_as_ours_to_the_next_run(
    disk: MachineDisk, said: Facts
) -> None:
    users = "rancher: {docker: {extra_args: [--mine]}}\n"
    disk.cloud_config(users)
    env_file = f"{paths.CONF}/docker.env"
    run(disk, settings=Settings(root=disk.root, env_file=env_file))
    for path in (env_file, paths.CLOUD_CONFIG):
        full = FilesError(f"{path} could not be written: No space left; it is as it was")
        assert run(disk, said, files=Broken(disk, path, full)).status == ExitStatus.FILES
        assert disk.path(path).exists()
    in_process.clean(disk.root)
    assert disk.path(paths.CLOUD_CONFIG).read_text() == users
    assert not disk.path(env_file).exists()


def test_no_value_of_metadata_that_is_not_used_is_kept(disk: MachineDisk) -> None:
    run(disk, found({**TAGS, "secret": "hidden"}))
    raw = disk.path(paths.STATE).read_bytes()
    assert b"hidden" not in raw
    assert METADATA["AWS_REGION"].encode() in raw
