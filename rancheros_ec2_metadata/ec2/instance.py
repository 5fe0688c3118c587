"""What an instance is, and its AWS_ variables: pure decoding of what the service said.

Names of fields and paths: AWS, "Instance metadata categories", "Instance identity documents", and
the Amazon EC2 API Reference, "Instance" and "Reservation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from rancheros_ec2_metadata.settings import GROUP_TAG

from .retry import RequestError

ASKED_REGION = "the region that was asked"
GROUP = "AWS_AUTOSCALING_GROUP"
METADATA = "meta-data/"
DOCUMENT_PATH = "dynamic/instance-identity/document"
ROLES_PATH = f"{METADATA}iam/security-credentials/"
PARTITION_PATH = f"{METADATA}services/partition"
MAC_PATH = f"{METADATA}mac"

OF_TAG = f"tag {GROUP_TAG}"
_MAC_IN_PATH = "<mac>"
_INSTANCE_ID = re.compile(r"i-[0-9A-Za-z]{1,40}")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")

Document = Mapping[str, str]
Answers = Mapping[str, str | RequestError | None]
"""By path below /latest/; None: not there."""


def take_first_line(text: str) -> str:
    """Return the first of several lines, without the space around it."""
    return text.strip().split("\n")[0].strip()


def _take_first_host(text: str) -> str:
    """Return the first of several names, without a trailing dot."""
    names = text.split()
    return names[0].rstrip(".") if names else ""


def _join_lines(text: str) -> str:
    return ",".join(line.strip() for line in text.split("\n") if line.strip())


class Variable(NamedTuple):
    """One AWS_ variable: where it comes from, and its other names.

    Args:
        name: of the variable.
        described: the field of DescribeInstances (or of its reservation), or another source in
            words; None: `--instance` cannot know it, because the EC2 API does not tell it.
        path: below meta-data/; asked if the identity document does not say it.
        field: of the identity document.
        label: its name for --metadata-labels; None: it cannot be one.
        listed: only some instances have it; the list of meta-data/ shows its first component.
        decode: makes the value of the text at the path.
    """

    name: str
    described: str | None
    path: str | None
    field: str | None = None
    label: str | None = None
    listed: bool = False
    decode: Callable[[str], str] = str.strip


_INTERFACE = f"network/interfaces/macs/{_MAC_IN_PATH}"
_ROWS = (
    Variable("AWS_ACCOUNT_ID", "OwnerId", None, "accountId", "account-id"),
    Variable("AWS_AMI_ID", "ImageId", "ami-id", "imageId", "ami-id"),
    Variable("AWS_AMI_LAUNCH_INDEX", "AmiLaunchIndex", "ami-launch-index"),
    Variable("AWS_AMI_MANIFEST_PATH", None, "ami-manifest-path"),
    Variable("AWS_ANCESTOR_AMI_IDS", None, "ancestor-ami-ids", listed=True, decode=_join_lines),
    Variable("AWS_ARCHITECTURE", "Architecture", None, "architecture", "architecture"),
    Variable(GROUP, OF_TAG, None, label="autoscaling-group"),
    Variable(
        "AWS_AVAILABILITY_ZONE",
        "Placement.AvailabilityZone",
        "placement/availability-zone",
        "availabilityZone",
        "availability-zone",
    ),
    Variable(
        "AWS_AVAILABILITY_ZONE_ID",
        "Placement.AvailabilityZoneId",
        "placement/availability-zone-id",
        label="availability-zone-id",
    ),
    Variable("AWS_DEFAULT_REGION", ASKED_REGION, "placement/region", "region"),
    Variable(
        "AWS_HOSTNAME", "PrivateDnsName", "hostname", label="hostname", decode=_take_first_host
    ),
    Variable(
        "AWS_IAM_ROLE",
        None,  # only the instance profile, whose name need not be the role's
        "iam/security-credentials/",
        label="iam-role",
        listed=True,
        decode=take_first_line,
    ),
    Variable("AWS_INSTANCE_ACTION", None, "instance-action"),
    Variable("AWS_INSTANCE_ID", "InstanceId", "instance-id", "instanceId", "instance-id"),
    Variable(
        "AWS_INSTANCE_LIFE_CYCLE",
        "InstanceLifecycle",
        "instance-life-cycle",
        label="instance-life-cycle",
    ),
    Variable("AWS_INSTANCE_TYPE", "InstanceType", "instance-type", "instanceType", "instance-type"),
    Variable(
        "AWS_IPV6",
        "NetworkInterfaces.Ipv6Addresses.Ipv6Address",
        "ipv6",
        listed=True,
        decode=take_first_line,
    ),
    Variable("AWS_LOCAL_HOSTNAME", "PrivateDnsName", "local-hostname", decode=_take_first_host),
    # On an IPv6-only instance the document has an IPv6 address here.
    Variable("AWS_LOCAL_IPV4", "PrivateIpAddress", "local-ipv4", "privateIp", "local-ipv4"),
    Variable("AWS_MAC_ADDRESS", "NetworkInterfaces.MacAddress", "mac", label="mac"),
    Variable("AWS_PARTITION", ASKED_REGION, "services/partition", label="partition"),
    Variable(
        "AWS_PUBLIC_HOSTNAME",
        "PublicDnsName",
        "public-hostname",
        label="public-hostname",
        listed=True,
        decode=_take_first_host,
    ),
    Variable("AWS_PUBLIC_IPV4", "PublicIpAddress", "public-ipv4", label="public-ipv4", listed=True),
    Variable("AWS_REGION", ASKED_REGION, "placement/region", "region", "region"),
    Variable("AWS_RESERVATION_ID", "ReservationId", "reservation-id"),
    Variable(
        "AWS_SECURITY_GROUPS", "SecurityGroups.GroupName", "security-groups", decode=_join_lines
    ),
    Variable("AWS_SUBNET_ID", "SubnetId", f"{_INTERFACE}/subnet-id", label="subnet-id"),
    Variable("AWS_TARGET_LIFECYCLE_STATE", None, "autoscaling/target-lifecycle-state", listed=True),
    Variable("AWS_VPC_ID", "VpcId", f"{_INTERFACE}/vpc-id", label="vpc-id"),
)

VARIABLES: Mapping[str, Variable] = {row.name: row for row in _ROWS}
"""All that can be a variable, by name: the one table of them."""

METADATA_LABELS: Mapping[str, str] = {row.label: row.name for row in _ROWS if row.label}
"""The variable that holds the value of each name of --metadata-labels."""

# A region belongs to one partition for good, so that of a well-known one is not asked for.
_PARTITIONS = (
    ("aws", re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+")),
    ("aws-cn", re.compile(r"cn-[a-z]+-\d+")),
    ("aws-us-gov", re.compile(r"us-gov-[a-z]+-\d+")),
)


class Identity(NamedTuple):
    """Which instance this is.

    Args:
        instance_id: as `i-0123456789abcdef0`.
        region: as `eu-central-1`; never cut from the zone, which local zones break.
        pending_time: when it was last started, as the document has it.
    """

    instance_id: str
    region: str | None = None
    pending_time: str | None = None


def parse_document(text: str | None) -> dict[str, str]:
    """Return the text fields of an identity document; none if it is no JSON object."""
    try:
        fields = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    return {key: value for key, value in fields.items() if isinstance(value, str) and value}


def identify(fields: Document, answers: Answers) -> Identity | None:
    """Return the identity, from the document or else from single paths; None without an id."""
    known, _, _ = read_variables(fields, answers)
    instance_id = known.get("AWS_INSTANCE_ID", "")
    if not _INSTANCE_ID.fullmatch(instance_id):
        return None
    region = known.get("AWS_REGION", "")
    return Identity(
        instance_id=instance_id,
        region=region if _REGION.fullmatch(region) else None,
        pending_time=fields.get("pendingTime"),
    )


def list_identity_paths(fields: Document) -> list[str]:
    """Return the paths that say which instance this is, if the document does not."""
    rows = (VARIABLES["AWS_INSTANCE_ID"], VARIABLES["AWS_REGION"])
    return [f"{METADATA}{row.path}" for row in rows if not _in_document(row, fields)]


def list_first_paths(fields: Document, region: str | None) -> list[str]:
    """Return the paths of what every instance has, unless the document or the region says it."""
    rows = (row for row in VARIABLES.values() if not row.listed and not _in_document(row, fields))
    paths = [f"{METADATA}{row.path}" for row in rows if row.path and _MAC_IN_PATH not in row.path]
    if _find_partition(region or ""):
        paths.remove(PARTITION_PATH)
    return paths


def list_later_paths(listing: str, mac: str | None) -> list[str]:
    """Return the paths that depend on the first answers.

    Args:
        listing: what meta-data/ lists; without what every instance has it is no listing, or a
            truncated one, and each path is asked for.
        mac: address of the first network interface; None: its paths are not asked for.
    """
    there = {line.strip().rstrip("/") for line in listing.split("\n")}
    paths = []
    for row in VARIABLES.values():
        path = row.path or ""
        if row.listed and ("instance-id" not in there or path.split("/")[0] in there):
            paths.append(METADATA + path)
        elif _MAC_IN_PATH in path and mac is not None:
            paths.append(METADATA + path.replace(_MAC_IN_PATH, mac))
    return paths


def find_mac(answers: Answers) -> str | None:
    """Return the address of the first network interface, if what was said is a MAC address.

    Another text could lead the request elsewhere.
    """
    answer = answers.get(MAC_PATH)
    text = answer.strip() if isinstance(answer, str) else ""
    return text if _MAC.fullmatch(text) else None


def read_variables(
    fields: Document, answers: Answers
) -> tuple[dict[str, str], dict[str, str], frozenset[str]]:
    """Return the AWS_ variables of what has been said, the source of each, and the unread ones.

    What an instance does not have is no variable. It may have an unread one: its path or field
    could not be read.
    """
    values, sources, unread = {}, {}, set()
    mac = find_mac(answers)
    lost_mac = isinstance(answers.get(MAC_PATH), RequestError)
    for name, row in VARIABLES.items():
        path = (row.path or "").replace(_MAC_IN_PATH, mac or _MAC_IN_PATH)
        answer = answers.get(METADATA + path) if path else None
        behind_lost_mac = lost_mac and _MAC_IN_PATH in path
        in_lost_document = row.field is not None and not path and not fields
        if _in_document(row, fields):
            values[name], sources[name] = fields[row.field or ""], f"identity document, {row.field}"
        elif isinstance(answer, str):
            if value := row.decode(answer):
                values[name], sources[name] = value, f"IMDS, {path}"
        elif answer is not None or behind_lost_mac or in_lost_document:
            unread.add(name)
    partition = _find_partition(values.get("AWS_REGION", ""))
    if partition:
        values["AWS_PARTITION"], sources["AWS_PARTITION"] = partition, sources["AWS_REGION"]
    return values, sources, frozenset(unread - values.keys())


def make_group_variable(tags: Mapping[str, str]) -> dict[str, str]:
    """Return AWS_AUTOSCALING_GROUP, which is a tag, if the instance has it."""
    group = tags.get(GROUP_TAG)
    return {GROUP: group} if group else {}


def compute_age(pending_time: str | None, now: float | None) -> float | None:
    """Return the seconds since the instance's last start; None if either end is unknown.

    Args:
        pending_time: ISO 8601, from the document.
        now: seconds since 1970 by the service's clock.
    """
    if pending_time is None or now is None:
        return None
    try:
        # Python 3.10 reads no Z.
        started = datetime.fromisoformat(pending_time.replace("Z", "+00:00"))
    except ValueError:
        return None
    # Without a zone it would be read in this machine's zone, which says nothing about AWS's.
    return now - started.timestamp() if started.tzinfo else None


def _in_document(row: Variable, fields: Document) -> bool:
    value = fields.get(row.field or "")
    return value is not None and (row.name != "AWS_LOCAL_IPV4" or ":" not in value)


def _find_partition(region: str) -> str | None:
    """Return the partition of a well-known region, None of any other."""
    return next((name for name, shape in _PARTITIONS if shape.fullmatch(region)), None)
