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
from rancheros_ec2_metadata.preflight.launch import Group

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
    row = load_rules(__package__)[rule]
    return Found(rule, where, f"{what}: {row.why}", row.fix)


def _name_tag(key: str) -> str:
    return f"tag {quote(key)}"


def _find_in_tags(group: Group, forecast: Forecast) -> Iterator[Found]:
    settings, of_template = forecast.settings, forecast.launch.tags
    for tag in (one for one in group.tags if settings.wants(one.key)):
        where, other = _name_tag(tag.key), of_template.get(tag.key)
        shown = quote(other.value or "") if other else ""
        if not tag.propagated:
            instead = f", and {shown} of the template counts" if other else ""
            yield _report("not-propagated", where, f"PropagateAtLaunch is not set{instead}")
        elif other and other.value != tag.value:
            what = f"it is {quote(tag.value)} on the group, {shown} in the template"
            yield _report("two-values", where, what)
    if forecast.launch.options["InstanceMetadataTags"].value == "enabled":
        for key in sorted(forecast.tags):
            if not is_imds_key(key):
                yield _report("tag-key", _name_tag(key), f"{_name_tag(key)} cannot be in IMDS")
    for key in settings.require_tags:
        if key not in {*forecast.tags, *group.keys}:
            yield _report("no-tag", _name_tag(key), "--require-tag waits for it, and exits with 6")


def _find_in_desired(group: Group, forecast: Forecast) -> Iterator[Found]:
    desired, tags = forecast.desired, {*forecast.tags, *group.keys}
    for note in desired.notes:
        for one in note.left_out:
            source, name = one.source, f"{one.kind} {quote(one.name)}"
            where = str(source) if source else name
            lacks = source is None or (source.kind == "tag" and source.name not in tags)
            if note.level is Level.INFO and lacks:
                yield _report("no-tag", where, f"{name} is not set")
            elif note.level is Level.WARNING:
                yield _report("left-out", where, f"{name}: {one.reason}")
    if forecast.flags.host == "systemd":
        for path, source in desired.sources.config.items():
            what = f"config path {quote(path)}: only RancherOS has config paths"
            yield _report("left-out", str(source), what)
    for key, value in desired.labels.items():
        if desired.sources.labels[key].kind == "tag" and (why := explain_unnameable(key, value)):
            yield _report("unmatched-label", f"label {quote(key)}", why)


def _find_in_options(_: Group, forecast: Forecast) -> Iterator[Found]:
    launch, settings, flags = forecast.launch, forecast.settings, forecast.flags
    values = {name: one.value for name, one in launch.options.items()}

    def report(rule: str, option: str, more: str = "") -> Found:
        what = f"{option} is {quote(values[option] or '')}, of {launch.options[option].source}"
        return _report(rule, launch.name, what + more)

    if values["HttpEndpoint"] == "disabled":
        yield report("imds-disabled", "HttpEndpoint")
        return
    no_tags_in_imds = values["InstanceMetadataTags"] == "disabled"
    if settings.uses_tags and settings.tags != "none":
        no_imds = no_tags_in_imds or settings.tags == "api"
        no_api = launch.profile is None or settings.tags == "imds"
        if no_imds and no_api:
            profile = "an" if launch.profile else "no"
            more = f", with {profile} instance profile and --tags {settings.tags}"
            yield report("tags-unreadable", "InstanceMetadataTags", more)
    if flags.host == "rancheros" and values["HttpTokens"] == "required":
        yield report("tokens-required", "HttpTokens")
    for service in flags.file.ours if flags.file else ():
        if values["HttpPutResponseHopLimit"] == "1" and service.node.at("net").text != "host":
            more = f", and {quote(service.name)} has no net: host"
            yield report("hop-limit", "HttpPutResponseHopLimit", more)
    needs_ipv4 = {
        "IMDS does not answer at its IPv6 address": values["HttpProtocolIpv6"] != "enabled",
        "RancherOS asks IMDS over IPv4 alone": flags.host == "rancheros",
        "the EC2 API is reached with AWS_USE_DUALSTACK_ENDPOINT=true alone": no_tags_in_imds
        and not settings.api.dualstack,
    }
    if launch.ipv6_only and any(needs_ipv4.values()):
        why = ", ".join(text for text, is_so in needs_ipv4.items() if is_so)
        yield _report("ipv6-only", launch.name, f"its subnets have IPv6 alone, {why}")


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
