"""What DescribeInstances says of an instance, in the names the metadata service has for it: pure.

Field names: Amazon EC2 API Reference, "Instance", "Reservation".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rancheros_ec2_metadata.ec2.instance import Identity

_OF_INSTANCE = {
    "AWS_AMI_ID": "ImageId",
    "AWS_AMI_LAUNCH_INDEX": "AmiLaunchIndex",
    "AWS_ARCHITECTURE": "Architecture",
    "AWS_AVAILABILITY_ZONE": "Placement.AvailabilityZone",
    "AWS_AVAILABILITY_ZONE_ID": "Placement.AvailabilityZoneId",
    "AWS_HOSTNAME": "PrivateDnsName",
    "AWS_INSTANCE_ID": "InstanceId",
    "AWS_INSTANCE_LIFE_CYCLE": "InstanceLifecycle",
    "AWS_INSTANCE_TYPE": "InstanceType",
    "AWS_LOCAL_HOSTNAME": "PrivateDnsName",
    "AWS_LOCAL_IPV4": "PrivateIpAddress",
    "AWS_PUBLIC_HOSTNAME": "PublicDnsName",
    "AWS_PUBLIC_IPV4": "PublicIpAddress",
    "AWS_SECURITY_GROUPS": "SecurityGroups.GroupName",
    "AWS_SUBNET_ID": "SubnetId",
    "AWS_VPC_ID": "VpcId",
}
_OF_RESERVATION = {"AWS_ACCOUNT_ID": "OwnerId", "AWS_RESERVATION_ID": "ReservationId"}
# Of the first network interface, as in the metadata service.
_OF_INTERFACE = {
    "AWS_IPV6": "Ipv6Addresses.Ipv6Address",
    "AWS_MAC_ADDRESS": "MacAddress",
}
_REGION = "the region that was asked"
_OF_REGION = ("AWS_DEFAULT_REGION", "AWS_REGION")

# The metadata service tells these, and DescribeInstances none of them.
NEVER_TOLD = (
    "AWS_AMI_MANIFEST_PATH",
    "AWS_ANCESTOR_AMI_IDS",
    "AWS_INSTANCE_ACTION",
    "AWS_TARGET_LIFECYCLE_STATE",
)
_ZONE_ID = "AWS_AVAILABILITY_ZONE_ID"
_ROLE = "AWS_IAM_ROLE"
_NOT_SPOT = "on-demand"  # the metadata service's word for an instance without InstanceLifecycle

# What an instance in another state has is not what it will have when it boots.
_BOOTS = ("pending", "running")


@dataclass(frozen=True)
class Described:
    """An instance as DescribeInstances has it.

    Args:
        identity: which one; its pending time is LaunchTime, the start of the same boot.
        variables: AWS_ variables.
        sources: the field of each.
        untold: the variables that the metadata service may have and this answer does not.
        profile: ARN of the instance profile, which is not the role's name; None without one.
        state: such as `running`; None where that boots.
    """

    identity: Identity
    variables: Mapping[str, str]
    sources: Mapping[str, str]
    untold: tuple[str, ...]
    profile: str | None
    state: str | None


def described(
    reservation: Mapping[str, Any], instance: Mapping[str, Any], region: str, partition: str
) -> Described:
    """Return what boto3's answer says.

    Args:
        reservation: the one the instance is in.
        instance: with its id.
        region: where it was asked for.
        partition: of that region.
    """
    found = [
        *_found(_OF_INSTANCE, instance),
        *_found(_OF_RESERVATION, reservation),
        *_found(_OF_INTERFACE, _first_interface(instance), "NetworkInterfaces."),
        *((name, region, _REGION) for name in _OF_REGION),
        ("AWS_PARTITION", partition, _REGION),
    ]
    variables = {name: value for name, value, _ in found if value}
    variables.setdefault("AWS_INSTANCE_LIFE_CYCLE", _NOT_SPOT)
    sources = {name: said for name, _, said in found if name in variables}
    profile = _texts(instance, "IamInstanceProfile.Arn")
    untold = list(NEVER_TOLD)
    if _ZONE_ID not in variables:
        untold.append(_ZONE_ID)
    if profile:
        untold.append(_ROLE)
    state = _first(instance, "State.Name")
    return Described(
        Identity(
            instance_id=variables["AWS_INSTANCE_ID"],
            region=region,
            account=variables.get("AWS_ACCOUNT_ID"),
            pending_time=_time(instance.get("LaunchTime")),
            partition=partition,
        ),
        {name: variables[name] for name in sorted(variables)},
        sources,
        tuple(sorted(untold)),
        profile[0] if profile else None,
        None if state in _BOOTS else state,
    )


def _found(fields: Mapping[str, str], tree: Any, above: str = "") -> list[tuple[str, str, str]]:
    """Return each variable, its value, and where that is from."""
    said = f"EC2 API, DescribeInstances {above}"
    return [(name, _value(name, tree, path), said + path) for name, path in fields.items()]


def _value(name: str, tree: Any, path: str) -> str:
    # Only of these does the metadata service name all.
    return ",".join(_texts(tree, path)) if name == "AWS_SECURITY_GROUPS" else _first(tree, path)


def _first(tree: Any, path: str) -> str:
    return next(iter(_texts(tree, path)), "")


def _texts(tree: Any, path: str) -> list[str]:
    """Return all that is at a path, lists gone through; nothing where it leads nowhere."""
    if isinstance(tree, list):
        return [text for inner in tree for text in _texts(inner, path)]
    if path and isinstance(tree, dict):
        key, _, rest = path.partition(".")
        return _texts(tree.get(key), rest)
    text = str(tree).strip() if isinstance(tree, str | int) and not path else ""
    return [text] if text else []


def _first_interface(instance: Mapping[str, Any]) -> Any:
    """Return the network interface that is device 0 of network card 0: the metadata's `mac`."""
    for interface in instance.get("NetworkInterfaces") or ():
        attached = interface.get("Attachment") or {}
        if (attached.get("DeviceIndex"), attached.get("NetworkCardIndex") or 0) == (0, 0):
            return interface
    return {}


def _time(launched: Any) -> str | None:
    if not isinstance(launched, datetime):
        return None
    return launched.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
