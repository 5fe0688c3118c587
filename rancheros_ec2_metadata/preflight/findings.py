"""What stops the next instance, or leaves it without a label: one table of rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rancheros_ec2_metadata.check import rules
from rancheros_ec2_metadata.check.finding import load_rules
from rancheros_ec2_metadata.ec2.tags import is_imds_key
from rancheros_ec2_metadata.errors import LONGEST_VALUE, Level, quote
from rancheros_ec2_metadata.plan.labels import explain_unnameable
from rancheros_ec2_metadata.preflight.forecast import Forecast
from rancheros_ec2_metadata.preflight.launch import Group, GroupTag, Sourced

RULES = load_rules(__package__)
_MOST_NAMED = 10


class Found(NamedTuple):
    """One finding: its rule, its subject, the reason and the fix."""

    rule: str
    where: str
    reason: str
    fix: str


def find(group: Group, forecasts: Sequence[Forecast]) -> list[Found]:
    """Return what is found, each once, the tags first."""
    found: dict[Found, None] = {}
    for rule in (_find_in_tags, _find_in_desired, _find_in_options, _find_in_user_data):
        for one in forecasts:
            found |= dict.fromkeys(rule(group, one))
    return [*found, *_find_running(group, forecasts)]


def _report(rule: str, where: str, what: str) -> Found:
    return Found(rule, where, f"{what}: {RULES[rule].why}", RULES[rule].fix)


def _name_tag(key: str) -> str:
    return f"tag {quote(key)}"


def _find_in_tags(group: Group, forecast: Forecast) -> Iterator[Found]:
    settings = forecast.settings
    for tag in group.tags:
        if settings.wants(tag.key):
            yield from _find_in_group_tag(tag, forecast.launch.tags.get(tag.key))
    if forecast.launch.options["InstanceMetadataTags"].value == "enabled":
        for key in sorted(forecast.tags):
            if not is_imds_key(key):
                yield _report("tag-key", _name_tag(key), f"{_name_tag(key)} cannot be in IMDS")
    for key in settings.require_tags:
        if key not in {*forecast.tags, *group.keys}:
            yield _report("no-tag", _name_tag(key), "--require-tag waits for it, and exits with 6")


def _find_in_group_tag(tag: GroupTag, in_template: Sourced | None) -> Iterator[Found]:
    where, other = _name_tag(tag.key), in_template and quote(in_template.value or "")
    if not tag.propagated:
        instead = f", and {other} of the template counts" if other else ""
        yield _report("not-propagated", where, f"PropagateAtLaunch is not set{instead}")
    elif in_template is not None and in_template.value != tag.value:
        values = f"{quote(tag.value)} on the group, {other} in the template"
        yield _report("two-values", where, f"it is {values}")


def _find_in_desired(group: Group, forecast: Forecast) -> Iterator[Found]:
    desired, tags = forecast.desired, {*forecast.tags, *group.keys}
    for note in desired.notes:
        for one in note.left_out:
            source = one.source
            where = str(source) if source else f"{one.kind} {quote(one.name)}"
            lacks = source is None or (source.kind == "tag" and source.name not in tags)
            if note.level is Level.INFO and lacks:
                yield _report("no-tag", where, f"{one.kind} {quote(one.name)} is not set")
            elif note.level is Level.WARNING:
                what = f"{one.kind} {quote(one.name)}: {one.reason}"
                yield _report("left-out", where, what)
    if forecast.flags.host == "systemd":
        for path, source in desired.sources.config.items():
            what = f"config path {quote(path)}: only RancherOS has config paths"
            yield _report("left-out", str(source), what)
    for key, value in desired.labels.items():
        if desired.sources.labels[key].kind == "tag" and (why := explain_unnameable(key, value)):
            yield _report("unmatched-label", f"label {quote(key)}", why)


def _find_in_options(_: Group, forecast: Forecast) -> Iterator[Found]:
    launch, settings, host = forecast.launch, forecast.settings, forecast.flags.host
    options, where = launch.options, launch.name

    def describe(name: str) -> str:
        return f"{name} is {quote(options[name].value or '')}, of {options[name].source}"

    if options["HttpEndpoint"].value == "disabled":
        yield _report("imds-disabled", where, describe("HttpEndpoint"))
        return
    in_imds, asks = options["InstanceMetadataTags"], settings.tags
    if settings.uses_tags and asks != "none":
        no_imds = in_imds.value == "disabled" or asks == "api"
        no_api = launch.profile is None or asks == "imds"
        if no_imds and no_api:
            why = " (--tags api)" if asks == "api" else ""
            profile = "there is no instance profile" if launch.profile is None else "--tags imds"
            what = f"{describe('InstanceMetadataTags')}{why}, and {profile}"
            yield _report("tags-unreadable", where, what)
    if host == "rancheros" and options["HttpTokens"].value == "required":
        yield _report("tokens-required", where, describe("HttpTokens"))
    if options["HttpPutResponseHopLimit"].value == "1" and forecast.flags.file is not None:
        for service in forecast.flags.file.ours:
            if service.node.at("net").text != "host":
                what = (
                    f"{describe('HttpPutResponseHopLimit')}, and {quote(service.name)} has no net"
                )
                yield _report("hop-limit", where, f"{what}: host")
    if launch.ipv6_only:
        yield from _find_ipv6_only(forecast, where)


def _find_ipv6_only(forecast: Forecast, where: str) -> Iterator[Found]:
    what = []
    if forecast.launch.options["HttpProtocolIpv6"].value != "enabled":
        what.append("IMDS does not answer at its IPv6 address")
    if forecast.flags.host == "rancheros":
        what.append("RancherOS asks IMDS over IPv4 alone")
    no_imds = forecast.launch.options["InstanceMetadataTags"].value == "disabled"
    if no_imds and not forecast.settings.api.dualstack:
        what.append("the EC2 API is reached with AWS_USE_DUALSTACK_ENDPOINT=true alone")
    if what:
        yield _report("ipv6-only", where, f"its subnets have IPv6 alone, {', '.join(what)}")


def _find_in_user_data(_: Group, forecast: Forecast) -> Iterator[Found]:
    flags, name = forecast.flags, f"user-data of {forecast.launch.name}"
    if flags.wrong:
        yield _report("install-line", name, f"{flags.source} is wrong, {flags.wrong}")
    if flags.file is not None:
        for line, rule, reason, fix in rules.check(flags.file):
            yield Found(rule, f"{name}:{line}", reason, fix)


def _find_running(group: Group, forecasts: Sequence[Forecast]) -> Iterator[Found]:
    differing: dict[tuple[str, ...], list[str]] = {}
    for name, tags in sorted(group.instances.items()):
        # An instance may come from any launch: compare it with the most similar one.
        by_launch = [tuple(_find_differences(tags, one)) for one in forecasts]
        if least := min(by_launch, key=len, default=()):
            differing.setdefault(least, []).append(name)
    for what, names in differing.items():
        more = len(names) - _MOST_NAMED
        where = ", ".join(map(quote, names[:_MOST_NAMED])) + (f" and {more} more" * (more > 0))
        yield _report("running-tags", where, ", ".join(what))


def _find_differences(tags: Mapping[str, str], forecast: Forecast) -> Iterable[str]:
    for key in sorted({*tags, *forecast.tags}):
        now, then = tags.get(key), forecast.tags.get(key)
        would_be = then.value if then else None
        wanted = forecast.settings.wants(key) and not key.startswith("aws:")
        if wanted and now != would_be:
            texts = ["missing" if x is None else quote(x, LONGEST_VALUE) for x in (now, would_be)]
            yield f"{_name_tag(key)} is {texts[0]}, a new one's {texts[1]}"
