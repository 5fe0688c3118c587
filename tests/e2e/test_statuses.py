"""Every exit status of a run, each reached by what it stands for, and what the run then did."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from dataclasses import replace

import pytest
from rancheros_ec2_metadata.rancheros import disk as paths

from e2e import program
from e2e.answering_api import DENIED, THROTTLED, Answer, AnsweringApi
from machine import MachineDisk
from rancheros_ec2_metadata import __version__
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

LABEL = "--label=docker.role=web"


def test_a_run_writes_labels_and_variables_and_ends_with_0(
    disk: MachineDisk, imds: FakeImds
) -> None:
    ran = program.run(disk, "-l", "other:OTHER", imds=imds)
    assert ran.status == 0
    assert disk.extra_args() == ["--debug", LABEL]
    variables = disk.variables()
    assert variables["AWS_INSTANCE_ID"] == imds.instance.instance_id
    assert (variables["OTHER"], variables["EC2_METADATA_STATUS"]) == ("x", "complete")
    assert ran.out == ""


def test_the_first_line_says_who_runs_when_and_where(disk: MachineDisk, imds: FakeImds) -> None:
    program.on_ec2(disk, "i-0123456789abcdef0")
    first = program.run(disk, imds=imds).log[0]
    date = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    version = re.escape(__version__)
    line = rf"rancheros-ec2-metadata {version}, {date}, i-0123456789abcdef0, v1\.5\.8"
    assert re.fullmatch(line, first)


def test_the_last_line_says_the_outcome_the_files_and_the_status(
    disk: MachineDisk, imds: FakeImds
) -> None:
    names = ".ec2-metadata.json, zz-ec2-metadata.yml"
    last = rf"complete: 1 labels, \d\d variables; wrote {re.escape(names)}; exit 0"
    assert re.fullmatch(last, program.run(disk, imds=imds).log[-1])
    again = program.run(disk, imds=imds).log[-1]
    assert re.fullmatch(last.replace(re.escape(names), "no file"), again)


def test_a_second_run_leaves_the_same_bytes_in_the_same_inodes(
    disk: MachineDisk, imds: FakeImds
) -> None:
    disk.cloud_config("rancher:\n  docker:\n    extra_args: [--mine]  # by hand\n")
    program.run(disk, imds=imds)
    after_one = disk.snapshot()
    assert b"--label=docker.role=web" in after_one[paths.CLOUD_CONFIG.lstrip("/")][1]
    assert program.run(disk, imds=imds).status == 0
    assert disk.snapshot() == after_one


def test_our_files_are_for_their_owner_alone(disk: MachineDisk, imds: FakeImds) -> None:
    program.run(disk, imds=imds)
    modes = {path: disk.path(path).stat().st_mode & 0o777 for path in (paths.DROP_IN, paths.STATE)}
    assert modes == {paths.DROP_IN: 0o600, paths.STATE: 0o600}


def test_the_variables_of_2016_are_the_flags(disk: MachineDisk, imds: FakeImds) -> None:
    ran = program.run(
        disk,
        imds=imds,
        AWS_METADATA_LOAD="false",
        AWS_METADATA_TAG_PREFIXES="oth;",
        AWS_METADATA_TAG_VARIABLES="docker.role:ROLE",
        AWS_METADATA_TAG_VARIABLE="typo",
    )
    assert ran.status == 0
    assert disk.extra_args() == ["--debug", "--label=other=x"]
    assert disk.variables() == {"ROLE": "web", "EC2_METADATA_STATUS": "complete"}
    assert ran.line("warning", "unknown variable AWS_METADATA_TAG_VARIABLE:")


def test_the_metadata_service_is_never_asked_through_a_proxy(
    disk: MachineDisk, imds: FakeImds
) -> None:
    nobody = "http://127.0.0.1:1"
    ran = program.run(disk, imds=imds, http_proxy=nobody, HTTP_PROXY=nobody, ALL_PROXY=nobody)
    assert ran.status == 0
    assert disk.variables()["EC2_METADATA_STATUS"] == "complete"


def test_a_wrong_mapping_ends_with_2_before_anything_is_touched_or_asked(
    disk: MachineDisk, imds: FakeImds
) -> None:
    before = disk.snapshot()
    ran = program.run(disk, "-m", "-l", "no target", imds=imds)
    assert ran.status == 2
    assert ran.line("error", "'no target'")
    assert ran.log[-1].endswith("exit 2")
    assert (disk.snapshot(), imds.requests) == (before, [])


def test_the_longest_deadline_can_be_waited_for(disk: MachineDisk, imds: FakeImds) -> None:
    assert program.run(disk, "--deadline=86400", imds=imds).status == 0
    assert disk.extra_args() == ["--debug", LABEL]


def test_not_on_ec2_ends_with_3_and_takes_out_what_an_earlier_run_wrote(
    disk: MachineDisk, imds: FakeImds
) -> None:
    before = disk.snapshot()
    program.run(disk, imds=imds)
    program.elsewhere(disk)
    firmware = {"sys/class/dmi/id/sys_vendor"}
    ran = program.run(disk)  # no endpoint is set: that would count as being on EC2
    assert ran.status == 3
    assert {name: at for name, at in disk.snapshot().items() if name not in firmware} == before
    assert ran.log[-1].endswith("exit 3")


@pytest.mark.parametrize(
    ("answer", "role", "named"),
    [
        (DENIED, "node", ["'node'", "ec2:DescribeTags"]),
        (THROTTLED, "node", ["throttles", "RequestLimitExceeded"]),
        (DENIED, None, ["no role", "ec2:DescribeTags"]),
    ],
)
def test_without_tags_a_run_applies_the_metadata_names_the_reason_and_ends_with_4(
    disk: MachineDisk, imds: FakeImds, answer: Answer, role: str | None, named: list[str]
) -> None:
    imds.instance = replace(imds.instance, tags_in_metadata=False, role=role)
    with AnsweringApi(answer) as api:
        # Too short for a throttled request to be made again.
        ran = program.run(disk, "--deadline=6", imds=imds, AWS_ENDPOINT_URL_EC2=api.url)
    assert ran.status == 4
    assert ran.line("error: ", *named)
    assert disk.variables()["AWS_INSTANCE_TYPE"] == imds.instance.instance_type
    assert disk.variables()["EC2_METADATA_STATUS"] == "partial"
    assert disk.extra_args() == []
    assert ran.log[-1].startswith("partial: 0 labels")
    assert ran.log[-1].endswith("exit 4")


def test_tags_that_are_denied_now_are_kept_from_the_last_run(
    disk: MachineDisk, imds: FakeImds
) -> None:
    program.run(disk, imds=imds)
    imds.instance = replace(imds.instance, tags_in_metadata=False, role="node")
    with AnsweringApi(DENIED) as api:
        ran = program.run(disk, imds=imds, AWS_ENDPOINT_URL_EC2=api.url)
    assert ran.status == 4
    assert disk.extra_args() == ["--debug", LABEL]
    assert disk.variables()["EC2_METADATA_STATUS"] == "kept"


def test_a_silent_metadata_service_on_ec2_is_status_4_and_outcome_none(disk: MachineDisk) -> None:
    program.on_ec2(disk)
    ran = program.run(disk, "--deadline=3", AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:1")
    assert ran.status == 4
    assert disk.variables() == {"EC2_METADATA_STATUS": "none"}


def test_without_a_conf_folder_a_run_ends_with_5_and_names_it_and_the_mount(
    disk: MachineDisk, imds: FakeImds
) -> None:
    shutil.rmtree(disk.path(paths.CONF))
    before = disk.snapshot()
    ran = program.run(disk, imds=imds)
    assert ran.status == 5
    assert ran.log[0].startswith("rancheros-ec2-metadata ")
    assert ran.line("error", f"{paths.CONF} is not there", f"{paths.CONF}:{paths.CONF}")
    assert ran.log[-1] == "exit 5"
    assert disk.snapshot() == before


def test_without_the_system_files_a_run_ends_with_5_and_names_the_mount(
    disk: MachineDisk, imds: FakeImds
) -> None:
    disk.path(paths.OS_CONFIG).unlink()
    ran = program.run(disk, imds=imds)
    assert ran.status == 5
    assert ran.line("error", "/usr/share/ros:/usr/share/ros:ro")
    assert disk.extra_args() == ["--debug", LABEL]


def test_a_required_tag_that_never_comes_is_status_6_and_the_rest_is_applied(
    disk: MachineDisk, imds: FakeImds
) -> None:
    ran = program.run(disk, "--require-tag=docker.fleet", "--tags=imds", "--deadline=3", imds=imds)
    assert ran.status == 6
    assert ran.line("error", "'docker.fleet'")
    assert disk.extra_args() == ["--debug", LABEL]


def test_another_run_that_does_not_end_is_status_7_at_the_deadline(
    disk: MachineDisk, imds: FakeImds
) -> None:
    before = disk.snapshot()
    conf = os.open(disk.path(paths.CONF), os.O_RDONLY)
    try:
        fcntl.flock(conf, fcntl.LOCK_EX)
        ran = program.run(disk, "--deadline=2", imds=imds)
    finally:
        os.close(conf)
    assert ran.status == 7
    assert ran.log[-1].endswith("exit 7")
    assert (disk.snapshot(), imds.requests) == (before, [])


def test_a_plan_writes_nothing_and_ends_with_10_then_0_once_it_is_applied(
    disk: MachineDisk, imds: FakeImds
) -> None:
    before = disk.snapshot()
    planned = program.run(disk, "plan", imds=imds)
    assert planned.status == 10
    assert disk.snapshot() == before
    assert f'+    "{LABEL}"' in planned.out
    assert program.run(disk, imds=imds).status == 0
    after = disk.snapshot()
    nothing_left = program.run(disk, "plan", imds=imds)
    assert nothing_left.status == 0
    assert "+++" not in nothing_left.out
    assert disk.snapshot() == after


def test_clean_gives_back_the_disk_as_it_was(disk: MachineDisk, imds: FakeImds) -> None:
    disk.cloud_config("# mine\nrancher: {docker: {extra_args: [--mine, '--label=docker.role=db']}}")
    before = program.contents(disk)
    program.run(disk, imds=imds)
    assert disk.path(paths.DROP_IN).exists()
    ran = program.run(disk, "clean")
    assert ran.status == 0
    assert program.contents(disk) == before
    assert paths.CLOUD_CONFIG in ran.log[-1]
    assert program.run(disk, "clean").line("took back: nothing")
