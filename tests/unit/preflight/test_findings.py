"""Each rule: what it finds, and what it does not."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from docs.definitions import SERVICE_FILE
from rancheros_ec2_metadata import command_line, options, preflight
from rancheros_ec2_metadata.check.finding import load_rules
from rancheros_ec2_metadata.preflight.findings import Found, find
from rancheros_ec2_metadata.preflight.forecast import Forecast, make_forecast
from rancheros_ec2_metadata.preflight.launch import (
    Group,
    GroupTag,
    Launch,
    Sourced,
)

INDENTED = SERVICE_FILE.read_text("utf-8").replace("\n", "\n    ").replace("\n    \n", "\n\n")
SERVICE = f"#cloud-config\nrancher:\n  services:\n    {INDENTED}".rstrip() + "\n"
INSTALL = "#!/bin/sh\npython3 /root/ec2-docker-labels.pyz install"
ROS, SYSTEMD = "--host rancheros", "--host systemd"
OPTIONS = {
    "HttpEndpoint": "enabled",
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": "1",
    "InstanceMetadataTags": "enabled",
    "HttpProtocolIpv6": "disabled",
}


def forecasts(group: Group, flags: str = "") -> list[Forecast]:
    words = ["preflight", "--auto-scaling-group", "web", *shlex.split(flags)]
    _, given, settings = command_line.parse(words, {})
    names = options.list_given_fields(given, {})
    return [make_forecast(group, launch, settings, names) for launch in group.launches]


def group(tags: dict[str, str] | None = None, /, **fields: Any) -> Group:
    """Return a group whose next instance is fine; fields of its launch, of its options and its own.

    Args:
        tags: propagated.
        fields: as they are named.
    """
    given = OPTIONS | {key: value for key, value in fields.items() if key[0].isupper()}
    launch = Launch(
        "template 't'",
        "ami-1",
        ("m5.large",),
        user_data=fields.get("user_data"),
        profile=fields.get("profile"),
        tags=of_template(fields.get("template", {})),
        options=of_template(given),
        ipv6_only=fields.get("ipv6_only", False),
    )
    wanted = {"docker.role": "web"} if tags is None else tags
    listed = tuple(GroupTag(key, value, propagated=True) for key, value in wanted.items())
    unpropagated = fields.get("unpropagated", {}).items()
    listed += tuple(GroupTag(key, value, propagated=False) for key, value in unpropagated)
    return Group("web", "eu-west-1", "aws", (launch,), listed, fields.get("instances", {}))


def of_template(tags: dict[str, str]) -> dict[str, Sourced]:
    return {key: Sourced(value, "the template") for key, value in tags.items()}


V6 = {"ipv6_only": True}
BRIDGED = SERVICE.replace("net: host", "net: bridge").encode()
# The rule, the group, the flags, and words of the finding; without the rule nothing is found.
CASES = [
    ("", group(), "", ""),
    ("", group(user_data=SERVICE.encode()), "", ""),
    ("", group(user_data=f"{INSTALL} --require-tag docker.role\n".encode()), "", ""),
    ("not-propagated", group(unpropagated={"docker.zone": "a"}), "", "'docker.zone'"),
    (
        "not-propagated",
        group({}, unpropagated={"docker.role": "a"}, template={"docker.role": "b"}),
        "",
        "'b' of the template counts",
    ),
    (
        "not-propagated",
        group(unpropagated={"db": "a"}),
        "-l db:DB_HOST --require-tag db",
        "tag 'db'",
    ),
    ("", group(unpropagated={"cost": "1"}), "", ""),
    (
        "two-values",
        group(template={"docker.role": "db"}),
        "",
        "'web' on the group, 'db' in the template",
    ),
    ("", group(template={"docker.role": "web", "cost": "1"}), "", ""),
    ("", group({"cost": "2"}, template={"cost": "1"}), "", ""),
    ("no-tag", group(), "-l db:DB_HOST", "tag 'db' … 'DB_HOST' … nobody sets"),
    ("no-tag", group(), f"-l name:hostname {ROS}", "tag 'name' … 'hostname'"),
    ("no-tag", group(), "-t team.", "'team.*'"),
    ("no-tag", group(), "--env-prefix app.:APP_", "'APP_*'"),
    ("no-tag", group(), "--require-tag db", "tag 'db' … --require-tag"),
    ("", group(template={"db": "x"}), "-l db:DB_HOST --require-tag db", ""),
    ("", group(), "-l aws:autoscaling:groupName:GROUP", ""),
    ("left-out", group({"db": "caf\u00e9"}), f"-l db:DB_HOST {ROS}", "'DB_HOST' … U+00E9"),
    ("", group({"db": "caf\u00e9"}), f"-l db:DB_HOST {SYSTEMD}", ""),
    ("left-out", group({"com.docker.x": "1"}), "-t com.", "'com.docker.x' … reserved"),
    ("left-out", group({"db": "a b"}), f"-l db:rancher.docker.bip {ROS}", "'a b'"),
    ("left-out", group({"h": "x"}), f"-l h:hostname {SYSTEMD}", "only RancherOS"),
    ("left-out", group(), "--set 'X={tag:no}'", "--set X … 'no'"),
    ("left-out", group(), "--set 'R={AWS_IAM_ROLE}'", "AWS_IAM_ROLE"),
    ("", group(profile="p"), "--set 'R={AWS_IAM_ROLE} {AWS_LOCAL_IPV4}'", ""),
    ("unmatched-label", group({"docker.motto": "a,b"}), "", "'docker.motto' … ','"),
    ("", group(), "--metadata-labels local-ipv4 --status-label", ""),
    ("tag-key", group({"a b": "x"}), "", "'a b'"),
    ("tag-key", group({}, template={"_index": "x"}), "", "'_index'"),
    ("", group({"a b": "x"}, InstanceMetadataTags="disabled", profile="p"), "", ""),
    ("tags-unreadable", group(InstanceMetadataTags="disabled"), "", "no instance profile"),
    ("tags-unreadable", group(), "--tags api", "--tags api"),
    (
        "tags-unreadable",
        group(InstanceMetadataTags="disabled", profile="p"),
        "--tags imds",
        "--tags imds",
    ),
    ("", group(InstanceMetadataTags="disabled", profile="p"), "", ""),
    ("", group(InstanceMetadataTags="disabled"), "--tags none", ""),
    ("", group(InstanceMetadataTags="disabled"), f"-t '' {SYSTEMD} --tags none", ""),
    ("imds-disabled", group(HttpEndpoint="disabled"), "", "HttpEndpoint is 'disabled'"),
    ("tokens-required", group(HttpTokens="required"), ROS, "of the template"),
    ("", group(HttpTokens="required"), SYSTEMD, ""),
    ("ipv6-only", group(**V6), SYSTEMD, "at its IPv6 address"),
    ("ipv6-only", group(HttpProtocolIpv6="enabled", **V6), ROS, "over IPv4 alone"),
    (
        "ipv6-only",
        group(HttpProtocolIpv6="enabled", profile="p", InstanceMetadataTags="disabled", **V6),
        SYSTEMD,
        "AWS_USE_DUALSTACK",
    ),
    ("", group(HttpProtocolIpv6="enabled", **V6), SYSTEMD, ""),
    (
        "install-line",
        group(user_data=f"{INSTALL} --nonsense\n".encode()),
        "",
        "no flag '--nonsense'",
    ),
    (
        "detach",
        group(user_data=SERVICE.replace('detach: "false"', 'detach: "true"').encode()),
        "",
        "user-data of template 't':",
    ),
    ("no-cloud-config", group(user_data=b"\x1f\x8bdamaged"), ROS, "gzipped, and damaged"),
    ("no-cloud-config", group(user_data=b"Content-Type: multipart/mixed"), ROS, "MIME"),
    (
        "running-tags",
        group(instances={"i-2": {"docker.role": "db"}, "i-1": {"docker.role": "db", "cost": "1"}}),
        "",
        "'i-1', 'i-2' … 'docker.role' is 'db', a new one's 'web'",
    ),
    (
        "running-tags",
        group(instances={f"i-{n:02}": {"docker.x": "y", "docker.role": "web"} for n in range(12)}),
        "",
        "'i-09' and 2 more … 'docker.x' is 'y', a new one's missing",
    ),
    ("", group(instances={"i-1": {"docker.role": "web", "cost": "1", "aws:x": "y"}}), "", ""),
]


@pytest.mark.parametrize(("rule", "of", "flags", "words"), CASES)
def test_a_rule_finds_what_it_is_for_and_nothing_else(
    rule: str, of: Group, flags: str, words: str
) -> None:
    found = find(of, forecasts(of, flags))
    assert [one.rule for one in found] == [rule] * bool(rule), found
    text = " ".join(map(" ".join, found))
    assert [word for word in words.split(" … ") if word not in text] == []


def test_every_rule_has_a_case_and_a_name_of_its_own() -> None:
    rules = load_rules(preflight.__name__)
    assert {rule for rule, *_ in CASES} >= rules.keys() - {"hop-limit"}
    assert rules.keys() & load_rules().keys() == set()


@pytest.mark.parametrize(("limit", "rules"), [("1", {"hop-limit", "net"}), ("2", {"net"})])
def test_a_container_off_the_hosts_network_is_out_of_reach_of_one_hop(
    limit: str, rules: set[str]
) -> None:
    of = group(user_data=BRIDGED, HttpPutResponseHopLimit=limit)
    assert {one.rule for one in find(of, forecasts(of))} == rules


def test_what_two_templates_share_is_found_once_and_an_instance_may_be_of_either() -> None:
    one = group({}, template={"docker.role": "web"}, unpropagated={"docker.a": "1"})
    other = replace(one.launches[0], name="template 'u'", tags=of_template({"docker.role": "db"}))
    instances = {"i-1": {"docker.role": "db"}, "i-2": {"docker.role": "web"}}
    of = replace(one, launches=(*one.launches, other), instances=instances)
    assert [found.rule for found in find(of, forecasts(of))] == ["not-propagated"]


def test_what_aws_did_not_say_is_no_finding() -> None:
    of = group()
    options = dict.fromkeys(OPTIONS, Sourced(None, "AWS did not say"))
    unknown = replace(of, launches=(replace(of.launches[0], options=options),))
    assert find(unknown, forecasts(unknown, ROS)) == []


def test_a_flag_that_is_given_replaces_the_one_of_the_user_data() -> None:
    of = group({"a": "1", "b": "2"}, user_data=f"{INSTALL} -t c. -l a:A -l b:B\n".encode())
    (found,) = find(of, forecasts(of))
    assert found == Found("no-tag", "label 'c.*'", found.reason, found.fix)
    (forecast,) = forecasts(of, "-t a")
    assert dict(forecast.desired.labels) == {"a": "1"}
    assert forecast.desired.variables["B"] == "2"
