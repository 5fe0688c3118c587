"""Which tags become Docker labels, and which must not."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rancheros_ec2_metadata.errors import Note, debug, info, shown, warning
from rancheros_ec2_metadata.plan.provenance import LeftOut, Source
from rancheros_ec2_metadata.settings import Settings

STATUS_LABEL = "ec2-metadata.status"

# dockerd refuses to start on labels in these (docs/rancheros.md, "What dockerd does with labels").
_RESERVED = ("com.docker.", "io.docker.", "org.dockerproject.")
_CONSTRAINT_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]+")

# --metadata-labels: the name IMDS has for a field, and the variable that holds it.
METADATA_LABELS = {
    "account-id": "AWS_ACCOUNT_ID",
    "ami-id": "AWS_AMI_ID",
    "architecture": "AWS_ARCHITECTURE",
    "autoscaling-group": "AWS_AUTOSCALING_GROUP",
    "availability-zone": "AWS_AVAILABILITY_ZONE",
    "availability-zone-id": "AWS_AVAILABILITY_ZONE_ID",
    "hostname": "AWS_HOSTNAME",
    "iam-role": "AWS_IAM_ROLE",
    "instance-id": "AWS_INSTANCE_ID",
    "instance-life-cycle": "AWS_INSTANCE_LIFE_CYCLE",
    "instance-type": "AWS_INSTANCE_TYPE",
    "local-ipv4": "AWS_LOCAL_IPV4",
    "mac": "AWS_MAC_ADDRESS",
    "partition": "AWS_PARTITION",
    "public-hostname": "AWS_PUBLIC_HOSTNAME",
    "public-ipv4": "AWS_PUBLIC_IPV4",
    "region": "AWS_REGION",
    "subnet-id": "AWS_SUBNET_ID",
    "vpc-id": "AWS_VPC_ID",
}


def mapped_labels(
    settings: Settings,
    metadata: Mapping[str, str],
    tags: Mapping[str, str],
    notes: list[Note],
) -> tuple[dict[str, str], dict[str, Source]]:
    """Return the labels and what gives each, and add to ``notes`` why a tag is none."""
    labels: dict[str, str] = {}
    sources: dict[str, Source] = {}
    for name in settings.metadata_labels:
        key, source = f"aws.{name}", Source("metadata", METADATA_LABELS[name])
        if source.name in metadata:
            labels[key], sources[key] = metadata[source.name], source
        else:
            why = "the instance does not have it, or EC2 did not say"
            notes.append(debug(f"no label {key}: {why}", LeftOut("label", key, why, source)))
    # Also those that this instance does not have: a tag must not pass for what EC2 says.
    own = {f"aws.{name}" for name in settings.metadata_labels}
    if settings.status_label:
        own.add(STATUS_LABEL)
    for tag in sorted(filter(settings.is_label, tags)):
        reason = refused(tag)
        if reason is None and tag in own:
            reason = "the label of that name is the program's own"
        if reason is not None:
            left_out = LeftOut("label", tag, reason, Source("tag", tag))
            notes.append(warning(f"tag {shown(tag)} is no label: {reason}; left out", left_out))
            continue
        if not constraint_can_name(tag):
            notes.append(info(f"label {shown(tag)} is set, but no Swarm constraint can name it"))
        labels[tag], sources[tag] = tags[tag], Source("tag", tag)
    return labels, sources


def constraint_can_name(key: str) -> bool:
    """Tell whether a constraint of Swarm can name a label."""
    return bool(_CONSTRAINT_KEY.fullmatch(key))


def is_reserved(key: str) -> bool:
    """Tell whether a label of this key would stop Docker."""
    # Docker lowers it with Go's strings.ToLower, for which a dotted capital I is an i and no more.
    return key.replace("\u0130", "i").lower().startswith(_RESERVED)


def refused(tag: str) -> str | None:
    """Return why a tag of this key is no label, whatever its value; None if it may be one."""
    if not tag:
        return "its key is empty"
    if "=" in tag:
        return "its key has a '=', where a label's key would end"
    if is_reserved(tag):
        return "its namespace is reserved, and Docker would not start"
    return None
