"""EC2 and Auto Scaling as moto plays them, for the program inside a namespace and for a test."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from real_parts.namespace import Namespace

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import TagTypeDef

REGION = "eu-central-1"
_PORT = 5000
_IMAGE = "ami-12c6146b"  # one of those that moto knows from the start


@dataclass(frozen=True)
class MotoEc2:
    """The EC2 API of one region.

    Args:
        endpoint: its URL for programs in the namespace. ec2, autoscaling: clients for a test.
    """

    endpoint: str
    ec2: EC2Client
    autoscaling: Any  # boto3-stubs-lite has no stub for it

    @classmethod
    @contextlib.contextmanager
    def started(cls, namespace: Namespace) -> Iterator[MotoEc2]:
        """Start moto for a namespace, stop it on leaving."""
        with (
            namespace.listen("127.0.0.1", _PORT) as inside,
            socket.create_server(("127.0.0.1", 0)) as outside,
        ):
            numbers = [inside.fileno(), outside.fileno()]
            server = str(Path(__file__).with_name("moto_process.py"))
            argv = [sys.executable, server, *map(str, numbers)]
            url = f"http://127.0.0.1:{outside.getsockname()[1]}"
            with (
                namespace.start(argv, stderr=subprocess.DEVNULL, pass_fds=numbers),
                cls.at(url, f"http://127.0.0.1:{_PORT}") as moto,
            ):
                yield moto

    @classmethod
    @contextlib.contextmanager
    def at(cls, url: str, endpoint: str) -> Iterator[MotoEc2]:
        """Talk to the moto at ``url``, which the program knows as ``endpoint``."""
        session = boto3.Session("testing", "testing", region_name=REGION)
        ec2: EC2Client = session.client("ec2", endpoint_url=url)
        autoscaling = session.client("autoscaling", endpoint_url=url)
        with contextlib.closing(ec2), contextlib.closing(autoscaling):
            yield cls(endpoint, ec2, autoscaling)

    def launch(self, tags: Mapping[str, str]) -> str:
        """Launch an instance with these tags and return its id."""
        ran = self.ec2.run_instances(ImageId=_IMAGE, MinCount=1, MaxCount=1)
        instance_id = ran["Instances"][0]["InstanceId"]
        self.tag(instance_id, tags)
        return instance_id

    def launch_by_group(self, tags: Mapping[str, str]) -> str:
        """Make an Auto Scaling group of one, its tags propagated, and return the instance's id."""
        name = f"group-{uuid.uuid4()}"
        self.autoscaling.create_launch_configuration(
            LaunchConfigurationName=name, ImageId=_IMAGE, InstanceType="m5.large"
        )
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchConfigurationName=name,
            AvailabilityZones=[f"{REGION}a"],
            MinSize=1,
            MaxSize=1,
            Tags=[
                {"Key": key, "Value": value, "PropagateAtLaunch": True}
                for key, value in tags.items()
            ],
        )
        groups = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        instance_id: str = groups["AutoScalingGroups"][0]["Instances"][0]["InstanceId"]
        return instance_id

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an instance; its others stay."""
        listed: list[TagTypeDef] = [{"Key": key, "Value": tags[key]} for key in tags]
        if listed:
            self.ec2.create_tags(Resources=[instance_id], Tags=listed)

    def untag(self, instance_id: str, *keys: str) -> None:
        """Remove tags of an instance."""
        self.ec2.delete_tags(Resources=[instance_id], Tags=[{"Key": key} for key in keys])
