"""An EC2 API that describes a fake instance, for an operator at a desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from xml.sax.saxutils import escape

from e2e.answering_api import Answer, AnsweringApi, tags
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance

NONE: Answer = (
    200,
    """<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>1</requestId><reservationSet/></DescribeInstancesResponse>""",
)
KEY_ID = "AKIADESKDESKDESK"
SECRET = "desk/secret/access/key"


def environment(api: AnsweringApi, region: str = "eu-west-1") -> dict[str, str]:
    """Return an operator's variables; nothing else of their machine counts."""
    return {
        "HOME": "/nowhere",
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": region,
        "AWS_ENDPOINT_URL_EC2": api.url,
    }


@contextmanager
def describing(instance: FakeInstance) -> Iterator[AnsweringApi]:
    """Answer DescribeInstances and DescribeTags for one instance."""
    with AnsweringApi((400, "")) as api:
        api.by_action = {
            "DescribeInstances": described(instance),
            "DescribeTags": tags(instance.instance_id, instance.all_tags),
        }
        yield api


def described(instance: FakeInstance, state: str = "running") -> Answer:
    """Return the answer of DescribeInstances, in the order of AWS's documentation."""
    hostname = instance.hostname or f"ip-10-0-0-12.{instance.region}.compute.internal"
    role = f"<iamInstanceProfile><arn>{_profile(instance)}</arn></iamInstanceProfile>"
    groups = "".join(
        f"<item><groupId>sg-{number}</groupId><groupName>{escape(name)}</groupName></item>"
        for number, name in enumerate(instance.security_groups)
    )
    return (
        200,
        f"""\
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>1</requestId><reservationSet><item>
<reservationId>r-0fedcba9876543210</reservationId>
<ownerId>{instance.account_id}</ownerId>
<instancesSet><item>
<instanceId>{instance.instance_id}</instanceId>
<imageId>{instance.ami_id}</imageId>
<instanceState><code>16</code><name>{state}</name></instanceState>
<privateDnsName>{escape(hostname)}</privateDnsName>
<dnsName>{instance.public_hostname or ""}</dnsName>
<amiLaunchIndex>0</amiLaunchIndex>
<instanceType>{instance.instance_type}</instanceType>
<launchTime>{instance.pending_time.replace("Z", ".000Z")}</launchTime>
<placement><availabilityZone>{instance.zone}</availabilityZone>
<availabilityZoneId>euw1-az1</availabilityZoneId></placement>
<subnetId>{instance.subnet_id}</subnetId>
<vpcId>{instance.vpc_id}</vpcId>
<privateIpAddress>{instance.local_ipv4 or ""}</privateIpAddress>
<ipAddress>{instance.public_ipv4 or ""}</ipAddress>
<groupSet>{groups}</groupSet>
<architecture>{instance.architecture}</architecture>
<networkInterfaceSet>
{_interface("02:ff:ff:ff:ff:ff", 1)}{_interface(instance.mac, 0, instance.ipv6)}
</networkInterfaceSet>
{role if instance.role else ""}
</item></instancesSet>
</item></reservationSet></DescribeInstancesResponse>""",
    )


def _interface(mac: str, device: int, ipv6: str | None = None) -> str:
    address = f"<item><ipv6Address>{ipv6}</ipv6Address></item>" if ipv6 else ""
    return (
        f"<item><macAddress>{mac}</macAddress>"
        f"<attachment><deviceIndex>{device}</deviceIndex></attachment>"
        f"<ipv6AddressesSet>{address}</ipv6AddressesSet></item>"
    )


def _profile(instance: FakeInstance) -> str:
    name = instance.instance_profile or f"{instance.role}-profile"
    return f"arn:aws:iam::{instance.account_id}:instance-profile/{name}"
