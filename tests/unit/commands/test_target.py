"""plan and show of ``--instance``: what they ask, what they say, and what they leave alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2e import described_api, program
from e2e.answering_api import AnsweringApi, tags
from machine import MachineDisk
from rancheros_ec2_metadata.ec2.instance import GROUP, VARIABLES
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from unit.commands.workstation import INSTANCE_ID, Workstation

UNTOLD = {name for name, row in VARIABLES.items() if row.described is None}
MAPPINGS = (
    *("-t", "docker.", "-l", "example.db.host:DB_HOST", "--env-prefix", "example.:APP_"),
    *("--set", "ADVERTISE={AWS_LOCAL_IPV4}:2375", "--metadata-labels", "region"),
)
ASKED = ("--instance", INSTANCE_ID)
PREFLIGHT = ("preflight", "--auto-scaling-group", "a")


@pytest.fixture
def booted(
    workstation: Workstation, tmp_path: Path, user_data: Path, instance: FakeInstance
) -> MachineDisk:
    """A copy of the machine's disk after its own run; what its firmware says is on no disk."""
    disk = MachineDisk(tmp_path / "disk")
    disk.user_data(user_data.read_text())
    program.on_ec2(disk)
    disk.write("/sys/class/dmi/id/product_uuid", "ec2e1916-9099-7caf-fd21-012345abcdef\n")
    with FakeImds(instance) as imds:
        workstation.set(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)
        assert workstation.run("apply", *MAPPINGS, *program.machine_flags(disk)) == ExitStatus.OK
    # Nobody answers there any more: what asks the metadata service all the same fails.
    shutil.rmtree(disk.path("/sys"))
    return disk


def planned(workstation: Workstation, *flags: str) -> dict[str, dict[str, Any]]:
    """Return labels and variables by name, as a plan reports them."""
    workstation.run("plan", *MAPPINGS, *flags, "--format", "json")
    report = workstation.json()
    return {one["name"]: one for one in (*report["labels"], *report["variables"])}


def test_a_plan_is_what_the_run_on_the_machine_writes(
    workstation: Workstation, api: AnsweringApi, booted: MachineDisk, user_data: Path
) -> None:
    workstation.log_in(api)
    plan = planned(workstation, *ASKED, "--user-data", str(user_data))
    after = {name: one["after"] for name, one in plan.items()}
    assert {one["action"] for one in plan.values()} == {"add"}
    written = booted.variables()
    assert written["DB_HOST"] == written["APP_DB_HOST"] == "db.internal"
    assert {k: v for k, v in after.items() if k in written} == {
        name: value for name, value in written.items() if name not in UNTOLD
    }
    labels = {name: value for name, value in after.items() if name not in written}
    assert sum(item.startswith("--label=") for item in booted.extra_args()) == len(labels) == 3
    assert f"--label=docker.role={labels['docker.role']}" in booted.extra_args()
    assert {name for name in UNTOLD if name in workstation.err} == UNTOLD


def test_a_copy_of_the_disk_after_the_run_needs_no_change(
    workstation: Workstation, api: AnsweringApi, booted: MachineDisk, tmp_path: Path
) -> None:
    before = booted.snapshot()
    workstation.log_in(api)
    flags = (*ASKED, "--root", str(booted.root))
    plan = planned(workstation, *flags)
    assert {one["action"] for one in plan.values()} == {"unchanged"}
    assert f", {INSTANCE_ID}, v1.5.8" in workstation.err.splitlines()[0]
    # With a ros the copy is rehearsed as on the machine, the user's arguments as well.
    ros = ("--ros", str(booted.ros()))
    assert workstation.run("plan", *MAPPINGS, *flags, *ros) == ExitStatus.OK
    assert workstation.out.splitlines()[-1] == "No changes."
    assert booted.snapshot() == before


@pytest.mark.parametrize("same_start", [True, False])
def test_what_the_api_does_not_tell_is_the_last_runs_of_the_same_start(
    workstation: Workstation,
    api: AnsweringApi,
    booted: MachineDisk,
    instance: FakeInstance,
    same_start: bool,
) -> None:
    if not same_start:
        restarted = replace(instance, pending_time="2026-02-01T00:00:00Z")
        api.by_action["DescribeInstances"] = described_api.described(restarted)
    workstation.log_in(api)
    flags = (*ASKED, "--root", str(booted.root), "--format", "json")
    assert workstation.run("show", *flags) == ExitStatus.OK
    shown = workstation.json()
    assert ("AWS_IAM_ROLE" in shown["not_known"]) != same_start
    if same_start:
        source = "the machine's last run"
        assert shown["metadata"]["AWS_IAM_ROLE"] == {"value": "node", "source": source}


def test_another_instances_values_go_in_the_plan(
    workstation: Workstation, api: AnsweringApi, booted: MachineDisk, instance: FakeInstance
) -> None:
    other = replace(instance, instance_id="i-0aaaaaaaaaaaaaaaa", tags={})
    api.by_action = {
        "DescribeInstances": described_api.described(other),
        "DescribeTags": tags(other.instance_id, {}),
    }
    workstation.log_in(api)
    plan = planned(workstation, "--instance", other.instance_id, "--root", str(booted.root))
    gone = {name for name, one in plan.items() if one["action"] == "remove"}
    # It was started in the same second; what the API does not tell is not taken from it.
    assert {"docker.role", "DB_HOST", "AWS_IAM_ROLE"} <= gone
    assert plan["AWS_INSTANCE_ID"]["after"] == other.instance_id


@pytest.mark.parametrize(
    "command",
    [
        ("plan", "--user-data", "FILE"),
        ("show",),
        ("show", "--tags", "none"),
        # A required tag that is missing is not waited for.
        ("plan", "--user-data", "FILE", "--require-tag", "none"),
    ],
)
def test_each_question_is_one_call(
    workstation: Workstation, api: AnsweringApi, user_data: Path, command: tuple[str, ...]
) -> None:
    workstation.log_in(api)
    status = workstation.run(*(str(user_data) if x == "FILE" else x for x in command), *ASKED)
    assert api.actions == ["DescribeInstances", "DescribeTags"][: 1 if "--tags" in command else 2]
    assert (status == ExitStatus.REQUIRED_TAG) == ("'none'" in workstation.err)


def test_show_names_the_field_of_each_fact_and_what_is_not_told_and_a_state_of_the_instance(
    workstation: Workstation, api: AnsweringApi, instance: FakeInstance
) -> None:
    api.by_action["DescribeInstances"] = described_api.described(instance, "stopped")
    workstation.log_in(api)
    assert workstation.run("show", *ASKED, "--format", "json") == ExitStatus.OK
    assert "warning: the instance is 'stopped'" in workstation.err
    shown = workstation.json()
    assert {*shown["not_known"]} == UNTOLD
    assert {*shown["metadata"], *shown["does_not_have"]} == {*VARIABLES} - UNTOLD
    metadata = {name: (one["value"], one["source"]) for name, one in shown["metadata"].items()}
    assert metadata["AWS_LOCAL_IPV4"] == (
        "10.0.0.12",
        "EC2 API, DescribeInstances PrivateIpAddress",
    )
    for name in metadata.keys() - {GROUP}:
        assert metadata[name][1].endswith(str(VARIABLES[name].described))
    assert metadata["AWS_REGION"] == ("eu-west-1", "the region that was asked")
    assert metadata[GROUP] == ("web", "tag aws:autoscaling:groupName")
    assert shown["tags"]["docker.role"] == {"value": "web", "source": "EC2 API, DescribeTags"}
    profile = "arn:aws:iam::123456789012:instance-profile/node-profile"
    assert f"instance profile: '{profile}'" in workstation.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", "--instance", "x", "--user-data", "-"), ("'x'", "instance id")),
        (("show", "--instance", "i-0;x"), ("'i-0;x'",)),
        (("plan", "--profile", "x"), ("--profile", "--instance")),
        (("show", "--region", "x"), ("--region", "--instance")),
        (("apply", *ASKED), ("--instance",)),
        (("clean", "--user-data", "-"), ("--user-data",)),
        (("show", "--user-data", "-"), ("--user-data",)),
        (("preflight",), ("--auto-scaling-group", "--launch-template")),
        ((*PREFLIGHT, "--launch-template", "b"), ("--launch-template",)),
        ((*PREFLIGHT, "--profile", "none"), ("preflight", "--profile")),
        ((*PREFLIGHT, "-l", "x"), ("-l",)),
        ((*PREFLIGHT, "--deadline", "5"), ("--deadline",)),
        # No disk is named, or two.
        (("plan", "--release", "v1.0.4"), ("--release", "--user-data")),
        (("plan", "--user-data", "-", "--release", "soon"), ("'soon'", "v1.5.8")),
        (("plan", "--user-data", "-", "--release", ""), ("''",)),
        (("plan", "--user-data", "-", "--root", "/tmp"), ("--user-data", "--root")),
        (("plan", *ASKED), ("--user-data FILE", "--root DIR")),
    ],
)
def test_flags_that_make_no_sense_are_named_and_nothing_is_asked(
    workstation: Workstation, api: AnsweringApi, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    workstation.log_in(api)
    assert workstation.run(*arguments) == ExitStatus.USAGE
    assert [word for word in words if word not in workstation.error()] == []
    assert api.actions == []
