from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.ec2.findings import Findings
from rancheros_ec2_metadata.show import Format, lines

FOUND = Findings(
    variables={"AWS_REGION": "eu-west-1", "AWS_AUTOSCALING_GROUP": "web"},
    tags={"docker.role": "web", "aws:autoscaling:groupName": "web"},
    tags_source="api",
)
# What EC2 allows in a tag, and what no terminal should be sent.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)


def printed(findings: Findings, form: Format) -> str:
    return "\n".join(lines(findings, form)) + "\n"


def test_the_table_has_a_row_for_each_fact_with_its_source() -> None:
    assert printed(FOUND, "table").splitlines() == [
        "METADATA",
        "  'AWS_AUTOSCALING_GROUP'  'web'  (tag aws:autoscaling:groupName)",
        "  'AWS_REGION'             'eu-west-1'  (identity document, region)",
        "TAGS",
        "  'aws:autoscaling:groupName'  'web'  (the EC2 API)",
        "  'docker.role'                'web'  (the EC2 API)",
    ]


def test_the_source_of_tags_is_the_one_that_gave_them() -> None:
    of_imds = Findings(tags={"docker.role": "web"}, tags_source="imds")
    assert printed(of_imds, "table").splitlines()[-1].endswith("(the metadata service)")


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_both_documents_say_the_same(form: Format) -> None:
    text = printed(FOUND, form)
    read = json.loads(text) if form == "json" else yaml.safe_load(text)
    assert read == {
        "metadata": {
            "AWS_AUTOSCALING_GROUP": {"value": "web", "source": "tag aws:autoscaling:groupName"},
            "AWS_REGION": {"value": "eu-west-1", "source": "identity document, region"},
        },
        "tags": {
            "aws:autoscaling:groupName": {"value": "web", "source": "the EC2 API"},
            "docker.role": {"value": "web", "source": "the EC2 API"},
        },
    }


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_nothing_found_is_shown_as_nothing(form: Format) -> None:
    assert "None" not in printed(Findings(), form)


@given(key=TEXT, value=TEXT)
def test_no_tag_can_forge_a_row_or_reach_the_terminal(key: str, value: str) -> None:
    found = Findings(tags={key: value}, tags_source="imds")
    table = list(lines(found, "table"))
    assert len(table) == 3
    assert all(line.isprintable() for line in table)
    for form in ("json", "yaml"):
        assert all(line.isprintable() for line in printed(found, form).splitlines())


@given(key=TEXT, value=TEXT)
def test_documents_give_any_tag_back_as_it_is(key: str, value: str) -> None:
    found = Findings(tags={key: value}, tags_source="imds")
    tree: Any = {key: {"value": value, "source": "the metadata service"}}
    assert json.loads(printed(found, "json"))["tags"] == tree
    assert yaml.safe_load(printed(found, "yaml"))["tags"] == tree
