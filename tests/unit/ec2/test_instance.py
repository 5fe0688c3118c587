"""Decoding what the service says into the identity and the AWS_ variables."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.ec2 import instance
from rancheros_ec2_metadata.ec2.retry import RequestError
from unit.ec2.metadata_server import DOCUMENT, MAC

FIELDS = {key: value for key, value in DOCUMENT.items() if isinstance(value, str)}


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "<html/>", "[]", '"text"', "7", "{", "[" * 100_000, '{"a": NaN'),
        '{"region": 7, "accountId": null, "imageId": ""}',
    ],
)
def test_what_is_no_document_or_no_text_in_one_says_nothing(text: str | None) -> None:
    assert instance.parse_document(text) == {}


@pytest.mark.parametrize("text", [None, "", "<html>", "i-", "../i-1", "i-1 i-2"])
def test_what_is_no_instance_id_is_no_identity(text: str | None) -> None:
    assert instance.identify({}, {"meta-data/instance-id": text}) is None


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"),
        ("us-east-1", "aws"),
        ("ap-southeast-7", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", None),
        ("eusc-de-east-1", None),
        ("us-east-1-wl1", None),
        # What could lead a request elsewhere is no region.
        *((odd, None) for odd in ("evil.example.com/", "", "EU-1", "a b", "eu-central-1\n@x")),
    ],
)
def test_the_partition_of_a_well_known_region_need_not_be_asked_for(
    region: str, partition: str | None
) -> None:
    found = instance.identify(FIELDS | {"region": region}, {})
    assert found is not None
    assert found.region == (region if re.fullmatch("[a-z0-9-]+", region) else None)
    asked = "meta-data/services/partition" in instance.list_first_paths(FIELDS, region)
    variables = instance.read_variables(FIELDS | {"region": region}, {})[0]
    assert (asked, variables.get("AWS_PARTITION")) == (partition is None, partition)


ROLES = "meta-data/iam/security-credentials/"
GROUPS = "meta-data/security-groups"


@pytest.mark.parametrize(
    ("name", "path", "text", "value"),
    [
        # Of several host names the first counts, without its dot.
        *[
            (f"AWS_{kind}HOSTNAME", f"meta-data/{kind.lower().replace('_', '-')}hostname", *row)
            for kind in ("", "PUBLIC_", "LOCAL_")
            for row in (
                ("ip-10-0-0-7.ec2.internal", "ip-10-0-0-7.ec2.internal"),
                ("one.example.com. two.example.com.", "one.example.com"),
                ("one.example.com\ntwo.example.com", "one.example.com"),
                ("one.\n", "one"),
                (" \n", None),
                (".", None),
                (None, None),
            )
        ],
        ("AWS_SECURITY_GROUPS", GROUPS, "web", "web"),
        ("AWS_SECURITY_GROUPS", GROUPS, "web\ndata base\n", "web,data base"),
        ("AWS_SECURITY_GROUPS", GROUPS, "a\r\nb", "a,b"),
        ("AWS_SECURITY_GROUPS", GROUPS, "", None),
        ("AWS_IAM_ROLE", ROLES, "web-role\nother\n", "web-role"),
    ],
)
def test_of_several_lines_a_variable_has_the_first_or_all(
    name: str, path: str, text: str | None, value: str | None
) -> None:
    assert instance.read_variables(FIELDS, {path: text})[0].get(name) == value


@given(
    st.dictionaries(
        st.sampled_from(
            [*instance.list_first_paths({}, None), *instance.list_later_paths("", MAC)]
        ),
        st.none() | st.text() | st.just(RequestError("no")),
    ),
    st.text(),
)
def test_no_text_breaks_the_decoding_and_no_variable_is_empty(
    answers: dict[str, str | RequestError | None], document: str
) -> None:
    fields = instance.parse_document(json.dumps(FIELDS | {"privateIp": document}))
    found, sources, unread = instance.read_variables(fields, answers)
    assert all(found.values())
    assert found.keys() == sources.keys() <= {*instance.VARIABLES}
    assert unread.isdisjoint(found)


@pytest.mark.parametrize(("group", "found"), [("web", True), ("", False), (None, False)])
def test_the_autoscaling_group_is_a_tag(group: str | None, found: bool) -> None:
    tags = {} if group is None else {"aws:autoscaling:groupName": group}
    assert instance.make_group_variable(tags) == ({"AWS_AUTOSCALING_GROUP": "web"} if found else {})


@pytest.mark.parametrize(
    ("pending_time", "now", "seconds"),
    [
        ("2027-01-15T07:59:00Z", 1_800_000_000, 60),
        ("2027-01-15T08:59:00+01:00", 1_800_000_000, 60),
        ("2027-01-15T07:59:00", 1_800_000_000, None),
        ("yesterday", 1_800_000_000, None),
        (None, 1_800_000_000, None),
        ("2027-01-15T07:59:00Z", None, None),
    ],
)
def test_the_age_is_the_services_time_since_the_start(
    pending_time: str | None, now: float | None, seconds: float | None
) -> None:
    assert instance.compute_age(pending_time, now) == seconds


@pytest.mark.parametrize(
    ("path", "fields", "names"),
    [
        ("meta-data/placement/region", {}, {"AWS_REGION", "AWS_DEFAULT_REGION"}),
        ("meta-data/services/partition", FIELDS | {"region": "eusc-de-east-1"}, {"AWS_PARTITION"}),
        ("meta-data/ipv6", FIELDS, {"AWS_IPV6"}),
        (f"meta-data/network/interfaces/macs/{MAC}/vpc-id", FIELDS, {"AWS_VPC_ID"}),
        ("meta-data/mac", FIELDS, {"AWS_MAC_ADDRESS", "AWS_SUBNET_ID", "AWS_VPC_ID"}),
        ("meta-data/", FIELDS, set()),
    ],
)
def test_of_a_path_that_cannot_be_read_it_is_known_what_it_would_have_told(
    path: str, fields: dict[str, str], names: set[str]
) -> None:
    answers: dict[str, str | RequestError | None] = {"meta-data/mac": MAC, path: RequestError("no")}
    unread = instance.read_variables(fields, answers)[2]
    assert unread == names | (set() if fields else {"AWS_ACCOUNT_ID", "AWS_ARCHITECTURE"})
