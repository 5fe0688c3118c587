"""``show``: what the instance and its tags are, where each came from, and what it does not have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rancheros_ec2_metadata.columns import joined, wrapped
from rancheros_ec2_metadata.ec2.findings import Findings
from rancheros_ec2_metadata.ec2.instance import LISTING_PATH, VARIABLES
from rancheros_ec2_metadata.ec2.sources import said_by
from rancheros_ec2_metadata.ec2.tags import TAGS_PATH
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.settings import GROUP_TAG

Format = Literal["table", "json", "yaml"]
_GROUP = "AWS_AUTOSCALING_GROUP"  # a tag, though it is told with the metadata
_INDENT = 4
_WIDEST = 28  # of the names' column; longer ones stand out


@dataclass(frozen=True)
class Fact:
    """One thing known, and where it came from."""

    name: str
    value: str
    source: str


@dataclass(frozen=True)
class Shown:
    """All that is shown of an instance.

    Args:
        metadata: its AWS_ variables.
        tags: None where no source gave them.
        absent: variables that it does not have.
        unknown: variables that it may have; they could not be read.
        unread_tags: keys whose values could not be read.
        warnings: about what is on the disk.
    """

    metadata: tuple[Fact, ...]
    tags: tuple[Fact, ...] | None
    absent: tuple[str, ...]
    unknown: tuple[str, ...]
    unread_tags: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def what_is_shown(findings: Findings, warnings: Sequence[str] = ()) -> Shown:
    """Return what is shown of what was found."""
    variables, fields = findings.variables, findings.fields
    metadata = tuple(
        Fact(name, value, findings.sources.get(name) or said_by(name, fields, variables))
        for name, value in sorted(variables.items())
    )
    tags = None
    if findings.tags is not None:
        tags = tuple(
            Fact(key, value, _tag_source(findings, key))
            for key, value in sorted(findings.tags.items())
        )
    unread = {*findings.unread_variables} - {_GROUP}
    if findings.tags is None or GROUP_TAG in findings.unread_tags:
        unread.add(_GROUP)
    missing = sorted({*VARIABLES} - findings.variables.keys())
    return Shown(
        metadata,
        tags,
        absent=tuple(name for name in missing if name not in unread),
        unknown=tuple(name for name in missing if name in unread),
        unread_tags=tuple(sorted(findings.unread_tags)),
        warnings=tuple(warnings),
    )


def lines(what: Shown, form: Format) -> Iterator[str]:
    """Yield the lines to print; what is hostile in them cannot reach the terminal."""
    if form == "table":
        yield from _table(what)
        return
    tree = {
        "metadata": _tree(what.metadata),
        "tags": None if what.tags is None else _tree(what.tags),
        "does_not_have": list(what.absent),
        "not_known": list(what.unknown),
        "unread_tags": list(what.unread_tags),
        "warnings": list(what.warnings),
    }
    if form == "json":
        yield json.dumps(tree, indent=2)
        return
    import yaml  # noqa: PLC0415 - of this format alone

    yield yaml.safe_dump(tree, sort_keys=False, default_style='"').rstrip("\n")


def _table(what: Shown) -> Iterator[str]:
    yield "METADATA"
    yield from _rows(what.metadata)
    yield "TAGS"
    if what.tags is None:
        yield "  not known"
    else:
        yield from _rows(what.tags)
    for title, names in (
        ("DOES NOT HAVE", what.absent),
        ("NOT KNOWN", what.unknown),
        ("TAGS THAT COULD NOT BE READ", what.unread_tags),
    ):
        if names:
            yield title
            yield from wrapped("  ", ", ".join(map(shown, names)))


def _rows(facts: Sequence[Fact]) -> Iterator[str]:
    if not facts:
        yield "  none"
    width = min(max((len(shown(fact.name)) for fact in facts), default=0), _WIDEST)
    for fact in facts:
        start = f"  {shown(fact.name):{width}}  {shown(fact.value, 300)}"
        yield from joined(start, f"({fact.source})", _INDENT)


def _tree(facts: Sequence[Fact]) -> dict[str, dict[str, str]]:
    return {fact.name: {"value": fact.value, "source": fact.source} for fact in facts}


def _tag_source(findings: Findings, key: str) -> str:
    if findings.tags_source == "api":
        return "EC2 API, DescribeTags"
    return f"IMDS, {TAGS_PATH.removeprefix(LISTING_PATH)}/{key}"
