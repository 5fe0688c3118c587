"""The examples, from their templates to what their services are started with."""

from __future__ import annotations

import base64
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from docs import boots, definitions, templates
from docs.definitions import CloudConfig
from docs.examples import AGENT_ENVIRONMENT, CLASSIC, EXAMPLES, JOIN_ENVIRONMENT, MODE
from e2e import program

REGION = "eu-central-1"
IMAGE_ID = "ami-12c6146b"  # one of those that moto knows from the start
# With instance tags in the metadata switched on, EC2 refuses any other key.
TAG_KEY = re.compile(r"[0-9a-zA-Z\-_+=,.@:]{1,255}")
USER_DATA_LIMIT = 16384  # bytes
# What a constraint of Swarm can name.
CONSTRAINT = re.compile(r"engine\.labels\.([A-Za-z_][A-Za-z0-9_.-]+) == (\S+)")

each = pytest.mark.parametrize("folder", [CLASSIC, MODE], ids=lambda folder: folder.name)


@dataclass(frozen=True)
class Stack:
    """What a template made.

    Args:
        tags: of an instance of the group.
        user_data: of the group's launch template.
        metadata_options: of it too.
        statements: of the role's policies, by their names.
    """

    tags: dict[str, str]
    user_data: str
    metadata_options: dict[str, Any]
    statements: dict[str, list[dict[str, Any]]]


def template(folder: Path) -> str:
    return (folder / "group.yml").read_text("utf-8")


def create(text: str) -> Stack:
    """Create a template's stack in moto, and return what has come of it."""
    session = boto3.Session("testing", "testing", region_name=REGION)
    names = ("cloudformation", "ec2", "autoscaling", "iam")
    clients: dict[str, Any] = {name: session.client(name) for name in names}
    ec2, iam = clients["ec2"], clients["iam"]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="swarm", Description="swarm", VpcId=vpc)["GroupId"]
    known = {
        "ImageId": IMAGE_ID,
        "VpcId": vpc,
        "Subnets": subnet,
        "ManagerSecurityGroup": group,
        "SwarmSecurityGroup": group,
    }
    clients["cloudformation"].create_stack(
        StackName="example",
        TemplateBody=text,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": key, "ParameterValue": known[key]}
            for key in templates.parameters(text).keys() & known
        ],
    )
    (made,) = clients["autoscaling"].describe_auto_scaling_groups()["AutoScalingGroups"]
    instance = made["Instances"][0]["InstanceId"]
    described = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [instance]}])
    launch = ec2.describe_launch_template_versions(
        LaunchTemplateId=made["LaunchTemplate"]["LaunchTemplateId"], Versions=["$Latest"]
    )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    (role,) = (one["RoleName"] for one in iam.list_roles()["Roles"])
    policies = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    for client in clients.values():
        client.close()
    return Stack(
        tags={tag["Key"]: tag["Value"] for tag in described["Tags"]},
        user_data=base64.b64decode(launch["UserData"]).decode(),
        metadata_options=launch["MetadataOptions"],
        # moto gives a template's document as Python prints it, which is YAML too.
        statements={name: yaml.safe_load(text)["Statement"] for name, text in policies.items()},
    )


@pytest.fixture(scope="module")
def stacks() -> dict[Path, Stack]:
    """What each example's template makes, in an account of its own."""
    made = {}
    for folder in (CLASSIC, MODE):
        with mock_aws():
            made[folder] = create(template(folder))
    return made


def own(tags: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def linted(linter: str, file: Path) -> None:
    """Run a linter of our virtual environment; it shall have nothing to say."""
    command = [Path(sys.executable).with_name(linter), file]
    done = program.ended(command)
    assert (done.returncode, done.stdout) == (0, "")


@each
def test_cloudformation_knows_all_that_is_in_the_template(folder: Path) -> None:
    linted("cfn-lint", folder / "group.yml")


@each
def test_the_template_holds_the_user_data_that_is_beside_it(
    stacks: dict[Path, Stack], folder: Path
) -> None:
    assert stacks[folder].user_data == (folder / "user-data.yml").read_text("utf-8")
    assert len(stacks[folder].user_data.encode()) < USER_DATA_LIMIT


@each
def test_the_instances_have_their_tags_in_the_metadata_and_their_user_data_without_a_token(
    stacks: dict[Path, Stack], folder: Path
) -> None:
    assert stacks[folder].metadata_options == {
        "HttpPutResponseHopLimit": 1,
        "HttpTokens": "optional",
        "InstanceMetadataTags": "enabled",
    }
    assert [key for key in stacks[folder].tags if not TAG_KEY.fullmatch(key)] == []


READ_TAGS = {"Effect": "Allow", "Action": "ec2:DescribeTags", "Resource": "*"}


def test_the_role_of_classic_swarm_may_read_tags_and_nothing_else(
    stacks: dict[Path, Stack],
) -> None:
    assert stacks[CLASSIC].statements == {"read-tags": [READ_TAGS]}


def test_the_role_of_swarm_mode_may_read_tags_and_the_token_that_the_service_asks_for(
    stacks: dict[Path, Stack],
) -> None:
    services = yaml.safe_load(stacks[MODE].user_data)["rancher"]["services"]
    variables = dict(text.partition("=")[::2] for text in services["swarm-join"]["environment"])
    name = variables["SWARM_TOKEN_PARAMETER"]
    parameter = {
        "Effect": "Allow",
        "Action": "ssm:GetParameter",
        "Resource": f"arn:aws:ssm:{REGION}:123456789012:parameter{name}",
    }
    assert stacks[MODE].statements == {
        "read-tags": [READ_TAGS],
        "read-worker-token": [parameter],
    }


def test_a_boot_in_classic_swarm_labels_docker_and_gives_the_agent_its_settings(
    stacks: dict[Path, Stack], tmp_path: Path
) -> None:
    stack, known = stacks[CLASSIC], templates.parameters(template(CLASSIC))
    assert own(stack.tags) == {
        "docker.environment": known["Environment"],
        "docker.role": known["Role"],
        "example.db.host": known["DatabaseHost"],
        "example.queue.host": known["QueueHost"],
    }
    with boots.machine(tmp_path, stack.user_data, own(stack.tags)) as machine:
        machine.boot()
        assert machine.status == 0, machine.log
        assert machine.docker_labels() == {
            "docker.environment": known["Environment"],
            "docker.role": known["Role"],
        }
        extra_args = machine.in_effect()["rancher"]["docker"]["extra_args"]
        assert extra_args[:2] == ["-H", "tcp://0.0.0.0:2375"]
        assert machine.environment("swarm-agent") == AGENT_ENVIRONMENT
        assert machine.environment("web") == {
            "DB_HOST": known["DatabaseHost"],
            "QUEUE_HOST": known["QueueHost"],
        }


def test_a_boot_in_swarm_mode_satisfies_the_constraints_of_the_stack(
    stacks: dict[Path, Stack], tmp_path: Path
) -> None:
    deploy = yaml.safe_load((MODE / "stack.yml").read_text("utf-8"))["services"]["web"]["deploy"]
    stack = stacks[MODE]
    with boots.machine(tmp_path, stack.user_data, own(stack.tags)) as machine:
        machine.boot()
        assert machine.status == 0, machine.log
        labels = machine.docker_labels()
        for text in deploy["placement"]["constraints"]:
            parts = CONSTRAINT.fullmatch(text)
            assert parts is not None, text
            assert labels[parts[1]] == parts[2]
        assert machine.environment("swarm-join") == JOIN_ENVIRONMENT


@each
def test_without_its_role_a_node_is_not_complete_and_what_joins_sees_that(folder: Path) -> None:
    services = yaml.safe_load((folder / "user-data.yml").read_text("utf-8"))["rancher"]["services"]
    # Status 6, and EC2_METADATA_STATUS is partial: tests/failures/test_late.py.
    command = services[definitions.NAME]["command"]
    assert definitions.settings(command, "--ros=none").require_tags == ("docker.role",)
    joining = {CLASSIC: "swarm-agent", MODE: "swarm-join"}[folder]
    assert "EC2_METADATA_STATUS" in services[joining]["environment"]


@pytest.mark.parametrize("config", list(definitions.cloud_configs()), ids=str)
def test_services_are_in_user_docker_unless_they_are_ours(config: CloudConfig) -> None:
    for service in config.services.values():
        ours = f"/{definitions.IMAGE}:" in service["image"]
        assert ours == ("io.rancher.os.scope" in service.get("labels", {}))


@each
def test_every_image_is_named_by_its_version(folder: Path) -> None:
    user_data = yaml.safe_load((folder / "user-data.yml").read_text("utf-8"))
    images = [one["image"] for one in user_data["rancher"]["services"].values()]
    for dockerfile in folder.glob("*/Dockerfile"):
        images += re.findall(r"^FROM (\S+)", dockerfile.read_text("utf-8"), re.MULTILINE)
    assert images
    assert [image for image in images if not re.search(r":\d+[\w.-]*$", image)] == []


@pytest.mark.parametrize("dockerfile", sorted(EXAMPLES.glob("*/*/Dockerfile")), ids=str)
def test_hadolint_has_nothing_to_say_to_a_dockerfile(dockerfile: Path) -> None:
    linted("hadolint", dockerfile)
    for name in re.findall(r"^COPY (\S+\.sh) ", dockerfile.read_text("utf-8"), re.MULTILINE):
        assert (dockerfile.parent / name).exists()
