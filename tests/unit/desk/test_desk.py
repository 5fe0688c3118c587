"""plan and show off the machine: what they ask, what they say, and what they leave alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from rancheros_ec2_metadata.rancheros import disk as paths

from e2e import described_api, program
from e2e.answering_api import AnsweringApi, tags
from machine import MachineDisk
from rancheros_ec2_metadata.ec2.instance import VARIABLES
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from unit.desk.operators_machine import INSTANCE_ID, Desk

UNTOLD = {name for name, row in VARIABLES.items() if row.described is None}
MAPPINGS = (
    *("-t", "docker.", "-l", "example.db.host:DB_HOST", "--env-prefix", "example.:APP_"),
    *("--set", "ADVERTISE={AWS_LOCAL_IPV4}:2375", "--metadata-labels", "region"),
)


@pytest.fixture
def disk(tmp_path: Path, user_data: Path) -> MachineDisk:
    """The machine's own disk, with the user-data of the desk."""
    disk = MachineDisk(tmp_path / "disk")
    disk.user_data(user_data.read_text())
    return disk


@pytest.fixture
def imds(instance: FakeInstance, desk: Desk) -> Iterator[FakeImds]:
    with FakeImds(instance) as running:
        desk.set(AWS_EC2_METADATA_SERVICE_ENDPOINT=running.url)
        yield running


@pytest.fixture
def booted(desk: Desk, disk: MachineDisk, imds: FakeImds) -> MachineDisk:
    """The disk after the machine's own run; what its firmware says is on no disk."""
    disk.write("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
    disk.write("/sys/class/dmi/id/product_uuid", "ec2e1916-9099-7caf-fd21-012345abcdef\n")
    assert desk.run("apply", *MAPPINGS, "--root", str(disk.root)) == ExitStatus.OK
    imds.requests.clear()
    shutil.rmtree(disk.path("/sys"))
    return disk


def drop_in_of(planned: str, folder: Path) -> MachineDisk:
    """Return a disk with the drop-in that a plan printed."""
    made = MachineDisk(folder)
    lines = [line[1:] for line in planned.splitlines() if line.startswith("+")]
    made.write(paths.DROP_IN, "\n".join(lines[lines.index("{") :]))
    return made


def test_the_plan_at_a_desk_is_what_the_run_on_the_machine_writes(
    desk: Desk, api: AnsweringApi, booted: MachineDisk, user_data: Path, tmp_path: Path
) -> None:
    desk.log_in(api)
    status = desk.run("plan", *MAPPINGS, "--instance", INSTANCE_ID, "--user-data", str(user_data))
    assert status == ExitStatus.WOULD_CHANGE
    planned = drop_in_of(desk.out, tmp_path / "planned")
    assert planned.extra_args() == booted.extra_args()
    assert "--label=docker.role=web" in planned.extra_args()
    variables = booted.variables()
    assert planned.variables() == {k: v for k, v in variables.items() if k not in UNTOLD}
    assert variables["DB_HOST"] == variables["APP_DB_HOST"] == "db.internal"
    missing = set(variables) - set(planned.variables())
    assert {name for name in UNTOLD if name in desk.err} == UNTOLD
    assert missing <= UNTOLD


def test_a_copy_of_the_disk_after_the_run_needs_no_change(
    desk: Desk, api: AnsweringApi, booted: MachineDisk, tmp_path: Path, imds: FakeImds
) -> None:
    copy = shutil.copytree(booted.root, tmp_path / "copy")
    before = MachineDisk(tmp_path / "other").snapshot() | booted.snapshot()
    desk.log_in(api)
    at_desk = ("--instance", INSTANCE_ID, "--root", str(copy))
    assert desk.run("plan", *MAPPINGS, *at_desk) == ExitStatus.OK
    log = desk.err
    assert imds.requests == []
    assert booted.snapshot().items() <= before.items()
    assert desk.run("show", *at_desk) == ExitStatus.OK
    assert f", {INSTANCE_ID}, v1.5.8" in log.splitlines()[0]
    (role,) = (line for line in desk.out.splitlines() if "AWS_IAM_ROLE" in line)
    assert role.endswith("'node'  (the machine's last run)")


def test_what_another_start_has_left_is_not_taken_for_this_ones(
    desk: Desk, api: AnsweringApi, booted: MachineDisk, instance: FakeInstance
) -> None:
    restarted = replace(instance, pending_time="2026-02-01T00:00:00Z")
    api.by_action["DescribeInstances"] = described_api.described(restarted)
    desk.log_in(api)
    assert desk.run("show", "--instance", INSTANCE_ID, "--root", str(booted.root)) == ExitStatus.OK
    assert "'node'" not in desk.out
    assert "AWS_IAM_ROLE" in desk.out.partition("\nNOT KNOWN\n")[2]


def test_another_instances_values_go_in_the_plan(
    desk: Desk, api: AnsweringApi, booted: MachineDisk, instance: FakeInstance
) -> None:
    other = replace(instance, instance_id="i-0aaaaaaaaaaaaaaaa", tags={})
    api.by_action = {
        "DescribeInstances": described_api.described(other),
        "DescribeTags": tags(other.instance_id, {}),
    }
    desk.log_in(api)
    at_desk = ("--instance", other.instance_id, "--root", str(booted.root))
    assert desk.run("plan", *MAPPINGS, *at_desk) == ExitStatus.WOULD_CHANGE
    assert '-   "DB_HOST": "db.internal",' in desk.out.splitlines()


def test_each_question_is_one_call_and_the_metadata_service_is_not_asked(
    desk: Desk, api: AnsweringApi, imds: FakeImds, user_data: Path
) -> None:
    desk.log_in(api)
    at_desk = ("--instance", INSTANCE_ID)
    assert desk.run("plan", *at_desk, "--user-data", str(user_data)) == ExitStatus.WOULD_CHANGE
    assert desk.run("show", *at_desk) == ExitStatus.OK
    assert api.actions == ["DescribeInstances", "DescribeTags"] * 2
    assert imds.requests == []


def test_without_tags_no_tags_are_asked_for(desk: Desk, api: AnsweringApi) -> None:
    desk.log_in(api)
    assert desk.run("show", "--instance", INSTANCE_ID, "--tags", "none") == ExitStatus.OK
    assert api.actions == ["DescribeInstances"]


def test_show_names_the_field_of_each_fact(desk: Desk, api: AnsweringApi) -> None:
    desk.log_in(api)
    assert desk.run("show", "--instance", INSTANCE_ID, "--format", "json") == ExitStatus.OK
    shown = json.loads(desk.out)
    metadata = {name: (one["value"], one["source"]) for name, one in shown["metadata"].items()}
    assert metadata["AWS_LOCAL_IPV4"] == (
        "10.0.0.12",
        "EC2 API, DescribeInstances PrivateIpAddress",
    )
    assert metadata["AWS_REGION"] == ("eu-west-1", "the region that was asked")
    assert metadata["AWS_AUTOSCALING_GROUP"] == ("web", "tag aws:autoscaling:groupName")
    assert shown["tags"]["docker.role"] == {"value": "web", "source": "EC2 API, DescribeTags"}


def test_the_instance_profile_is_said_where_the_role_is_not_known(
    desk: Desk, api: AnsweringApi
) -> None:
    desk.log_in(api)
    assert desk.run("show", "--instance", INSTANCE_ID) == ExitStatus.OK
    assert "instance profile: 'arn:aws:iam::123456789012:instance-profile/node-profile'" in desk.err


def test_an_instance_that_does_not_run_is_shown_with_a_warning(
    desk: Desk, api: AnsweringApi, instance: FakeInstance
) -> None:
    api.by_action["DescribeInstances"] = described_api.described(instance, "stopped")
    desk.log_in(api)
    assert desk.run("show", "--instance", INSTANCE_ID) == ExitStatus.OK
    assert "warning: the instance is 'stopped'" in desk.err


def test_an_answer_about_another_instance_is_none(
    desk: Desk, api: AnsweringApi, instance: FakeInstance
) -> None:
    other = replace(instance, instance_id="i-0aaaaaaaaaaaaaaaa")
    api.by_action["DescribeInstances"] = described_api.described(other)
    desk.log_in(api)
    assert desk.run("show", "--instance", INSTANCE_ID) == ExitStatus.INCOMPLETE
    assert f"no instance {INSTANCE_ID}" in desk.error()


def test_a_required_tag_that_is_missing_is_not_waited_for(
    desk: Desk, api: AnsweringApi, user_data: Path
) -> None:
    desk.log_in(api)
    arguments = ("--instance", INSTANCE_ID, "--user-data", str(user_data), "--require-tag", "none")
    assert desk.run("plan", *arguments) == ExitStatus.REQUIRED_TAG
    assert "'none'" in desk.error()
    assert api.actions == ["DescribeInstances", "DescribeTags"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", "--instance", INSTANCE_ID), ("--user-data FILE", "--root DIR")),
        (("plan", "--instance", "x", "--user-data", "-"), ("'x'", "instance id")),
        (("show", "--instance", "i-0;x"), ("'i-0;x'",)),
        (("plan", "--profile", "x"), ("--profile", "--instance")),
        (("show", "--region", "x"), ("--region", "--instance")),
        (("plan", "--release", "v1.0.4"), ("--release", "--user-data")),
        (("plan", "--user-data", "FILE", "--release", "soon"), ("'soon'", "v1.5.8")),
        (("plan", "--user-data", "FILE", "--release", ""), ("''",)),
        (("plan", "--user-data", "FILE", "--root", "/tmp"), ("--user-data", "--root")),
        (("apply", "--instance", INSTANCE_ID), ("--instance",)),
        (("clean", "--user-data", "FILE"), ("--user-data",)),
        (("show", "--user-data", "FILE"), ("--user-data",)),
    ],
)
def test_flags_that_make_no_sense_are_named_and_nothing_is_asked(
    desk: Desk,
    api: AnsweringApi,
    user_data: Path,
    arguments: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    desk.log_in(api)
    filled = [str(user_data) if word == "FILE" else word for word in arguments]
    assert desk.run(*filled) == ExitStatus.USAGE
    assert [word for word in words if word not in desk.error()] == []
    assert api.actions == []


def test_user_data_that_is_not_there_is_a_file_that_cannot_be_read(desk: Desk) -> None:
    assert desk.run("plan", "--user-data", "/nowhere/x") == ExitStatus.FILES
    assert "'/nowhere/x' cannot be read" in desk.error()


def test_user_data_without_end_is_refused(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(paths.SIZE_LIMIT + 1))
    assert desk.run("plan", "--user-data", str(tmp_path / "large")) == ExitStatus.FILES
    assert "larger" in desk.error()


def test_user_data_alone_is_planned_for_this_machine(
    desk: Desk, imds: FakeImds, user_data: Path
) -> None:
    assert desk.run("plan", "--user-data", str(user_data)) == ExitStatus.WOULD_CHANGE
    assert "--label=docker.role=web" in desk.out
    assert "--debug" in desk.out
    assert imds.requests != []


def test_a_plan_leaves_nothing_behind_and_does_not_touch_the_user_data(
    desk: Desk,
    api: AnsweringApi,
    user_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before = user_data.stat()
    desk.log_in(api)
    at_desk = ("--instance", INSTANCE_ID, "--user-data", str(user_data))
    assert desk.run("plan", *at_desk) == ExitStatus.WOULD_CHANGE
    assert list((tmp_path / "temporary").iterdir()) == []
    assert user_data.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("version", "key"), [("v0.4.5", "args"), ("v0.6.1", "args"), ("v1.5.8", "extra_args")]
)
def test_the_release_decides_which_arguments_the_labels_are_among(
    desk: Desk, api: AnsweringApi, user_data: Path, version: str, key: str
) -> None:
    desk.log_in(api)
    arguments = ("--instance", INSTANCE_ID, "--user-data", str(user_data), "--release", version)
    assert desk.run("plan", *arguments) == ExitStatus.WOULD_CHANGE
    assert f'+   "{key}": [' in desk.out.splitlines()
    assert f" {version}" in desk.err


def test_user_data_that_rancheros_does_not_save_is_warned_about(
    desk: Desk, api: AnsweringApi, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("rancher: {docker: {extra_args: [--debug]}}\n")
    desk.log_in(api)
    status = desk.run("plan", "--instance", INSTANCE_ID, "--user-data", str(tmp_path / "x"))
    assert status == ExitStatus.WOULD_CHANGE
    assert "warning: RancherOS saves nothing of this user-data" in desk.err
    assert "--debug" not in desk.out


def test_user_data_comes_through_a_pipe(api: AnsweringApi, user_data: Path) -> None:
    done = subprocess.run(
        program.command("plan", "--instance", INSTANCE_ID, "--user-data", "-"),
        env=program.environment(**described_api.environment(api)),
        input=user_data.read_bytes(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitStatus.WOULD_CHANGE, done.stderr
    assert b"--debug" in done.stdout
    assert b"standard input" in done.stderr


def test_a_closed_standard_input_is_a_file_that_cannot_be_read(api: AnsweringApi) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *program.command("plan", "--user-data", "-")],
        env=program.environment(**described_api.environment(api)),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitStatus.FILES, done.stderr
    assert b"'-' cannot be read" in done.stderr


def test_a_plan_on_the_machine_imports_no_boto3(disk: MachineDisk, imds: FakeImds) -> None:
    script = (
        "import sys; from rancheros_ec2_metadata import cli;"
        "from rancheros_ec2_metadata.commands.call import Terminal; import os;"
        "cli.main(sys.argv[1:], Terminal(os.environ, sys.stdout, sys.stderr));"
        "sys.exit('boto3' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "plan", "--root", str(disk.root)],
        env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_moto_describes_an_instance_that_is_planned_for(desk: Desk, user_data: Path) -> None:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        ec2 = boto3.Session("testing", "testing", region_name="eu-central-1").client(
            "ec2", endpoint_url=url
        )
        ran = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
        made = ran["Instances"][0]
        ec2.create_tags(
            Resources=[made["InstanceId"]], Tags=[{"Key": "docker.role", "Value": "web"}]
        )
        ec2.close()
        desk.set(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing")
        desk.set(AWS_ENDPOINT_URL_EC2=url, AWS_REGION="eu-central-1")
        at_desk = ("--instance", made["InstanceId"])
        assert desk.run("plan", *at_desk, "--user-data", str(user_data)) == 10
        assert "--label=docker.role=web" in desk.out
        assert f'"AWS_LOCAL_IPV4": "{made["PrivateIpAddress"]}"' in desk.out
    finally:
        server.stop()
