"""An Auto Scaling group of one instance: moto's, with a metadata service at its real address."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import STDOUT

from e2e import program
from real_parts.moto_ec2 import REGION, MotoEc2
from real_parts.namespace import IMDS_IPV4, Namespace
from real_parts.polling import until

_NAME = "aws:autoscaling:groupName"


@dataclass(frozen=True)
class ScalingGroup:
    """The group, and what its instance's metadata service is told.

    Args:
        moto: where the group is. instance_id: its instance's.
        data: the file that the metadata service shows. log: what that service says.
    """

    moto: MotoEc2
    instance_id: str
    data: Path
    log: Path

    @classmethod
    @contextlib.contextmanager
    def launched(
        cls, moto: MotoEc2, tags: Mapping[str, str], namespace: Namespace, folder: Path
    ) -> Iterator[ScalingGroup]:
        """Make the group, and its instance's metadata service; ``folder`` is for their files."""
        instance_id = moto.launch_by_group(tags)
        group = cls(moto, instance_id, folder / "imds.json", folder / "imds.log")
        group._show()
        listen = f"--listen={IMDS_IPV4}:80"
        imds = program.command("fake-imds", listen, f"--data={group.data}")
        with group.log.open("w") as out, namespace.start(imds, stdout=out, stderr=STDOUT):
            assert until(
                lambda: f"is at http://{IMDS_IPV4}:80\n" in group.log.read_text(), expected=True
            )
            yield group

    def of_instance(self) -> dict[str, str]:
        """Return the instance's tags, as the EC2 API tells them."""
        described = self.moto.ec2.describe_tags(
            Filters=[{"Name": "resource-id", "Values": [self.instance_id]}]
        )
        return {tag["Key"]: tag["Value"] for tag in described["Tags"]}

    def retag(self, key: str, value: str) -> None:
        """Change a tag of the group, for instances to come, and of the instance that runs.

        Of an Auto Scaling group's tags only a new instance learns.
        """
        group = {"ResourceId": self.of_instance()[_NAME], "ResourceType": "auto-scaling-group"}
        tag = {**group, "Key": key, "Value": value, "PropagateAtLaunch": True}
        self.moto.autoscaling.create_or_update_tags(Tags=[tag])
        self.moto.tag(self.instance_id, {key: value})
        self._show()
        assert until(lambda: "was read again\n" in self.log.read_text(), expected=True)

    def _show(self) -> None:
        tags = self.of_instance()
        instance = {
            "instance_id": self.instance_id,
            "region": REGION,
            "autoscaling_group": tags.pop(_NAME),
            "tags": tags,
        }
        # Replaced as a whole: the service looks at it at any time.
        new = self.data.with_suffix(".new")
        new.write_text(json.dumps(instance))
        new.replace(self.data)
