"""What the next instance gets and what was found, for an operator and for a program."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rancheros_ec2_metadata.columns import join, wrap
from rancheros_ec2_metadata.errors import LONGEST_VALUE, ExitStatus, Level, Note, count, quote
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.plan.provenance import Source
from rancheros_ec2_metadata.preflight.findings import Found
from rancheros_ec2_metadata.preflight.forecast import Forecast, place
from rancheros_ec2_metadata.preflight.launch import Group, Sourced

# Of the JSON; docs/preflight.md has the schema.
SCHEMA = 1
_INDENT = 4
_PROFILE = "what it allows is not asked"


def make_report(
    group: Group,
    forecasts: Iterable[Forecast],
    found: Iterable[Found],
    status: ExitStatus,
    notes: Iterable[Note],
) -> dict[str, Any]:
    """Return the document of ``--format json``; docs/preflight.md has its schema."""
    return {
        "schema": SCHEMA,
        "exit_status": int(status),
        "auto_scaling_group": group.name,
        "region": group.region,
        "launches": [_describe_launch(one) for one in forecasts],
        "findings": [one._asdict() for one in found],
        "running_instances": len(group.instances),
        "errors": [note.text for note in notes if note.level is Level.ERROR],
    }


def render_report(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines to print of a report, with control characters escaped."""
    group, found = report["auto_scaling_group"], report["findings"]
    named = f" of {quote(group)}" if group is not None else ""
    for launch in report["launches"]:
        yield f"THE NEXT INSTANCE{named}, from {launch['name']}"
        for text in _render_launch(launch):
            yield from wrap("  ", text)
        yield from _render_section("LABELS, in effect when Docker starts", launch["labels"])
        at_launch = launch["at_launch"]
        known = [one for one in launch["variables"] if one["name"] not in at_launch]
        yield from _render_section("VARIABLES", known)
        yield from wrap("  ", f"known at launch, if it has them: {', '.join(at_launch)}")
        if launch["config"]:
            yield from _render_section("CONFIG PATHS", launch["config"])
        yield ""
    if found:
        yield "FINDINGS"
    for one in found:
        yield from wrap("  ", f"{one['where']} [{one['rule']}]")
        for text in (one["reason"], f"fix: {one['fix']}"):
            yield from wrap("    ", text)
    yield f"{count(len(found), 'finding')}." if found else "No findings."


def _describe_launch(forecast: Forecast) -> dict[str, Any]:
    launch, flags, desired = forecast.launch, forecast.flags, forecast.desired
    sources = desired.sources
    return {
        "name": launch.name,
        "image": launch.image,
        "instance_types": list(launch.instance_types),
        "instance_profile": launch.profile,
        "metadata_options": {name: one._asdict() for name, one in launch.options.items()},
        "user_data": flags.form,
        "host": flags.host,
        "flags": {"source": flags.source, "words": list(flags.words), "follow": flags.follow},
        "labels": _list_items(desired.labels, sources.labels, forecast.tags),
        "variables": _list_items(desired.variables, sources.variables, forecast.tags),
        "config": _list_items(desired.config, sources.config, forecast.tags),
        "at_launch": [
            name
            for name, value in sorted(desired.variables.items())
            if sources.variables[name].kind in ("metadata", "outcome") and value == place(name)
        ],
    }


def _list_items(
    values: Mapping[str, config_paths.Value],
    sources: Mapping[str, Source],
    tags: Mapping[str, Sourced],
) -> list[dict[str, Any]]:
    found = []
    for name, value in sorted(values.items()):
        kind, of = sources[name]
        source = {"kind": kind, "name": of, "set_by": tags[of].source if kind == "tag" else ""}
        found.append({"name": name, "value": config_paths.render(value), "source": source})
    return found


def _render_launch(launch: Mapping[str, Any]) -> Iterator[str]:
    types = ", ".join(map(quote, launch["instance_types"])) or "by attributes"
    yield f"image: {quote(launch['image'] or 'none')}; instance types: {types}"
    profile = launch["instance_profile"]
    yield f"instance profile: {f'{quote(profile, 200)} ({_PROFILE})' if profile else 'none'}"
    said = (
        f"{name} {quote(one['value']) if one['value'] is not None else '?'} ({one['source']})"
        for name, one in launch["metadata_options"].items()
    )
    yield f"metadata options: {', '.join(said)}"
    yield f"user-data: {launch['user_data']}, taken for a host of {launch['host']}"
    flags = launch["flags"]
    source = flags["source"] or "none in the user-data"
    words = shlex.join(flags["words"]) or "the defaults"
    yield f"flags: {source}, with those of this command line: {words}"


def _render_section(title: str, items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield ""
    yield title
    if not items:
        yield "  none"
    for one in items:
        source = one["source"]
        set_by = f", of {source['set_by']}" if source["set_by"] else ""
        start = f"  {quote(one['name'])} = {quote(one['value'], LONGEST_VALUE)}"
        yield from join(start, f"({Source(source['kind'], source['name'])}{set_by})", _INDENT)
