"""Which metadata and tags become environment variables, and which of several wins."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from rancheros_ec2_metadata.errors import Note, info, quote, warning
from rancheros_ec2_metadata.plan.provenance import Kind, LeftOut, Source
from rancheros_ec2_metadata.settings import (
    NEVER_FROM_TAGS,
    PROXY_NAMES,
    STATUS_VARIABLE,
    EnvPrefix,
    Settings,
)

# Proxy settings are written into shell scripts that every login reads.
_PROXY_VALUE = re.compile(r"[A-Za-z0-9._~:/@,*%+=\[\]-]*")
_NEVER_BY_PREFIX = NEVER_FROM_TAGS | PROXY_NAMES | {STATUS_VARIABLE}


class Place(NamedTuple):
    """Where values are written.

    Args:
        kind: what a value there is called in a report.
        refuses: returns why a name and its value cannot be carried there, None if they can.
        text: says where in a note; empty for the host's own configuration.
    """

    kind: Kind
    refuses: Callable[[str, str], str | None]
    text: str = ""


class Chosen:
    """The values chosen so far for a place; a later, stronger source overrides an earlier one."""

    def __init__(self, place: Place, notes: list[Note]) -> None:
        self._place = place
        self._notes = notes
        self.values: dict[str, str] = {}
        self.sources: dict[str, Source] = {}

    def put(self, name: str, value: str, source: Source) -> None:
        """Choose a value, or note why the place cannot carry it."""
        place = self._place
        reason = place.refuses(name, value)
        if name in PROXY_NAMES and not _PROXY_VALUE.fullmatch(value):
            reason = "a proxy setting may only hold A-Za-z0-9._~:/@,*%+=[]-"
        if reason is not None:
            text = f"{source} is not set as {name}{place.text}: {reason}; left out"
            self._notes.append(warning(text, LeftOut(place.kind, name, reason, source)))
            return
        if name in self.values:
            former, why = self.sources[name], f"overridden by {source}"
            # The same note for each place of a variable.
            kind: Kind = "config path" if place.kind == "config path" else "variable"
            left_out = LeftOut(kind, name, why, former)
            self._notes.append(info(f"{kind} {name}: {former} is {why}", left_out))
        self.values[name], self.sources[name] = value, source


def map_variables(
    settings: Settings,
    metadata: Mapping[str, str],
    tags: Mapping[str, str],
    notes: list[Note],
    place: Place,
) -> Chosen:
    """Return the variables, and add to ``notes`` what is left out; the weakest source is first."""
    chosen = Chosen(place, notes)
    if settings.metadata:
        for name in sorted(metadata):
            chosen.put(name, metadata[name], Source("metadata", name))
    for prefix in settings.env_prefixes:
        for name, tag in sorted(_choose_by_prefix(prefix, tags, notes).items()):
            chosen.put(name, tags[tag], Source("tag", tag))
    for mapping in settings.mappings:
        if not mapping.is_config_path and mapping.tag in tags:
            chosen.put(mapping.target, tags[mapping.tag], Source("tag", mapping.tag))
    known = {**metadata, **chosen.values}
    for template in settings.templates:
        source = Source("set", template.name)
        missing = [name for name in template.variables if name not in known]
        missing += [f"tag {quote(tag)}" for tag in template.tags if tag not in tags]
        if missing:
            reason = f"there is no {', no '.join(missing)}"
            left_out = LeftOut("variable", template.name, reason, source)
            notes.append(
                warning(f"variable {template.name} of --set is not set: {reason}", left_out)
            )
        else:
            chosen.put(template.name, template.fill(known, tags), source)
    return chosen


def _choose_by_prefix(
    prefix: EnvPrefix, tags: Mapping[str, str], notes: list[Note]
) -> dict[str, str]:
    """Return the tag for each variable that a prefix makes.

    The metadata's names steer the AWS tools: a prefix that is their beginning makes none of them.
    """
    meeting: dict[str, list[str]] = {}
    for tag in sorted(filter(prefix.covers, tags)):
        meeting.setdefault(prefix.make_name(tag), []).append(tag)
    found: dict[str, str] = {}
    for name, of_name in meeting.items():
        reason = f"{len(of_name)} tags meet in {name}"
        plain = [tag for tag in of_name if len(of_name) == 1 or prefix.spells(tag, name)]
        if name in _NEVER_BY_PREFIX or name.startswith("AWS_"):
            reason, plain = f"{name} is not for a prefix to set", []
        for tag in of_name:
            if tag in plain:
                found[name] = tag
                continue
            source = Source("tag", tag)
            text = f"{source} cannot be a variable: {reason}; left out"
            notes.append(warning(text, LeftOut("variable", name, reason, source)))
    return found
