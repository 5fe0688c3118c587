"""``show``: what the instance and its tags are, where each came from, and what it does not have."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from rancheros_ec2_metadata.columns import render_section, wrap
from rancheros_ec2_metadata.commands.invocation import Invocation
from rancheros_ec2_metadata.commands.target import make_runtime_without_writing
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.instance import GROUP, METADATA, METADATA_LABELS, VARIABLES
from rancheros_ec2_metadata.ec2.tags import TAGS_PATH
from rancheros_ec2_metadata.errors import LONGEST_VALUE, Ec2Error, UsageError, escape, quote
from rancheros_ec2_metadata.settings import GROUP_TAG

Format = Literal["table", "json", "yaml", "env"]
_WIDEST = 28  # width of the column of names; longer names exceed it


def run(invocation: Invocation) -> int:
    """Print what the instance and all its tags are and where each came from, or one value alone.

    Raises:
        UsageError: no value is called so.
        Ec2Error: the instance does not have it, or EC2 did not say.
    """
    given, process = invocation.given, invocation.process
    everything = invocation.settings._replace(metadata=True, label_prefixes=("", "aws:"))
    runtime = make_runtime_without_writing(invocation, everything)
    facts = runtime.ec2.read(kept=False, so_far=lambda _: None)
    if given.name is not None:
        value = find_value(facts, given.name)
        # A pipe or file gets the exact value. On a terminal, control characters are escaped.
        process.print([escape(value) if process.out.isatty() else value])
        return invocation.log.status()
    process.print(render_tree(make_shown_tree(facts), given.format))
    return invocation.log.status()


def make_shown_tree(facts: Facts) -> dict[str, Any]:
    """Return all that is shown of an instance, as the JSON has it."""
    unread = {*facts.unread_variables} - {GROUP}  # a tag, although it is listed with the metadata
    if facts.tags is None or GROUP_TAG in facts.unread_tags:
        unread.add(GROUP)
    missing = sorted({*VARIABLES} - facts.variables.keys())
    tags = None
    if facts.tags is not None:
        of_imds = f"IMDS, {TAGS_PATH.removeprefix(METADATA)}/"
        tags = {
            key: {
                "value": value,
                "source": "EC2 API, DescribeTags" if facts.tags_source == "api" else of_imds + key,
            }
            for key, value in sorted(facts.tags.items())
        }
    return {
        "metadata": {
            name: {"value": value, "source": facts.sources[name]}
            for name, value in sorted(facts.variables.items())
        },
        "tags": tags,
        "does_not_have": [name for name in missing if name not in unread],
        "not_known": [name for name in missing if name in unread],
        "unread_tags": sorted(facts.unread_tags),
    }


def render_tree(shown_tree: Mapping[str, Any], form: Format) -> Iterator[str]:
    """Yield the lines to print, with control characters escaped.

    The form `env` has the metadata alone: keys of tags are no names of variables.
    """
    match form:
        case "table":
            yield from _render_table(shown_tree)
        case "json":
            yield json.dumps(shown_tree, indent=2)
        case "yaml":
            import yaml  # noqa: PLC0415 - of this format alone

            yield yaml.safe_dump(shown_tree, sort_keys=False, default_style='"').rstrip("\n")
        case "env":
            for name, one in shown_tree["metadata"].items():
                if one["value"].isprintable():
                    yield f"{name}={shlex.quote(one['value'])}"
                else:
                    yield f"# {name} is left out: it does not fit on a line"


def find_value(facts: Facts, name: str) -> str:
    """Return the value of one variable, one field of the metadata, or one tag.

    Args:
        facts: what EC2 said.
        name: as `AWS_REGION`, `region`, `docker.role`, or `tag:region` for the tag of that key.

    Raises:
        UsageError: a variable of the metadata is never called so.
        Ec2Error: the instance does not have it, or EC2 did not say.
    """
    of_paths = {row.path: row.name for row in VARIABLES.values()}
    variable = METADATA_LABELS.get(name) or of_paths.get(name, name)
    if variable in VARIABLES:
        if variable in facts.variables:
            return facts.variables[variable]
        if variable in make_shown_tree(facts)["not_known"]:
            raise Ec2Error(f"{variable} could not be read, or the EC2 API does not tell it")
        raise Ec2Error(f"the instance does not have {variable}")
    if name.startswith("AWS_"):
        raise UsageError(
            f"show: {quote(name)} is no variable of the metadata; see docs/reference.md"
        )
    key = name.removeprefix("tag:")
    if facts.tags is None or key in facts.unread_tags:
        raise Ec2Error(f"the tag {quote(key)} could not be read")
    if key not in facts.tags:
        raise Ec2Error(f"the instance has no tag {quote(key)}")
    return facts.tags[key]


def _render_table(shown_tree: Mapping[str, Any]) -> Iterator[str]:
    yield from render_section("METADATA", _make_rows(shown_tree["metadata"]))
    tags = shown_tree["tags"]
    yield from render_section("TAGS", [("  not known", "")] if tags is None else _make_rows(tags))
    for title, key in (
        ("DOES NOT HAVE", "does_not_have"),
        ("NOT KNOWN", "not_known"),
        ("TAGS THAT COULD NOT BE READ", "unread_tags"),
    ):
        if shown_tree[key]:
            yield title
            yield from wrap("  ", ", ".join(map(quote, shown_tree[key])))


def _make_rows(facts: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    width = min(max((len(quote(name)) for name in facts), default=0), _WIDEST)
    for name, fact in facts.items():
        start = f"  {quote(name):{width}}  {quote(fact['value'], LONGEST_VALUE)}"
        yield start, f"({fact['source']})"
