"""What AWS is asked, in which order, and what becomes of its answers and refusals."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from docs.pages import Page
from rancheros_ec2_metadata.errors import Ec2Error, ExitStatus, Level
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.preflight.group import CALLS, Reader
from rancheros_ec2_metadata.preflight.launch import GroupTag

Answers = list[tuple[str, Any]]
USER_DATA = base64.encodebytes(b"#cloud-config\n" + b"#" * 100).decode()


class StubbedAws:
    """AWS's clients, each with the answers that it gives in turn; what it is not asked fails.

    Attributes:
        calls: what was asked, as ``ec2.DescribeImages``.
    """

    def __init__(self, clients: Mapping[str, Any], stack: ExitStack) -> None:
        self.stubs = {name: stack.enter_context(Stubber(one)) for name, one in clients.items()}
        self.log = Log(io.StringIO())
        self.calls: list[str] = []
        self.reader = Reader(clients["ec2"], clients["autoscaling"], self.log.note)
        for client in clients.values():
            event = f"before-parameter-build.{client.meta.service_model.service_id.hyphenize()}"
            client.meta.events.register(event, self._record)
            stack.callback(client.meta.events.unregister, event, self._record)

    def _record(self, event_name: str, **_: object) -> None:
        self.calls.append(event_name.replace("auto-scaling", "autoscaling").partition(".")[2])

    def answer(self, answers: Answers) -> None:
        for action, answer in answers:
            stub = self.stubs[CALLS[action][0]]
            method = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()
            if isinstance(answer, str):
                stub.add_client_error(method, answer, "you <may> not\n\x9b", 403)
            else:
                stub.add_response(method, answer)

    def errors(self) -> list[str]:
        return [note.text for note in self.log.noted if note.level is Level.ERROR]


@pytest.fixture(scope="module")
def clients() -> dict[str, Any]:
    session: Any = boto3.Session("key", "secret", region_name="eu-west-1")
    return {service: session.client(service) for service in ("ec2", "autoscaling")}


@pytest.fixture
def aws(clients: dict[str, Any]) -> Iterator[StubbedAws]:
    with ExitStack() as stack:
        stubbed = StubbedAws(clients, stack)
        yield stubbed
        for stub in stubbed.stubs.values():
            stub.assert_no_pending_responses()


def described(**fields: Any) -> tuple[str, Any]:
    least = {
        "AutoScalingGroupName": "web",
        "MinSize": 1,
        "MaxSize": 1,
        "DesiredCapacity": 1,
        "DefaultCooldown": 1,
        "AvailabilityZones": [],
        "HealthCheckType": "EC2",
        "CreatedTime": "2026-01-01T00:00:00Z",
    }
    return "DescribeAutoScalingGroups", {"AutoScalingGroups": [least | fields]}


def template(version: int = 3, name: str = "web", **data: Any) -> tuple[str, Any]:
    one = {
        "LaunchTemplateId": f"lt-{name}",
        "LaunchTemplateName": name,
        "VersionNumber": version,
        "LaunchTemplateData": data,
    }
    return "DescribeLaunchTemplateVersions", {"LaunchTemplateVersions": [one]}


def defaults(**found: Any) -> tuple[str, Any]:
    return "GetInstanceMetadataDefaults", {"AccountLevel": found}


def images(support: str | None = None) -> tuple[str, Any]:
    image = {"ImageId": "ami-1", **({"ImdsSupport": support} if support else {})}
    return "DescribeImages", {"Images": [image]}


def subnets(*kinds: str) -> tuple[str, Any]:
    return "DescribeSubnets", {"Subnets": [{"Ipv6Native": one == "ipv6"} for one in kinds]}


def instances(**tags: str) -> tuple[str, Any]:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    one = {"InstanceId": "i-1", "Tags": listed}
    return "DescribeInstances", {"Reservations": [{"Instances": [one]}]}


WEB = {"LaunchTemplate": {"LaunchTemplateId": "lt-web", "Version": "$Latest"}}
CONFIGURED = {
    "LaunchConfigurationName": "old",
    "ImageId": "ami-1",
    "InstanceType": "m5.large",
    "IamInstanceProfile": "worker",
    "UserData": USER_DATA,
    "CreatedTime": "2026-01-01T00:00:00Z",
    "MetadataOptions": {"HttpTokens": "required"},
}
REFUSED = ("GetInstanceMetadataDefaults", "AccessDenied")
SET = {"HttpTokens": "optional", "HttpPutResponseHopLimit": 3}
NOT_SET = {"HttpTokens": "no-preference", "HttpPutResponseHopLimit": -1}
ALL_OPTIONS = {
    "HttpTokens": "optional",
    "HttpEndpoint": "enabled",
    "HttpPutResponseHopLimit": 1,
    "InstanceMetadataTags": "enabled",
}


def test_a_group_is_read_with_its_template_and_what_that_leaves_open(aws: StubbedAws) -> None:
    tags = [
        {"Key": "docker.role", "Value": "web", "PropagateAtLaunch": True},
        {"Key": "owner", "PropagateAtLaunch": False},
    ]
    aws.answer(
        [
            described(Tags=tags, VPCZoneIdentifier="subnet-1,subnet-2", **WEB),
            template(
                ImageId="ami-1",
                InstanceType="m5.large",
                UserData=USER_DATA,
                IamInstanceProfile={"Name": "worker"},
                MetadataOptions={"InstanceMetadataTags": "enabled"},
                TagSpecifications=[
                    {"ResourceType": "volume", "Tags": [{"Key": "v", "Value": "1"}]},
                    {"ResourceType": "instance", "Tags": [{"Key": "i", "Value": "2"}]},
                    {"ResourceType": "instance", "Tags": [{"Key": "docker.role"}]},
                ],
            ),
            subnets("ipv6", "ipv4"),
            defaults(HttpPutResponseHopLimit=3),
            images("v2.0"),
            instances(**{"docker.role": "db"}),
        ]
    )
    group = aws.reader.read_group("web")
    (launch,) = group.launches
    assert (group.region, group.partition) == ("eu-west-1", "aws")
    assert group.tags == (
        GroupTag("docker.role", "web", propagated=True),
        GroupTag("owner", "", propagated=False),
    )
    assert launch.name == "launch template 'web' version '3'"
    assert (launch.image, launch.instance_types, launch.profile) == (
        *("ami-1", ("m5.large",), "worker"),
    )
    assert launch.user_data == b"#cloud-config\n" + b"#" * 100
    assert {name: one.value for name, one in group.next_tags(launch).items()} == {
        "docker.role": "web",
        "i": "2",
        "aws:autoscaling:groupName": "web",
        "aws:ec2launchtemplate:id": "lt-web",
        "aws:ec2launchtemplate:version": "3",
    }
    options = {name: (one.value, one.source) for name, one in launch.options.items()}
    assert options["InstanceMetadataTags"] == ("enabled", "the template")
    assert options["HttpPutResponseHopLimit"] == ("3", "the account's default")
    assert options["HttpTokens"] == ("required", "the image")
    assert not launch.ipv6_only
    assert group.instances == {"i-1": {"docker.role": "db"}}
    assert aws.errors() == []


def test_a_launch_configuration_has_the_same(aws: StubbedAws) -> None:
    aws.answer(
        [
            described(LaunchConfigurationName="old"),
            ("DescribeLaunchConfigurations", {"LaunchConfigurations": [CONFIGURED]}),
            defaults(),
            images(),
            instances(),
        ]
    )
    (launch,) = aws.reader.read_group("web").launches
    assert launch.name == "launch configuration 'old'"
    assert (launch.image, launch.instance_types, launch.profile) == (
        *("ami-1", ("m5.large",), "worker"),
    )
    assert launch.options["HttpTokens"].value == "required"
    assert launch.options["InstanceMetadataTags"].value == "disabled"


def test_each_version_and_image_of_a_mixed_instances_policy_is_a_launch(aws: StubbedAws) -> None:
    base = {"LaunchTemplateId": "lt-web", "Version": "$Default"}
    other = {"LaunchTemplateName": "arm"}
    overrides = [
        {"InstanceType": "m5.large"},
        {"InstanceType": "m6g.large", "LaunchTemplateSpecification": other},
        {"InstanceType": "c5.large"},
        {"InstanceType": "c5.xlarge", "LaunchTemplateSpecification": {**base, "Version": "3"}},
        {"InstanceType": "t3.large", "ImageId": "ami-2"},
        {
            "InstanceRequirements": {"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}},
            "LaunchTemplateSpecification": {**base, "Version": "4"},
        },
    ]
    policy = {"LaunchTemplateSpecification": base, "Overrides": overrides}
    given: dict[str, Any] = {"ImageId": "ami-1", "MetadataOptions": ALL_OPTIONS}
    aws.answer(
        [
            described(MixedInstancesPolicy={"LaunchTemplate": policy}),
            template(**given),
            template(1, "arm", **given),
            template(**given),
            template(4, InstanceType="m5.large", **given),
            instances(),
        ]
    )
    launches = aws.reader.read_group("web").launches
    assert [(one.name.split("'")[1::2], one.image, one.instance_types) for one in launches] == [
        (["web", "3"], "ami-1", ("m5.large", "c5.large", "c5.xlarge")),
        (["arm", "1"], "ami-1", ("m6g.large",)),
        (["web", "3"], "ami-2", ("t3.large",)),
        (["web", "4"], "ami-1", ()),
    ]


def test_what_several_launches_leave_open_is_asked_once_and_a_refusal_is_said_once(
    aws: StubbedAws,
) -> None:
    overrides = [{"ImageId": "ami-1"}, {"ImageId": "ami-2"}]
    policy = {"LaunchTemplateSpecification": WEB["LaunchTemplate"], "Overrides": overrides}
    group = described(MixedInstancesPolicy={"LaunchTemplate": policy})
    refused = [("DescribeImages", "AccessDenied")] * 2
    aws.answer([group, template(), defaults(HttpEndpoint="enabled"), *refused, instances()])
    launches = aws.reader.read_group("web").launches
    assert [one.options["HttpTokens"].value for one in launches] == [None, None]
    assert len(aws.errors()) == 1


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("lt-0a", {"LaunchTemplateId": "lt-0a", "Versions": ["$Default"]}),
        ("lt-0a:7", {"LaunchTemplateId": "lt-0a", "Versions": ["7"]}),
        ("web:$Latest", {"LaunchTemplateName": "web", "Versions": ["$Latest"]}),
    ],
)
def test_a_template_alone_has_no_group_and_no_instances(
    aws: StubbedAws, text: str, asked: dict[str, Any]
) -> None:
    interfaces = [{"SubnetId": "subnet-1"}, {"DeviceIndex": 1}]
    _, answer = template(MetadataOptions=ALL_OPTIONS, NetworkInterfaces=interfaces)
    aws.stubs["ec2"].add_response("describe_launch_template_versions", answer, asked)
    aws.answer([subnets("ipv6")])
    group = aws.reader.read_template(text)
    assert (group.name, group.launches[0].image, group.instances) == (None, None, {})
    assert group.launches[0].ipv6_only
    assert "aws:autoscaling:groupName" not in group.next_tags(group.launches[0])


@pytest.mark.parametrize(
    ("given", "answers", "expected"),
    [
        ({}, [defaults(), images()], ("optional", "1", "disabled")),
        ({}, [defaults(), images("v2.0")], ("required", "2", "disabled")),
        ({}, [defaults(), ("DescribeImages", "Throttling")], (None, None, "disabled")),
        ({}, [REFUSED], (None, None, None)),
        ({"HttpTokens": "optional"}, [REFUSED], ("optional", None, None)),
        ({}, [defaults(**SET)], ("optional", "3", "disabled")),
        ({}, [defaults(**NOT_SET), images("v2.0")], ("required", "2", "disabled")),
        ({"HttpPutResponseHopLimit": 4}, [defaults(**SET)], ("optional", "4", "disabled")),
        (ALL_OPTIONS, [], ("optional", "1", "enabled")),
    ],
)
def test_the_template_beats_the_account_and_the_account_the_image(
    aws: StubbedAws, given: dict[str, Any], answers: Answers, expected: tuple[str | None, ...]
) -> None:
    aws.answer([template(ImageId="ami-1", MetadataOptions=given), *answers])
    found = aws.reader.read_template("web").launches[0].options
    names = ("HttpTokens", "HttpPutResponseHopLimit", "InstanceMetadataTags")
    assert tuple(found[name].value for name in names) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [(None, None), ("", None), ("not base64!", b"not base64!")]
)
def test_user_data_that_is_not_in_base64_is_as_it_is(
    aws: StubbedAws, text: str | None, expected: bytes | None
) -> None:
    data: dict[str, Any] = {} if text is None else {"UserData": text}
    aws.answer([template(MetadataOptions=ALL_OPTIONS, **data)])
    assert aws.reader.read_template("web").launches[0].user_data == expected


def test_an_image_that_is_a_parameter_is_not_asked_for_and_said_so(aws: StubbedAws) -> None:
    aws.answer([template(ImageId="resolve:ssm:/x"), defaults()])
    (launch,) = aws.reader.read_template("web").launches
    assert launch.options["HttpTokens"].value is None
    assert any("'resolve:ssm:/x'" in note.text for note in aws.log.noted)
    assert aws.errors() == []


def test_a_name_with_a_star_is_no_pattern(aws: StubbedAws) -> None:
    aws.answer([described(**WEB), template(MetadataOptions=ALL_OPTIONS)])
    aws.stubs["ec2"].add_response(
        "describe_instances",
        {"Reservations": []},
        {
            "Filters": [
                {"Name": "tag:aws:autoscaling:groupName", "Values": ["w\\*b\\?\\\\"]},
                {"Name": "instance-state-name", "Values": ["pending", "running"]},
            ]
        },
    )
    assert aws.reader.read_group("w*b?\\").instances == {}


FIRST: Answers = [described(VPCZoneIdentifier="subnet-1", **WEB)]
OPTIONS: Answers = [defaults(), images()]
OPTIONAL: Answers = [subnets("ipv4"), *OPTIONS, instances()]
CONFIGURATION: Answers = [("DescribeLaunchConfigurations", {"LaunchConfigurations": [CONFIGURED]})]
READ: dict[str, Answers] = {
    "DescribeAutoScalingGroups": [],
    "DescribeLaunchTemplateVersions": FIRST,
    "DescribeLaunchConfigurations": [described(LaunchConfigurationName="old")],
}


@pytest.mark.parametrize("code", ["AccessDenied", "UnauthorizedOperation", "Throttling"])
@pytest.mark.parametrize("action", CALLS)
def test_a_refusal_is_one_line_with_the_permission_that_is_missing(
    aws: StubbedAws, action: str, code: str
) -> None:
    permission = f"{CALLS[action][0]}:{action}"
    if action in READ:
        aws.answer([*READ[action], (action, code)])
        with pytest.raises(Ec2Error) as caught:
            aws.reader.read_group("web")
        line = str(caught.value)
    else:
        # What else is asked is answered, but the image: the account's defaults come before it.
        later = [one for one in OPTIONAL if (action, one[0]) != tuple(dict(OPTIONS))]
        refused = [(name, code if name == action else answer) for name, answer in later]
        aws.answer([*FIRST, template(ImageId="ami-1"), *refused])
        group = aws.reader.read_group("web")
        (line,) = aws.errors()
        assert aws.log.noted[-1].status == ExitStatus.INCOMPLETE or action != OPTIONAL[-1][0]
        known = [one.value for one in group.launches[0].options.values()]
        assert (None in known) == (action in dict(OPTIONS))
    assert line.startswith(permission)
    assert ("allow it" in line) == (code != "Throttling")
    assert line.isprintable()


@pytest.mark.parametrize(
    ("action", "answer", "words"),
    [
        ("DescribeAutoScalingGroups", {"AutoScalingGroups": []}, "group 'web' is not there"),
        ("DescribeLaunchConfigurations", {"LaunchConfigurations": []}, "configuration 'old'"),
        ("DescribeLaunchTemplateVersions", {"LaunchTemplateVersions": []}, "version '$Latest'"),
        ("DescribeLaunchTemplateVersions", {}, "does not answer as AWS does"),
    ],
)
def test_without_what_instances_are_started_with_there_is_nothing_to_say(
    aws: StubbedAws, action: str, answer: dict[str, Any], words: str
) -> None:
    aws.answer([*READ[action], (action, answer)])
    with pytest.raises(Ec2Error) as caught:
        aws.reader.read_group("web")
    assert words in str(caught.value)


def test_the_policy_of_the_page_allows_the_calls_that_are_made_and_no_other(
    aws: StubbedAws,
) -> None:
    (policy,) = (one for one in Page("docs/preflight.md").blocks if one.language == "json")
    allowed = re.findall(r'"((?:ec2|autoscaling):\w+)"', policy.text)
    aws.answer([*FIRST, template(ImageId="ami-1"), *OPTIONAL])
    aws.answer([described(LaunchConfigurationName="old"), *CONFIGURATION, instances()])
    aws.reader.read_group("web")
    aws.reader.read_group("old")
    assert sorted(allowed) == sorted({call.replace(".", ":") for call in aws.calls})
    assert all(call.partition(".")[2].startswith(("Describe", "Get")) for call in aws.calls)
