"""preflight against moto's EC2 and Auto Scaling: its commands, its examples, its statuses."""

from __future__ import annotations

import base64
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from docs.definitions import from_page
from docs.pages import ROOT, Page
from e2e import program
from rancheros_ec2_metadata.command_line import COMMANDS
from rancheros_ec2_metadata.errors import ExitStatus
from unit.commands.workstation import Workstation

PAGE = Page("docs/preflight.md")
COMMANDS_OF_PAGE = [line for block in PAGE.blocks if block.language == "sh" for line in block.lines]
EXAMPLES = [f"rancheros-ec2-metadata {one}" for one in COMMANDS["preflight"].examples]
README = from_page("README.md").text
REGION = "eu-west-1"
IMAGE = "ami-12c6146b"  # one of those that moto knows from the start
SCRIPT = (ROOT / "examples/swarm-systemd/amazon-linux-2023.sh").read_text("utf-8")
OPTIONS = {
    "HttpTokens": "optional",
    "HttpEndpoint": "enabled",
    "HttpPutResponseHopLimit": 1,
    "InstanceMetadataTags": "enabled",
}
TAGS = {"docker.role": "web", "example.db.host": "db.internal"}


class MotoGroups:
    """Auto Scaling groups and launch templates of one region of moto."""

    def __init__(self, url: str) -> None:
        self.url = url
        session: Any = boto3.Session("testing", "testing", region_name=REGION)
        self.ec2: Any = session.client("ec2", endpoint_url=url)
        self.autoscaling: Any = session.client("autoscaling", endpoint_url=url)

    def make_template(self, user_data: str, **data: Any) -> None:
        """Make the template ``web``, or its next version."""
        given = {
            "ImageId": IMAGE,
            "InstanceType": "m5.large",
            "UserData": base64.b64encode(user_data.encode()).decode(),
            "MetadataOptions": OPTIONS,
            **data,
        }
        there = self.ec2.describe_launch_templates()["LaunchTemplates"]
        make = self.ec2.create_launch_template_version if there else self.ec2.create_launch_template
        make(LaunchTemplateName="web", LaunchTemplateData=given)

    def make_group(self, tags: Mapping[str, str], instances: int = 0, **source: Any) -> None:
        """Make the group ``web``, whose tags are propagated."""
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="web",
            MinSize=instances,
            MaxSize=2,
            Tags=[{"Key": k, "Value": v, "PropagateAtLaunch": True} for k, v in tags.items()],
            AvailabilityZones=[f"{REGION}a"],
            **source,
        )

    def tag(self, key: str, value: str, *, propagated: bool) -> None:
        """Set a tag of the group."""
        self.autoscaling.create_or_update_tags(
            Tags=[
                {
                    "ResourceId": "web",
                    "ResourceType": "auto-scaling-group",
                    "Key": key,
                    "Value": value,
                    "PropagateAtLaunch": propagated,
                }
            ]
        )


LATEST: dict[str, Any] = {"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "$Latest"}}


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoGroups]:
    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield MotoGroups(f"http://{host}:{port}")
    running.stop()


@pytest.fixture
def aws(moto: MotoGroups, workstation: Workstation) -> MotoGroups:
    requests.post(f"{moto.url}/moto-api/reset", timeout=60)
    workstation.set(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing")
    workstation.set(AWS_ENDPOINT_URL=moto.url, AWS_REGION=REGION)
    return moto


def asked(workstation: Workstation) -> tuple[int, Any]:
    """Return the status and the JSON of a preflight of the group."""
    status = workstation.run("preflight", "--auto-scaling-group", "web", "--format", "json")
    return status, workstation.json()


def test_it_says_what_the_instance_that_is_launched_then_has(
    aws: MotoGroups, workstation: Workstation, tmp_path: Path
) -> None:
    aws.make_template(README, TagSpecifications=[tags_of_instances(**{"docker.zone": "a"})])
    aws.make_group(TAGS | {"docker.motto": "it's cheap"}, **LATEST)
    assert workstation.run("preflight", "--auto-scaling-group", "web") == ExitStatus.FINDINGS
    assert "[unmatched-label]" in workstation.out
    _, said = asked(workstation)
    (launch,) = said["launches"]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=1)
    groups = aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    instance = groups[0]["Instances"][0]["InstanceId"]
    (tmp_path / "user-data.yml").write_text(README)
    words = shlex.split(" ".join(launch["flags"]["words"]))
    given = ("--instance", instance, "--user-data", str(tmp_path / "user-data.yml"))
    assert workstation.run("plan", *words, *given, "--format", "json") == ExitStatus.WOULD_CHANGE
    plan = workstation.json()

    def values(tree: Any, key: str, of: str) -> dict[str, str]:
        return {one["name"]: one[of] for one in tree[key]}

    assert values(launch, "labels", "value") == values(plan, "labels", "after")
    assert values(launch, "labels", "value").keys() == {
        *("docker.role", "docker.zone", "docker.motto")
    }
    planned = values(plan, "variables", "after")
    known = values(launch, "variables", "value")
    assert planned.keys() <= known.keys()
    at_launch = {*launch["at_launch"]}
    assert {name: planned[name] for name in planned.keys() - at_launch} == {
        name: known[name] for name in planned.keys() - at_launch
    }
    assert known["DB_HOST"] == "db.internal"
    assert known["AWS_INSTANCE_TYPE"] == "m5.large"
    set_by = {one["name"]: one["source"]["set_by"] for one in launch["labels"]}
    assert (set_by["docker.role"], set_by["docker.zone"]) == ("the group", "the template")


def tags_of_instances(**tags: str) -> dict[str, Any]:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"ResourceType": "instance", "Tags": listed}


def test_a_group_that_is_right_has_no_findings_until_its_tags_change(
    aws: MotoGroups, workstation: Workstation
) -> None:
    aws.make_template(SCRIPT)
    aws.make_group(TAGS, instances=1, **LATEST)
    assert workstation.run("preflight", "--auto-scaling-group", "web") == ExitStatus.OK
    assert "'docker.role' = 'web'  (tag 'docker.role', of the group)" in workstation.out
    assert "-t docker. --require-tag docker.role --follow 60" in " ".join(workstation.out.split())
    assert workstation.out.endswith("No findings.\n")
    aws.tag("docker.role", "d\x9b\u202eb", propagated=True)
    aws.tag("docker.zone", "a", propagated=False)
    status = workstation.run("preflight", "--auto-scaling-group", "web")
    assert status == ExitStatus.FINDINGS
    assert workstation.out.endswith("3 findings.\n")
    assert all(line.isprintable() and len(line) <= 80 for line in workstation.out.splitlines())
    status, said = asked(workstation)
    assert (status, said["exit_status"], said["running_instances"]) == (11, 11, 1)
    assert [one["rule"] for one in said["findings"]] == [
        *("not-propagated", "unmatched-label", "running-tags")
    ]


def test_what_aws_does_not_say_is_status_4_and_the_rest_is_told(
    aws: MotoGroups, workstation: Workstation
) -> None:
    """moto has no defaults of the account, and answers that with an error of its own."""
    aws.autoscaling.create_launch_configuration(
        LaunchConfigurationName="old", ImageId=IMAGE, InstanceType="m5.large", UserData=SCRIPT
    )
    aws.make_group(TAGS, LaunchConfigurationName="old")
    status, said = asked(workstation)
    assert (status, said["exit_status"]) == (ExitStatus.INCOMPLETE, ExitStatus.INCOMPLETE)
    (error,) = said["errors"]
    assert error.startswith("ec2:GetInstanceMetadataDefaults: ")
    assert workstation.error().endswith(error)
    assert [one["name"] for one in said["launches"][0]["labels"]] == ["docker.role"]
    assert said["launches"][0]["metadata_options"]["HttpTokens"]["value"] is None
    assert workstation.run("preflight", "--auto-scaling-group", "old") == ExitStatus.INCOMPLETE
    assert "Auto Scaling group 'old' is not there" in workstation.error()


def test_a_template_without_user_data_has_the_flags_of_the_command_line(
    aws: MotoGroups, workstation: Workstation
) -> None:
    tags = tags_of_instances(name="web-1", dns="10.0.0.2,10.0.0.3")
    aws.make_template("", TagSpecifications=[tags])
    flags = ("-l", "name:hostname", "-l", "dns:rancher.network.dns.nameservers", "-t", "n")
    assert workstation.run("preflight", "--launch-template", "web", *flags) == ExitStatus.OK
    said = " ".join(workstation.out.split())
    for words in (
        "user-data: none, taken for a host of rancheros",
        "flags: none in the user-data",
        "'hostname' = 'web-1' (tag 'name', of the template)",
        "'rancher.network.dns.nameservers' = '10.0.0.2, 10.0.0.3'",
        "'name' = 'web-1'",
        "LABELS",
    ):
        assert words in said


@pytest.mark.parametrize("command", sorted({*COMMANDS_OF_PAGE, *EXAMPLES}))
def test_a_command_of_the_page_or_of_the_help_does_what_it_says(
    aws: MotoGroups, tmp_path: Path, command: str
) -> None:
    for _ in range(2):
        aws.make_template(SCRIPT, TagSpecifications=[tags_of_instances(**TAGS)])
    aws.make_group({}, **LATEST)
    keys = "aws_access_key_id = testing\naws_secret_access_key = testing\n"
    (tmp_path / "credentials").write_text(f"[ops]\n{keys}[default]\n{keys}region = {REGION}\n")
    done = program.ended(
        [sys.executable, "-m", "rancheros_ec2_metadata", *shlex.split(command)[1:]],
        env=program.environment(
            AWS_ENDPOINT_URL=aws.url, AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials")
        ),
    )
    assert done.returncode == ExitStatus.OK, done.stderr + done.stdout
    assert "docker.role" in done.stdout
