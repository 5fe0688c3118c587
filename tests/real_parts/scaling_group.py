"""An Auto Scaling group of one instance: moto's, with a metadata service at its real address."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from real_parts.instance_imds import InstanceImds
from real_parts.moto_ec2 import REGION, MotoEc2
from real_parts.namespace import Namespace

_NAME = "aws:autoscaling:groupName"


@dataclass(frozen=True)
class ScalingGroup:
    """The group, and what its instance's metadata service is told.

    Args:
        moto: where the group is. instance_id: its instance's. imds: its metadata service.
    """

    moto: MotoEc2
    instance_id: str
    imds: InstanceImds

    @classmethod
    @contextlib.contextmanager
    def launched(
        cls, moto: MotoEc2, tags: Mapping[str, str], namespace: Namespace, folder: Path
    ) -> Iterator[ScalingGroup]:
        """Make the group, and its instance's metadata service; ``folder`` is for their files."""
        instance_id = moto.launch_by_group(tags)
        with InstanceImds.started(namespace, _shown(moto, instance_id), folder) as imds:
            yield cls(moto, instance_id, imds)

    def of_instance(self) -> dict[str, str]:
        """Return the instance's tags, as the EC2 API tells them."""
        return _tags(self.moto, self.instance_id)

    def retag(self, key: str, value: str) -> None:
        """Change a tag of the group, for instances to come, and of the instance that runs.

        Of an Auto Scaling group's tags only a new instance learns.
        """
        group = {"ResourceId": self.of_instance()[_NAME], "ResourceType": "auto-scaling-group"}
        tag = {**group, "Key": key, "Value": value, "PropagateAtLaunch": True}
        self.moto.autoscaling.create_or_update_tags(Tags=[tag])
        self.moto.tag(self.instance_id, {key: value})
        self.imds.show(_shown(self.moto, self.instance_id))


def _shown(moto: MotoEc2, instance_id: str) -> dict[str, object]:
    tags = _tags(moto, instance_id)
    return {
        "instance_id": instance_id,
        "region": REGION,
        "autoscaling_group": tags.pop(_NAME),
        "tags": tags,
    }


def _tags(moto: MotoEc2, instance_id: str) -> dict[str, str]:
    described = moto.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [instance_id]}])
    return {tag["Key"]: tag["Value"] for tag in described["Tags"]}
