from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.ec2.findings import Findings
from rancheros_ec2_metadata.ec2.instance import VARIABLES
from rancheros_ec2_metadata.show import Format, lines, what_is_shown

MISSING = {"AWS_IPV6", "AWS_PUBLIC_IPV4"}
FOUND = Findings(
    variables={
        "AWS_REGION": "eu-west-1",
        "AWS_AUTOSCALING_GROUP": "web",
        "AWS_HOSTNAME": "ip-10-0-0-12.eu-west-1.compute.internal",
    },
    fields={"region": "eu-west-1"},
    unread_variables=frozenset(VARIABLES) - MISSING,
    tags={"docker.role": "web", "aws:autoscaling:groupName": "web"},
    tags_source="api",
)
# What EC2 allows in a tag, and what no terminal should be sent.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
OF_TAG = "IMDS, tags/instance/docker.role"


def printed(findings: Findings, form: Format) -> str:
    return "\n".join(lines(what_is_shown(findings), form)) + "\n"


def test_the_table_has_a_row_for_each_fact_with_its_source() -> None:
    table = printed(FOUND, "table").splitlines()
    assert table[:10] == [
        "METADATA",
        "  'AWS_AUTOSCALING_GROUP'  'web'  (tag aws:autoscaling:groupName)",
        "  'AWS_HOSTNAME'           'ip-10-0-0-12.eu-west-1.compute.internal'",
        "    (IMDS, hostname)",
        "  'AWS_REGION'             'eu-west-1'  (identity document, region)",
        "TAGS",
        "  'aws:autoscaling:groupName'  'web'  (EC2 API, DescribeTags)",
        "  'docker.role'                'web'  (EC2 API, DescribeTags)",
        "DOES NOT HAVE",
        "  'AWS_IPV6', 'AWS_PUBLIC_IPV4'",
    ]
    assert table[10] == "NOT KNOWN"
    assert "'AWS_VPC_ID'" in table[-1]


def test_the_source_of_tags_is_the_one_that_gave_them() -> None:
    of_imds = Findings(tags={"docker.role": "web"}, tags_source="imds")
    assert f"  'docker.role'  'web'  ({OF_TAG})" in printed(of_imds, "table").splitlines()


def test_what_somebody_else_said_is_told_as_theirs() -> None:
    found = Findings(
        variables={"AWS_REGION": "x"}, sources={"AWS_REGION": "the EC2 API, Field"}, fields={}
    )
    (fact,) = what_is_shown(found).metadata
    assert fact.source == "the EC2 API, Field"


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_both_documents_say_the_same(form: Format) -> None:
    text = printed(FOUND, form)
    read = json.loads(text) if form == "json" else yaml.safe_load(text)
    unknown = read.pop("not_known")
    assert sorted({*unknown, *MISSING, *FOUND.variables}) == sorted(VARIABLES)
    assert read == {
        "metadata": {
            "AWS_AUTOSCALING_GROUP": {"value": "web", "source": "tag aws:autoscaling:groupName"},
            "AWS_HOSTNAME": {"value": FOUND.variables["AWS_HOSTNAME"], "source": "IMDS, hostname"},
            "AWS_REGION": {"value": "eu-west-1", "source": "identity document, region"},
        },
        "tags": {
            "aws:autoscaling:groupName": {"value": "web", "source": "EC2 API, DescribeTags"},
            "docker.role": {"value": "web", "source": "EC2 API, DescribeTags"},
        },
        "does_not_have": ["AWS_IPV6", "AWS_PUBLIC_IPV4"],
        "unread_tags": [],
        "warnings": [],
    }


def test_the_group_is_a_tag_so_it_is_known_to_be_missing_where_the_tags_are_known() -> None:
    group = "AWS_AUTOSCALING_GROUP"
    everything = Findings(unread_variables=frozenset(), tags={}, tags_source="imds")
    assert group in what_is_shown(everything).absent
    no_tags = Findings(unread_variables=frozenset(), tags=None)
    assert what_is_shown(no_tags).unknown == (group,)
    unread = Findings(tags={}, unread_tags={"aws:autoscaling:groupName": "503"})
    shown = what_is_shown(unread)
    assert group in shown.unknown
    assert shown.unread_tags == ("aws:autoscaling:groupName",)
    title = "TAGS THAT COULD NOT BE READ"
    assert f"{title}\n  'aws:autoscaling:groupName'\n" in printed(unread, "table")


def test_tags_that_no_source_gave_are_not_the_same_as_none() -> None:
    assert "TAGS\n  not known\n" in printed(Findings(), "table")
    assert "TAGS\n  none\n" in printed(Findings(tags={}), "table")
    assert json.loads(printed(Findings(), "json"))["tags"] is None
    assert yaml.safe_load(printed(Findings(), "yaml"))["tags"] is None


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_nothing_found_is_shown_as_nothing(form: Format) -> None:
    assert "None" not in printed(Findings(), form)


def test_warnings_are_in_the_documents() -> None:
    what = what_is_shown(Findings(), ["mind the gap"])
    assert json.loads("\n".join(lines(what, "json")))["warnings"] == ["mind the gap"]


@given(key=TEXT, value=TEXT)
def test_no_tag_can_forge_a_row_or_reach_the_terminal(key: str, value: str) -> None:
    found = Findings(tags={key: value}, tags_source="imds")
    table = list(lines(what_is_shown(found), "table"))
    assert all(line.isprintable() and len(line) <= 80 for line in table)
    titles = [line for line in table if not line.startswith(" ")]
    assert titles == ["METADATA", "TAGS", "DOES NOT HAVE", "NOT KNOWN"]
    for form in ("json", "yaml"):
        assert all(line.isprintable() for line in printed(found, form).splitlines())


@given(key=TEXT, value=TEXT)
def test_documents_give_any_tag_back_as_it_is(key: str, value: str) -> None:
    found = Findings(tags={key: value}, tags_source="api")
    tree: Any = {key: {"value": value, "source": "EC2 API, DescribeTags"}}
    assert json.loads(printed(found, "json"))["tags"] == tree
    assert yaml.safe_load(printed(found, "yaml"))["tags"] == tree
