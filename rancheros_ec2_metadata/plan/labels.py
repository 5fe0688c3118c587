"""Which tags become Docker labels, and which must not."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rancheros_ec2_metadata.ec2.instance import METADATA_LABELS
from rancheros_ec2_metadata.errors import Note, debug, info, quote, warning
from rancheros_ec2_metadata.plan.provenance import LeftOut, Source
from rancheros_ec2_metadata.settings import Settings

STATUS_LABEL = "ec2-metadata.status"

# dockerd refuses to start on labels in these (docs/rancheros.md, "What dockerd does with labels").
_RESERVED = ("com.docker.", "io.docker.", "org.dockerproject.")
# What a constraint can name, tried on 20.10 and 28.5; Swarm mode takes white space off the value.
_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_VALUE = re.compile(r"[A-Za-z0-9:_.*()?+\[\]\\^$|/ \t\n\f\r-]+")
_IS_OURS = "the label of that name is the program's own"
_CLASSIC_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]+")


def map_labels(
    settings: Settings,
    metadata: Mapping[str, str],
    tags: Mapping[str, str],
    notes: list[Note],
) -> tuple[dict[str, str], dict[str, Source]]:
    """Return the labels and their sources, and add to ``notes`` why a tag is not a label."""
    labels: dict[str, str] = {}
    sources: dict[str, Source] = {}
    own = {f"aws.{name}": METADATA_LABELS[name] for name in settings.metadata_labels}
    for key, variable in own.items():
        source = Source("metadata", variable)
        if variable in metadata:
            labels[key], sources[key] = metadata[variable], source
        else:
            why = "the instance does not have it, or EC2 did not say"
            notes.append(debug(f"no label {key}: {why}", LeftOut("label", key, why, source)))
    # Also those that this instance does not have: a tag must not be mistaken for metadata.
    reserved = {*own, STATUS_LABEL} if settings.status_label else {*own}
    for tag in sorted(filter(settings.is_label, tags)):
        source = Source("tag", tag)
        reason = explain_refusal(tag) or (_IS_OURS if tag in reserved else None)
        if reason is None:
            labels[tag], sources[tag] = tags[tag], source
        else:
            text = f"tag {quote(tag)} cannot be a label: {reason}; left out"
            notes.append(warning(text, LeftOut("label", tag, reason, source)))
    for key, value in labels.items():
        if refusal := explain_unnameable(key, value):
            notes.append(info(f"label {quote(key)}: no constraint of Swarm can name it, {refusal}"))
        elif is_for_swarm_mode_only(key):
            notes.append(info(f"label {quote(key)}: Swarm mode can name it, classic Swarm cannot"))
    return labels, sources


def explain_unnameable(key: str, value: str) -> str | None:
    """Return why no constraint of Swarm can name a label with this value; None if one can."""
    if not _KEY.fullmatch(key):
        return "its key has other characters than A-Za-z0-9_.-"
    if not value:
        return "its value is empty"
    if value != value.strip():
        return "its value begins or ends with white space"
    other = next((character for character in value if not _VALUE.fullmatch(character)), None)
    return f"its value has {quote(other)}" if other else None


def is_for_swarm_mode_only(key: str) -> bool:
    """Tell whether constraints of Swarm mode can name a key, and those of classic Swarm cannot."""
    return bool(_KEY.fullmatch(key)) and not _CLASSIC_KEY.fullmatch(key)


def is_reserved(key: str) -> bool:
    """Tell whether a label of this key would stop Docker."""
    # Docker lowers it with Go's strings.ToLower, for which a dotted capital I is an i and no more.
    return key.replace("\u0130", "i").lower().startswith(_RESERVED)


def explain_refusal(tag: str) -> str | None:
    """Return why a tag of this key cannot be a label, whatever its value; None if it may be one."""
    if not tag:
        return "its key is empty"
    if "=" in tag:
        return "its key has a '=', where a label's key would end"
    if is_reserved(tag):
        return "its namespace is reserved, and Docker would not start"
    return None
