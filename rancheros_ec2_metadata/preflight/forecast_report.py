"""What the next instance gets and what was found, for an operator and for a program."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rancheros_ec2_metadata.columns import join, wrap
from rancheros_ec2_metadata.errors import LONGEST_VALUE, ExitStatus, Level, Note, count, quote
from rancheros_ec2_metadata.plan.config_paths import Value
from rancheros_ec2_metadata.plan.provenance import Source
from rancheros_ec2_metadata.preflight.findings import Found
from rancheros_ec2_metadata.preflight.forecast import Forecast
from rancheros_ec2_metadata.preflight.launch import Group

# Of the JSON; docs/preflight.md has the schema.
SCHEMA = 1
_INDENT = 4
_PROFILE = "what it allows is not asked"


def render_report(
    group: Group, forecasts: Sequence[Forecast], found: Sequence[Found]
) -> Iterator[str]:
    """Yield the lines to print, with control characters escaped."""
    named = f" of {quote(group.name)}" if group.name is not None else ""
    for forecast in forecasts:
        yield f"THE NEXT INSTANCE{named}, from {forecast.launch.name}"
        for text in _describe(forecast):
            yield from wrap("  ", text)
        yield ""
        yield "LABELS, in effect when Docker starts"
        yield from _render_section(
            forecast, forecast.desired.labels, forecast.desired.sources.labels
        )
        yield ""
        yield "VARIABLES"
        variables, at_launch = forecast.desired.variables, forecast.at_launch
        known = {name: value for name, value in variables.items() if name not in at_launch}
        yield from _render_section(forecast, known, forecast.desired.sources.variables)
        yield from wrap("  ", f"known at launch, if it has them: {', '.join(at_launch)}")
        if forecast.desired.config:
            yield ""
            yield "CONFIG PATHS"
            yield from _render_section(
                forecast, forecast.desired.config, forecast.desired.sources.config
            )
        yield ""
    if found:
        yield "FINDINGS"
    for one in found:
        yield from wrap("  ", f"{one.where} [{one.rule}]")
        for text in (one.reason, f"fix: {one.fix}"):
            yield from wrap("    ", text)
    yield f"{count(len(found), 'finding')}." if found else "No findings."


def render_report_json(
    group: Group,
    forecasts: Sequence[Forecast],
    found: Sequence[Found],
    status: ExitStatus,
    notes: Sequence[Note],
) -> str:
    """Return the same as a JSON document; docs/preflight.md has its schema."""
    tree = {
        "schema": SCHEMA,
        "exit_status": int(status),
        "auto_scaling_group": group.name,
        "region": group.region,
        "launches": [_describe_launch(one) for one in forecasts],
        "findings": [one._asdict() for one in found],
        "running_instances": len(group.instances),
        "errors": [note.text for note in notes if note.level is Level.ERROR],
    }
    return json.dumps(tree, indent=2)


def _describe(forecast: Forecast) -> Iterator[str]:
    launch, flags = forecast.launch, forecast.flags
    types = ", ".join(map(quote, launch.instance_types)) or "by attributes"
    yield f"image: {quote(launch.image or 'none')}; instance types: {types}"
    profile = "none" if launch.profile is None else f"{quote(launch.profile, 200)} ({_PROFILE})"
    yield f"instance profile: {profile}"
    said = (
        f"{name} {quote(one.value) if one.value is not None else '?'} ({one.source})"
        for name, one in launch.options.items()
    )
    yield f"metadata options: {', '.join(said)}"
    yield f"user-data: {quote(flags.form, 200)[1:-1]}, taken for a host of {flags.host}"
    if not flags.source:
        yield "flags: none in the user-data, so the defaults, and those of this command line"
    else:
        words = shlex.join(flags.words) or "none, so the defaults"
        yield f"flags: of {quote(flags.source)[1:-1]}, with those of this command line: {words}"


def _render_section(
    forecast: Forecast, values: Mapping[str, Value], sources: Mapping[str, Source]
) -> Iterator[str]:
    if not values:
        yield "  none"
    for name, value in sorted(values.items()):
        start = f"  {quote(name)} = {quote(_render_value(value), LONGEST_VALUE)}"
        yield from join(start, f"({_describe_source(forecast, sources[name])})", _INDENT)


def _describe_source(forecast: Forecast, source: Source) -> str:
    set_by = forecast.set_by(source)
    return f"{source}, of {set_by}" if set_by else str(source)


def _describe_launch(forecast: Forecast) -> dict[str, Any]:
    launch, flags, desired = forecast.launch, forecast.flags, forecast.desired

    def items(values: Mapping[str, Value], of: Mapping[str, Source]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "value": _render_value(value),
                "source": {**of[name]._asdict(), "set_by": forecast.set_by(of[name])},
            }
            for name, value in sorted(values.items())
        ]

    return {
        "name": launch.name,
        "image": launch.image,
        "instance_types": list(launch.instance_types),
        "instance_profile": launch.profile,
        "metadata_options": {name: asdict(one) for name, one in launch.options.items()},
        "user_data": flags.form,
        "host": flags.host,
        "flags": {"source": flags.source, "words": list(flags.words), "follow": flags.follow},
        "labels": items(desired.labels, desired.sources.labels),
        "variables": items(desired.variables, desired.sources.variables),
        "config": items(desired.config, desired.sources.config),
        "at_launch": list(forecast.at_launch),
    }


def _render_value(value: Value) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
