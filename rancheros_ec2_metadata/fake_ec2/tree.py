"""The text that a fake instance's metadata service shows, path by path. Pure."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

from rancheros_ec2_metadata.ec2.tags import is_imds_key
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance

# AWS's documented examples: nobody's credentials, and known as such to secret scanners. A test
# that looks for leaks looks for these.
ACCESS_KEY_ID = "ASIAIOSFODNN7EXAMPLE"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - the example above
SESSION_TOKEN = "AQoDYXdzEJrEXAMPLEsessionTOKEN=="  # noqa: S105 - as above


def make_tree(instance: FakeInstance, started: float) -> dict[str, str]:
    """Return path → text of all that is below the version.

    Args:
        instance: what to describe.
        started: when the fake was started, in seconds since the epoch.

    Returns:
        The leaves, and the folders' lists under their path with a ``/`` at its end; the
        topmost list is under the empty path.
    """
    pending = instance.pending_time
    if pending == "now":
        pending = datetime.fromtimestamp(started, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    extra = {_complete_path(path): text for path, text in instance.extra.items()}
    found = {
        "dynamic/instance-identity/document": _make_document(instance, pending),
        "user-data": instance.user_data,
        **{_complete_path(path): text for path, text in _make_meta_data(instance, pending).items()},
        **extra,
    }
    removed = tuple(path for path, text in extra.items() if text is None)
    leaves = {
        path: text
        for path, text in found.items()
        if text is not None and not path.startswith(tuple(f"{gone}/" for gone in removed))
    }
    return leaves | _list_folders(leaves)


def _complete_path(path: str) -> str:
    return path if path.startswith("dynamic/") else f"meta-data/{path}"


def _list_folders(leaves: Iterable[str]) -> dict[str, str]:
    children: dict[str, set[str]] = defaultdict(set)
    for leaf in leaves:
        folder = ""
        for name in re.findall("[^/]*/|[^/]+", leaf):
            children[folder].add(name)
            folder += name
    lists = {folder: "\n".join(sorted(names)) for folder, names in children.items()}
    # IMDS lists the topmost three without the slash that its other folders have.
    return lists | {"": lists[""].replace("/", "")}


def _render_json(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, indent=2, separators=(",", " : "))


def _make_document(instance: FakeInstance, pending: str) -> str:
    return _render_json(
        {
            "accountId": instance.account_id,
            "architecture": instance.architecture,
            "availabilityZone": instance.zone,
            "billingProducts": None,
            "devpayProductCodes": None,
            "marketplaceProductCodes": None,
            "imageId": instance.ami_id,
            "instanceId": instance.instance_id,
            "instanceType": instance.instance_type,
            "kernelId": None,
            "pendingTime": pending,
            "privateIp": instance.local_ipv4 or instance.ipv6,
            "ramdiskId": None,
            "region": instance.region,
            "version": "2017-09-30",
        }
    )


def _make_meta_data(instance: FakeInstance, pending: str) -> dict[str, str | None]:
    local_hostname = instance.hostname or _make_local_hostname(instance)
    return {
        "ami-id": instance.ami_id,
        "ami-launch-index": "0",
        "ami-manifest-path": "(unknown)",
        "autoscaling/target-lifecycle-state": instance.autoscaling_group and "InService",
        "hostname": local_hostname,
        "instance-action": "none",
        "instance-id": instance.instance_id,
        "instance-life-cycle": "on-demand",
        "instance-type": instance.instance_type,
        "ipv6": instance.ipv6,
        "local-hostname": local_hostname,
        "local-ipv4": instance.local_ipv4,
        "mac": instance.mac,
        "placement/availability-zone": instance.zone,
        "placement/availability-zone-id": "euw1-az1",
        "placement/region": instance.region,
        "profile": "default-hvm",
        "public-hostname": _make_public_hostname(instance),
        "public-ipv4": instance.public_ipv4,
        "reservation-id": "r-0fedcba9876543210",
        "security-groups": "\n".join(instance.security_groups),
        "services/domain": instance.domain,
        "services/partition": instance.partition,
        **_make_interface(instance, local_hostname),
        **_make_iam(instance, pending),
        **_make_tags(instance),
    }


def _make_local_hostname(instance: FakeInstance) -> str:
    domain = "ec2" if instance.region == "us-east-1" else f"{instance.region}.compute"
    address = instance.local_ipv4
    name = f"ip-{address.replace('.', '-')}" if address else instance.instance_id
    return f"{name}.{domain}.internal"


def _make_public_hostname(instance: FakeInstance) -> str | None:
    if instance.public_hostname or not instance.public_ipv4:
        return instance.public_hostname
    domain = "compute-1" if instance.region == "us-east-1" else f"{instance.region}.compute"
    return f"ec2-{instance.public_ipv4.replace('.', '-')}.{domain}.{instance.domain}"


def _make_interface(instance: FakeInstance, local_hostname: str) -> dict[str, str | None]:
    leaves = {
        "device-number": "0",
        "interface-id": "eni-0123456789abcdef0",
        "ipv6s": instance.ipv6,
        "local-hostname": local_hostname,
        "local-ipv4s": instance.local_ipv4,
        "mac": instance.mac,
        "owner-id": instance.account_id,
        "public-ipv4s": instance.public_ipv4,
        "security-groups": "\n".join(instance.security_groups),
        "subnet-id": instance.subnet_id,
        "vpc-id": instance.vpc_id,
    }
    return {f"network/interfaces/macs/{instance.mac}/{name}": text for name, text in leaves.items()}


def _make_iam(instance: FakeInstance, updated: str) -> dict[str, str]:
    if instance.role is None:
        return {}
    profile = instance.instance_profile or f"{instance.role}-profile"
    arn = f"arn:{instance.partition}:iam::{instance.account_id}:instance-profile/{profile}"
    answered = {"Code": "Success", "LastUpdated": updated}
    return {
        "iam/info": _render_json(
            answered | {"InstanceProfileArn": arn, "InstanceProfileId": "AIPAIOSFODNN7EXAMPLE"}
        ),
        f"iam/security-credentials/{instance.role}": _render_json(
            answered
            | {
                "Type": "AWS-HMAC",
                "AccessKeyId": ACCESS_KEY_ID,
                "SecretAccessKey": SECRET_ACCESS_KEY,
                "Token": SESSION_TOKEN,
                # EC2's last six hours. botocore refuses expired ones, and a fake may run for days.
                "Expiration": "2099-12-31T23:59:59Z",
            }
        ),
    }


def _make_tags(instance: FakeInstance) -> dict[str, str]:
    if not instance.tags_in_metadata:
        return {}
    return {
        # The folder is there even if the instance has no tag: its list is empty.
        "tags/instance/": "",
        **{
            f"tags/instance/{key}": value
            for key, value in instance.all_tags.items()
            if is_imds_key(key)
        },
    }
