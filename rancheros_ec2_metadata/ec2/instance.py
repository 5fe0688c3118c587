"""What an instance is, and its AWS_ variables: pure decoding of what the service said.

Field and path names: AWS, "Instance metadata categories" and "Instance identity documents".
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from rancheros_ec2_metadata.settings import GROUP_TAG

DOCUMENT_PATH = "dynamic/instance-identity/document"
LISTING_PATH = "meta-data/"
ROLES_PATH = "meta-data/iam/security-credentials/"
PARTITION_PATH = "meta-data/services/partition"
DOMAIN_PATH = "meta-data/services/domain"
MAC_PATH = "meta-data/mac"

_INSTANCE_ID = re.compile(r"i-[0-9A-Za-z]{1,40}")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")

Document = Mapping[str, str]
Answers = Mapping[str, str | None]


@dataclass(frozen=True)
class Identity:
    """Which instance this is.

    Args:
        instance_id: as `i-0123456789abcdef0`.
        region: as `eu-central-1`; never cut from the zone, which local zones break.
        account: twelve digits.
        pending_time: when it was last started, as the document has it.
        partition: as `aws`; empty if the service does not say, None until it is asked.
    """

    instance_id: str
    region: str | None = None
    account: str | None = None
    pending_time: str | None = None
    partition: str | None = None


# Variable: the document's field, and the path that says the same where the document does not.
IN_DOCUMENT: dict[str, tuple[str, str | None]] = {
    "AWS_INSTANCE_ID": ("instanceId", "meta-data/instance-id"),
    "AWS_REGION": ("region", "meta-data/placement/region"),
    "AWS_AVAILABILITY_ZONE": ("availabilityZone", "meta-data/placement/availability-zone"),
    "AWS_AMI_ID": ("imageId", "meta-data/ami-id"),
    "AWS_INSTANCE_TYPE": ("instanceType", "meta-data/instance-type"),
    # On an IPv6-only instance the document has an IPv6 address here.
    "AWS_LOCAL_IPV4": ("privateIp", "meta-data/local-ipv4"),
    "AWS_ACCOUNT_ID": ("accountId", None),
    "AWS_ARCHITECTURE": ("architecture", None),
}

# Every instance has these.
ALWAYS = {
    "AWS_AMI_LAUNCH_INDEX": "meta-data/ami-launch-index",
    "AWS_AMI_MANIFEST_PATH": "meta-data/ami-manifest-path",
    "AWS_AVAILABILITY_ZONE_ID": "meta-data/placement/availability-zone-id",
    "AWS_HOSTNAME": "meta-data/hostname",
    "AWS_INSTANCE_ACTION": "meta-data/instance-action",
    "AWS_INSTANCE_LIFE_CYCLE": "meta-data/instance-life-cycle",
    "AWS_LOCAL_HOSTNAME": "meta-data/local-hostname",
    "AWS_MAC_ADDRESS": MAC_PATH,
    "AWS_RESERVATION_ID": "meta-data/reservation-id",
    "AWS_SECURITY_GROUPS": "meta-data/security-groups",
}

# Some instances have these; the listing of meta-data/ then shows their first component.
SOMETIMES = {
    "AWS_ANCESTOR_AMI_IDS": "meta-data/ancestor-ami-ids",
    "AWS_IAM_ROLE": ROLES_PATH,
    "AWS_IPV6": "meta-data/ipv6",
    "AWS_PUBLIC_HOSTNAME": "meta-data/public-hostname",
    "AWS_PUBLIC_IPV4": "meta-data/public-ipv4",
    "AWS_TARGET_LIFECYCLE_STATE": "meta-data/autoscaling/target-lifecycle-state",
}

OF_INTERFACE = {"AWS_SUBNET_ID": "subnet-id", "AWS_VPC_ID": "vpc-id"}

# All that can be a variable.
VARIABLES = (
    *IN_DOCUMENT,
    *ALWAYS,
    *SOMETIMES,
    *OF_INTERFACE,
    "AWS_AUTOSCALING_GROUP",
    "AWS_DEFAULT_REGION",
    "AWS_PARTITION",
)

# A region belongs to one partition for good, so that of a well-known one is not asked for.
_PARTITIONS = (
    ("aws", re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+")),
    ("aws-cn", re.compile(r"cn-[a-z]+-\d+")),
    ("aws-us-gov", re.compile(r"us-gov-[a-z]+-\d+")),
)


def document(text: str | None) -> dict[str, str] | None:
    """Return the text fields of an identity document; None if it is no JSON object."""
    try:
        fields = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    return {key: value for key, value in fields.items() if isinstance(value, str) and value}


def identity(fields: Document, answers: Answers) -> Identity | None:
    """Return the identity, from the document or else from single paths; None without an id."""
    known = _from_document(fields, answers)
    instance_id = known.get("AWS_INSTANCE_ID", "")
    if not _INSTANCE_ID.fullmatch(instance_id):
        return None
    region = known.get("AWS_REGION", "")
    return Identity(
        instance_id=instance_id,
        region=region if _REGION.fullmatch(region) else None,
        account=known.get("AWS_ACCOUNT_ID"),
        pending_time=fields.get("pendingTime"),
        partition=partition_of(region),
    )


def identity_paths(fields: Document) -> list[str]:
    """Return the paths that say which instance this is, where the document does not."""
    wanted = ("AWS_INSTANCE_ID", "AWS_REGION")
    return [path for name in wanted if (path := path_instead(name, fields))]


def first_paths(fields: Document) -> list[str]:
    """Return the paths of what every instance has and the document does not say."""
    instead = [path for name in IN_DOCUMENT if (path := path_instead(name, fields))]
    return [MAC_PATH, *instead, *(path for path in ALWAYS.values() if path != MAC_PATH)]


def later_paths(listing: str | None, mac: str | None, partition: str | None) -> list[str]:
    """Return the paths that depend on the first answers.

    Args:
        listing: what meta-data/ lists; None if that could not be had, then each is asked for.
        mac: address of the first network interface.
        partition: None to ask for it.
    """
    there = None if listing is None else {line.strip().rstrip("/") for line in listing.split("\n")}
    paths = [path for path in SOMETIMES.values() if there is None or path.split("/")[1] in there]
    if partition is None:
        paths.append(PARTITION_PATH)
    folder = interface_folder(mac)
    if folder:
        paths += [folder + leaf for leaf in OF_INTERFACE.values()]
    return paths


def is_listed(path: str, listing: str | None) -> bool:
    """Tell whether ``path`` may exist, by what meta-data/ lists; None: by nothing."""
    if listing is None:
        return True
    name = path.split("/")[1]
    return any(line.strip().rstrip("/") == name for line in listing.split("\n"))


def variables(fields: Document, answers: Answers, partition: str | None) -> dict[str, str]:
    """Return the AWS_ variables of what has been said; what an instance does not have is none."""
    named = _from_document(fields, answers)
    for name, path in (ALWAYS | SOMETIMES).items():
        named[name] = _DECODE.get(name, _plain)(answers.get(path) or "")
    folder = interface_folder(answers.get(MAC_PATH))
    for name, leaf in OF_INTERFACE.items():
        named[name] = _plain(answers.get(f"{folder}{leaf}") or "")
    named["AWS_PARTITION"] = partition or ""
    named["AWS_DEFAULT_REGION"] = named.get("AWS_REGION", "")
    return {name: named[name] for name in sorted(named) if named[name]}


def interface_folder(mac: str | None) -> str | None:
    """Return the folder of a network interface; None where ``mac`` is no MAC address.

    Another text could lead the request elsewhere.
    """
    text = (mac or "").strip()
    return f"meta-data/network/interfaces/macs/{text}/" if _MAC.fullmatch(text) else None


def first_line(text: str) -> str:
    """Return the first of several lines, without the space around it."""
    return text.strip().split("\n")[0].strip()


def group_variable(tags: Mapping[str, str]) -> dict[str, str]:
    """Return AWS_AUTOSCALING_GROUP, which is a tag, if the instance has it."""
    group = tags.get(GROUP_TAG)
    return {"AWS_AUTOSCALING_GROUP": group} if group else {}


def age(pending_time: str | None, now: float | None) -> float | None:
    """Return the seconds since the instance's last start; None if either end is unknown.

    Args:
        pending_time: ISO 8601, from the document.
        now: seconds since 1970 by the service's clock.
    """
    if pending_time is None or now is None:
        return None
    try:
        started = datetime.fromisoformat(pending_time)
    except ValueError:
        return None
    # Without a zone it would be read in this machine's zone, which says nothing about AWS's.
    return now - started.timestamp() if started.tzinfo else None


def _from_document(fields: Document, answers: Answers) -> dict[str, str]:
    found = {}
    for name, (field, path) in IN_DOCUMENT.items():
        value = fields.get(field) if path_instead(name, fields) is None else None
        found[name] = value or _plain(answers.get(path or "") or "")
    return {name: value for name, value in found.items() if value}


def path_instead(name: str, fields: Document) -> str | None:
    """Return the path to ask because the document does not say it, None if it does or none is."""
    field, path = IN_DOCUMENT[name]
    value = fields.get(field)
    if value is None or (name == "AWS_LOCAL_IPV4" and not _is_ipv4(value)):
        return path
    return None


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def partition_of(region: str) -> str | None:
    """Return the partition of a well-known region, None of any other."""
    return next((name for name, shape in _PARTITIONS if shape.fullmatch(region)), None)


def _plain(text: str) -> str:
    return text.strip()


def _host(text: str) -> str:
    """Return the first of several names, without a trailing dot."""
    names = text.split()
    return names[0].rstrip(".") if names else ""


def _joined(text: str) -> str:
    return ",".join(line.strip() for line in text.split("\n") if line.strip())


_DECODE: dict[str, Callable[[str], str]] = {
    "AWS_ANCESTOR_AMI_IDS": _joined,
    "AWS_HOSTNAME": _host,
    "AWS_IAM_ROLE": first_line,
    "AWS_IPV6": first_line,
    "AWS_LOCAL_HOSTNAME": _host,
    "AWS_PUBLIC_HOSTNAME": _host,
    "AWS_SECURITY_GROUPS": _joined,
}


def source(variable: str) -> str:
    """Return where a variable comes from, in the words of AWS's documentation."""
    if variable == "AWS_AUTOSCALING_GROUP":
        return f"tag {GROUP_TAG}"
    field, _ = IN_DOCUMENT.get(variable.replace("_DEFAULT_", "_"), ("", None))
    if field:
        return f"identity document, {field}"
    if variable == "AWS_PARTITION":
        return "the region, or services/partition"
    if variable in OF_INTERFACE:
        return f"network/interfaces/macs/<mac>/{OF_INTERFACE[variable]}"
    return {**ALWAYS, **SOMETIMES}[variable].removeprefix(LISTING_PATH)
