"""``show``: what the instance and its tags are, and where each came from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

from rancheros_ec2_metadata.ec2.findings import Findings
from rancheros_ec2_metadata.ec2.instance import source
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.records import dataclass

Format = Literal["table", "json", "yaml"]
_TAG_SOURCES = {"imds": "the metadata service", "api": "the EC2 API", None: "nowhere"}


@dataclass(frozen=True)
class Fact:
    """One thing known, and where it came from."""

    name: str
    value: str
    source: str


def facts(findings: Findings) -> tuple[list[Fact], list[Fact]]:
    """Return the metadata and the tags that were found."""
    metadata = [
        Fact(name, value, source(name)) for name, value in sorted(findings.variables.items())
    ]
    said = _TAG_SOURCES[findings.tags_source]
    tags = [Fact(key, value, said) for key, value in sorted((findings.tags or {}).items())]
    return metadata, tags


def lines(findings: Findings, form: Format) -> Iterator[str]:
    """Yield the lines to print; what is hostile in them cannot reach the terminal."""
    metadata, tags = facts(findings)
    if form == "table":
        for title, rows in (("METADATA", metadata), ("TAGS", tags)):
            yield title
            width = max((len(shown(row.name)) for row in rows), default=0)
            for row in rows:
                yield f"  {shown(row.name):{width}}  {shown(row.value, 300)}  ({row.source})"
        return
    tree = {
        title: {row.name: {"value": row.value, "source": row.source} for row in rows}
        for title, rows in (("metadata", metadata), ("tags", tags))
    }
    if form == "json":
        yield json.dumps(tree, indent=2)
        return
    import yaml  # noqa: PLC0415 - of this format alone

    yield yaml.safe_dump(tree, sort_keys=False, default_style='"').rstrip("\n")
