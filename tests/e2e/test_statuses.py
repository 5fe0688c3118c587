"""Every exit status of a run, each reached by what it stands for, and what the run then did."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from e2e import program
from e2e.answering_api import DENIED, AnsweringApi, tags
from faulty_imds import FaultyImds
from machine import MachineDisk
from rancheros_ec2_metadata import __version__
from rancheros_ec2_metadata.hosts.rancheros import paths

LABEL = "--label=docker.role=web"


def test_a_run_writes_labels_and_variables_and_ends_with_0(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    ran = program.run(disk, "-l", "other:OTHER", imds=imds)
    assert ran.status == 0
    assert disk.extra_args() == ["--debug", LABEL]
    variables = disk.variables()
    assert variables["AWS_INSTANCE_ID"] == imds.instance.instance_id
    assert (variables["OTHER"], variables["EC2_METADATA_STATUS"]) == ("x", "complete")
    assert ran.out == ""


def test_the_first_line_says_who_runs_when_and_where(disk: MachineDisk, imds: FaultyImds) -> None:
    program.on_ec2(disk, "i-0123456789abcdef0")
    first = program.run(disk, imds=imds).log[0]
    date = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    version = re.escape(__version__)
    line = (
        rf"status: started; rancheros-ec2-metadata {version}, {date}, i-0123456789abcdef0, v1\.5\.8"
    )
    assert re.fullmatch(line, first)


def test_a_second_run_leaves_the_same_bytes_in_the_same_inodes_and_says_so(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    disk.cloud_config("rancher:\n  docker:\n    extra_args: [--mine]  # by hand\n")
    wrote = "wrote zz-ec2-metadata.yml, wrote cloud-config.yml"
    last = rf"status: complete; 1 label, \d\d variables; {wrote}; exit 0"
    assert re.fullmatch(last, program.run(disk, imds=imds).log[-1])
    after_one = disk.snapshot()
    assert LABEL.encode() in after_one["host/var/lib/rancher/conf/cloud-config.yml"][1]
    again = program.run(disk, imds=imds)
    assert (again.status, disk.snapshot()) == (0, after_one)
    assert re.fullmatch(
        r"status: complete; 1 label, \d\d variables; wrote no file; exit 0", again.log[-1]
    )


def test_a_second_run_with_tags_of_the_api_writes_nothing_before_it_has_answered_either(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    imds.instance = replace(imds.instance, tags_in_metadata=False, role="node")
    with AnsweringApi(tags(imds.instance.instance_id, {"docker.role": "web"})) as api:
        given = {"AWS_ENDPOINT_URL_EC2": api.url}
        assert program.run(disk, "--status-label", imds=imds, **given).status == 0
        before = disk.snapshot()
        again = program.run(disk, "--status-label", imds=imds, **given)
    assert (again.status, disk.snapshot()) == (0, before)
    assert again.log[-1].endswith("wrote no file; exit 0")


def test_our_files_are_for_their_owner_alone(disk: MachineDisk, imds: FaultyImds) -> None:
    program.run(disk, imds=imds)
    modes = {path: disk.path(path).stat().st_mode & 0o777 for path in (paths.DROP_IN, paths.STATE)}
    assert modes == {paths.DROP_IN: 0o600, paths.STATE: 0o600}


def test_the_variables_of_2016_are_the_flags(disk: MachineDisk, imds: FaultyImds) -> None:
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
    disk: MachineDisk, imds: FaultyImds
) -> None:
    nobody = "http://127.0.0.1:1"
    ran = program.run(disk, imds=imds, http_proxy=nobody, HTTP_PROXY=nobody, ALL_PROXY=nobody)
    assert ran.status == 0
    assert disk.variables()["EC2_METADATA_STATUS"] == "complete"


def test_a_wrong_mapping_ends_with_2_before_anything_is_touched_or_asked(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    before = disk.snapshot()
    ran = program.run(disk, "-m", "-l", "no target", imds=imds)
    assert ran.status == 2
    assert ran.line("error", "'no target'")
    assert ran.log[-1].endswith("exit 2")
    assert (disk.snapshot(), imds.requests) == (before, [])


def test_not_on_ec2_ends_with_3_and_takes_out_what_an_earlier_run_wrote(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    before = disk.snapshot()
    program.run(disk, imds=imds)
    program.elsewhere(disk)
    firmware = {"sys/class/dmi/id/sys_vendor"}
    ran = program.run(disk)  # no endpoint is set: that would count as being on EC2
    assert ran.status == 3
    assert {name: at for name, at in disk.snapshot().items() if name not in firmware} == before
    assert ran.log[-1].endswith("exit 3")


def test_tags_that_are_denied_now_are_kept_from_the_last_run(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    program.run(disk, imds=imds)
    imds.instance = replace(imds.instance, tags_in_metadata=False, role="node")
    with AnsweringApi(DENIED) as api:
        ran = program.run(disk, imds=imds, AWS_ENDPOINT_URL_EC2=api.url)
    assert ran.status == 4
    assert disk.extra_args() == ["--debug", LABEL]
    assert disk.variables()["EC2_METADATA_STATUS"] == "kept"


def test_without_a_conf_folder_a_run_ends_with_5_and_names_it_and_the_mount(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    shutil.rmtree(disk.path(paths.CONF))
    before = disk.snapshot()
    ran = program.run(disk, imds=imds)
    assert ran.status == 5
    assert ran.log[0].startswith("status: started; ")
    assert ran.line("error", f"{paths.CONF} is not there", paths.MOUNT)
    assert ran.log[-1] == "exit 5"
    assert disk.snapshot() == before


@pytest.mark.parametrize(
    ("flag", "named"),
    [
        ("--ros=none", "/usr/bin/ros:/usr/bin/ros:ro"),
        ("--ros=/nowhere/ros", "could not be started"),
        ("--ros=/bin/false", "config get"),
        ("--ros=/bin/echo", "config get"),
    ],
)
def test_without_an_answer_of_ros_no_label_is_set_and_the_variables_are(
    disk: MachineDisk, imds: FaultyImds, flag: str, named: str
) -> None:
    ran = program.run(disk, flag, imds=imds)
    assert ran.status == 5
    assert ran.line("error: no label is set", named)
    assert disk.extra_args() == []
    assert disk.variables()["EC2_METADATA_STATUS"] == "partial"
    assert re.fullmatch(r"status: partial; 0 labels, \d\d variables; wrote .*; exit 5", ran.log[-1])


def test_conf_mounted_at_the_old_place_costs_the_labels_and_names_the_line_to_write(
    tmp_path: Path, imds: FaultyImds
) -> None:
    disk = MachineDisk(tmp_path / "old", in_container=False)
    ran = program.run(disk, imds=imds)
    assert ran.status == 5
    assert ran.line("error: no label is set", "old place", paths.MOUNT)
    assert disk.variables()["EC2_METADATA_STATUS"] == "partial"


def test_a_list_that_a_stronger_layer_sets_costs_the_labels_and_names_the_layer(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    disk.write(paths.COMMAND_LINE, "rancher.docker.extra_args=[--x]\n")
    ran = program.run(disk, imds=imds)
    assert ran.status == 5
    assert ran.line("error: no label is set", "the kernel command line")
    assert disk.extra_args() == []
    assert disk.variables()["EC2_METADATA_STATUS"] == "partial"


def test_a_variable_that_cloud_config_sets_stays_and_the_command_that_changes_it_is_named(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    disk.cloud_config("rancher: {environment: {AWS_REGION: of-the-user}}\n")
    before = disk.path(paths.CLOUD_CONFIG).read_bytes()
    ran = program.run(disk, imds=imds)
    assert ran.status == 0
    key = "rancher.environment.AWS_REGION"
    assert ran.line("warning: variable AWS_REGION", "cloud-config.yml", f"ros config set {key} ")
    assert disk.path(paths.CLOUD_CONFIG).read_bytes() == before


def test_another_run_that_does_not_end_is_status_7_at_the_deadline(
    disk: MachineDisk, imds: FaultyImds
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
