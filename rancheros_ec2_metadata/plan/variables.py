"""Which metadata and tags become environment variables, and which of several wins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rancheros_ec2_metadata.errors import Note, info, shown, warning
from rancheros_ec2_metadata.rancheros import document
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


class _Chosen:
    """The variables chosen so far; a later, stronger source replaces an earlier one."""

    def __init__(self, notes: list[Note]) -> None:
        self.values: dict[str, str] = {}
        self._sources: dict[str, str] = {}
        self._notes = notes

    def put(self, name: str, value: str, source: str) -> None:
        reason = _refused(name, value)
        if reason is not None:
            self._notes.append(warning(f"{source} is not set as {name}: {reason}; left out"))
            return
        if name in self.values:
            former = self._sources[name]
            self._notes.append(info(f"variable {name}: {former} gives way to {source}"))
        self.values[name] = value
        self._sources[name] = source


def mapped_variables(
    settings: Settings,
    metadata: Mapping[str, str],
    tags: Mapping[str, str],
    notes: list[Note],
) -> dict[str, str]:
    """Return the variables, the weakest source first, and add to ``notes`` what is left out."""
    chosen = _Chosen(notes)
    if settings.metadata:
        for name in sorted(metadata):
            chosen.put(name, metadata[name], "metadata")
    for name, tag in sorted(_by_prefix(settings.env_prefixes, tags, notes).items()):
        chosen.put(name, tags[tag], f"tag {shown(tag)}")
    for mapping in settings.mappings:
        if not mapping.is_config_path and mapping.tag in tags:
            chosen.put(mapping.target, tags[mapping.tag], f"tag {shown(mapping.tag)}")
    known = {**metadata, **chosen.values}
    for template in settings.templates:
        value, missing = _filled(template, known, tags)
        if missing:
            text = f"--set {template.name}: there is no {', no '.join(missing)}; not set"
            notes.append(warning(text))
        else:
            chosen.put(template.name, value, f"--set {template.name}")
    return chosen.values


def _refused(name: str, value: str) -> str | None:
    if name in PROXY_NAMES and not _PROXY_VALUE.fullmatch(value):
        return "a proxy setting may only hold A-Za-z0-9._~:/@,*%+=[]-"
    return document.uncarriable(value)


def _by_prefix(
    prefixes: Iterable[EnvPrefix], tags: Mapping[str, str], notes: list[Note]
) -> dict[str, str]:
    """Return the tag for each variable that a prefix makes; a later prefix wins."""
    found: dict[str, str] = {}
    for prefix in prefixes:
        wanted: dict[str, list[str]] = {}
        for tag in sorted(tags):
            if not tag.startswith(prefix.tag_prefix) or (
                tag.startswith("aws:") and not prefix.tag_prefix.startswith("aws:")
            ):
                continue
            name = prefix.variable(tag)
            if name in NEVER_FROM_TAGS | PROXY_NAMES | {STATUS_VARIABLE}:
                notes.append(
                    warning(f"tag {shown(tag)}: {name} is not for a prefix to set; left out")
                )
            else:
                wanted.setdefault(name, []).append(tag)
        for name, meeting in wanted.items():
            winners = [tag for tag in meeting if len(meeting) == 1 or prefix.spells(tag, name)]
            notes.extend(
                warning(f"tag {shown(tag)}: {len(meeting)} tags meet in {name}; left out")
                for tag in meeting
                if tag not in winners[:1]
            )
            if winners:
                found[name] = winners[0]
    return found


def _filled(
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
            missing.append(f"tag {shown(part.name)}" if part.kind == "tag" else part.name)
    return text, missing
