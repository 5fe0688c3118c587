"""Which metadata and tags become environment variables, and which of several wins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from rancheros_ec2_metadata.errors import Note, info, quote, warning
from rancheros_ec2_metadata.plan.provenance import Kind, LeftOut, Source
from rancheros_ec2_metadata.settings import (
    NEVER_FROM_TAGS,
    PROXY_NAMES,
    STATUS_VARIABLE,
    EnvPrefix,
    Settings,
    Template,
)

# Proxy settings are written into shell scripts that every login reads.
_PROXY_VALUE = re.compile(r"[A-Za-z0-9._~:/@,*%+=\[\]-]*")


class Place(NamedTuple):
    """Where variables are written.

    Args:
        kind: what a variable there is called in a report.
        text: says so in a note; empty for the host's own environment.
        refuses: returns why a name and its value cannot be carried there, None if they can.
    """

    kind: Kind
    text: str
    refuses: Callable[[str, str], str | None]


class _Chosen:
    """The variables chosen so far; a later, stronger source replaces an earlier one."""

    def __init__(self, place: Place, notes: list[Note]) -> None:
        self._place = place
        self.values: dict[str, str] = {}
        self.sources: dict[str, Source] = {}
        self._notes = notes

    def put(self, name: str, value: str, source: Source) -> None:
        place = self._place
        reason = _explain_refusal(name, value) or place.refuses(name, value)
        if reason is not None:
            text = f"{source} is not set as {name}{place.text}: {reason}; left out"
            self._notes.append(warning(text, LeftOut(place.kind, name, reason, source)))
            return
        if name in self.values:
            self._notes.append(_note_override(name, self.sources[name], source))
        self.values[name] = value
        self.sources[name] = source


def map_variables(
    settings: Settings,
    metadata: Mapping[str, str],
    tags: Mapping[str, str],
    notes: list[Note],
    place: Place,
) -> tuple[dict[str, str], dict[str, Source]]:
    """Return the variables and what gives each, and add to ``notes`` what is left out.

    The weakest source comes first.
    """
    chosen = _Chosen(place, notes)
    if settings.metadata:
        for name in sorted(metadata):
            chosen.put(name, metadata[name], Source("metadata", name))
    for name, tag in sorted(_choose_by_prefix(settings.env_prefixes, tags, notes).items()):
        chosen.put(name, tags[tag], Source("tag", tag))
    for mapping in settings.mappings:
        if not mapping.is_config_path and mapping.tag in tags:
            chosen.put(mapping.target, tags[mapping.tag], Source("tag", mapping.tag))
    known = {**metadata, **chosen.values}
    for template in settings.templates:
        value, missing = _fill(template, known, tags)
        if missing:
            source, reason = Source("set", template.name), f"there is no {', no '.join(missing)}"
            left_out = LeftOut("variable", template.name, reason, source)
            notes.append(
                warning(f"variable {template.name} of --set is not set: {reason}", left_out)
            )
        else:
            chosen.put(template.name, value, Source("set", template.name))
    return chosen.values, chosen.sources


def _note_override(name: str, former: Source, source: Source) -> Note:
    left_out = LeftOut("variable", name, f"overridden by {source}", former)
    return info(f"variable {name}: {former} is overridden by {source}", left_out)


def _explain_refusal(name: str, value: str) -> str | None:
    if name in PROXY_NAMES and not _PROXY_VALUE.fullmatch(value):
        return "a proxy setting may only hold A-Za-z0-9._~:/@,*%+=[]-"
    return None


def _choose_by_prefix(
    prefixes: Iterable[EnvPrefix], tags: Mapping[str, str], notes: list[Note]
) -> dict[str, str]:
    """Return the tag for each variable that a prefix makes; a later prefix wins.

    The metadata's names steer the AWS tools: a prefix that is their beginning makes none of them.
    """
    found: dict[str, str] = {}
    for prefix in prefixes:
        wanted: dict[str, list[str]] = {}
        for tag in sorted(tags):
            if not tag.startswith(prefix.tag_prefix) or (
                tag.startswith("aws:") and not prefix.tag_prefix.startswith("aws:")
            ):
                continue
            name = prefix.make_name(tag)
            steers = name in NEVER_FROM_TAGS | PROXY_NAMES | {STATUS_VARIABLE}
            if steers or name.startswith("AWS_"):
                reason = f"{name} is not for a prefix to set"
                notes.append(_note_left_out(tag, name, reason))
            else:
                wanted.setdefault(name, []).append(tag)
        for name, meeting in wanted.items():
            winners = [tag for tag in meeting if len(meeting) == 1 or prefix.spells(tag, name)]
            notes.extend(
                _note_left_out(tag, name, f"{len(meeting)} tags meet in {name}")
                for tag in meeting
                if tag not in winners[:1]
            )
            if winners:
                former = found.setdefault(name, winners[0])
                if former != winners[0]:
                    found[name] = winners[0]
                    notes.append(
                        _note_override(name, Source("tag", former), Source("tag", winners[0]))
                    )
    return found


def _note_left_out(tag: str, name: str, reason: str) -> Note:
    source = Source("tag", tag)
    return warning(
        f"{source} cannot be a variable: {reason}; left out",
        LeftOut("variable", name, reason, source),
    )


def _fill(
    template: Template, variables: Mapping[str, str], tags: Mapping[str, str]
) -> tuple[str, list[str]]:
    text, missing = "", []
    for part in template.parts:
        if isinstance(part, str):
            text += part
            continue
        source = tags if part.kind == "tag" else variables
        if part.name in source:
            text += source[part.name]
        else:
            missing.append(f"tag {quote(part.name)}" if part.kind == "tag" else part.name)
    return text, missing
