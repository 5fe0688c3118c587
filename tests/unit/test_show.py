from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata.commands.show import Format, find_value, make_shown_tree, render_tree
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.instance import VARIABLES
from rancheros_ec2_metadata.errors import Ec2Error, UsageError
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

MISSING = {"AWS_IPV6", "AWS_PUBLIC_IPV4"}
FOUND = Facts(
    variables={
        "AWS_REGION": "eu-west-1",
        "AWS_AUTOSCALING_GROUP": "web",
        "AWS_HOSTNAME": "ip-10-0-0-12.eu-west-1.compute.internal",
    },
    sources={
        "AWS_REGION": "identity document, region",
        "AWS_AUTOSCALING_GROUP": "tag aws:autoscaling:groupName",
        "AWS_HOSTNAME": "IMDS, hostname",
    },
    unread_variables=frozenset(VARIABLES) - MISSING,
    tags={"docker.role": "web", "aws:autoscaling:groupName": "web"},
    tags_source="api",
)
# What EC2 allows in a tag, and what no terminal should be sent.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)


def printed(facts: Facts, form: Format) -> str:
    return "\n".join(render_tree(make_shown_tree(facts), form)) + "\n"


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
    }


def test_the_group_is_a_tag_so_it_is_known_to_be_missing_where_the_tags_are_known() -> None:
    group = "AWS_AUTOSCALING_GROUP"
    everything = Facts(unread_variables=frozenset(), tags={}, tags_source="imds")
    assert group in make_shown_tree(everything)["does_not_have"]
    no_tags = Facts(unread_variables=frozenset(), tags=None)
    assert make_shown_tree(no_tags)["not_known"] == [group]
    unread = Facts(tags={}, unread_tags={"aws:autoscaling:groupName": "503"})
    assert group in make_shown_tree(unread)["not_known"]
    assert make_shown_tree(unread)["unread_tags"] == ["aws:autoscaling:groupName"]
    title = "TAGS THAT COULD NOT BE READ"
    assert f"{title}\n  'aws:autoscaling:groupName'\n" in printed(unread, "table")


def test_tags_that_no_source_gave_are_not_the_same_as_none() -> None:
    assert "TAGS\n  not known\n" in printed(Facts(), "table")
    assert "TAGS\n  none\n" in printed(Facts(tags={}), "table")
    assert json.loads(printed(Facts(), "json"))["tags"] is None
    assert yaml.safe_load(printed(Facts(), "yaml"))["tags"] is None


@given(key=TEXT, value=TEXT)
def test_no_tag_can_forge_a_row_or_reach_the_terminal(key: str, value: str) -> None:
    found = Facts(tags={key: value}, tags_source="imds")
    table = list(render_tree(make_shown_tree(found), "table"))
    assert all(line.isprintable() and len(line) <= 80 for line in table)
    titles = [line for line in table if not line.startswith(" ")]
    assert titles == ["METADATA", "TAGS", "DOES NOT HAVE", "NOT KNOWN"]
    for form in ("json", "yaml"):
        assert all(line.isprintable() for line in printed(found, form).splitlines())


@given(key=TEXT, value=TEXT)
def test_documents_give_any_tag_back_as_it_is(key: str, value: str) -> None:
    found = Facts(tags={key: value}, tags_source="api")
    expected: Any = {key: {"value": value, "source": "EC2 API, DescribeTags"}}
    assert json.loads(printed(found, "json"))["tags"] == expected
    assert yaml.safe_load(printed(found, "yaml"))["tags"] == expected


def test_the_metadata_can_be_read_by_a_shell(tmp_path: Path) -> None:
    hostile = {"AWS_HOSTNAME": "a b'; touch x; $(touch y)", "AWS_SECURITY_GROUPS": "a\nX=1"}
    facts = FOUND._replace(
        variables={**FOUND.variables, **hostile},
        sources={**FOUND.sources, "AWS_SECURITY_GROUPS": "IMDS, security-groups"},
    )
    script = printed(facts, "env") + 'printf "%s|%s|%s" "$AWS_HOSTNAME" "$AWS_REGION" "$X"'
    out = subprocess.check_output(["sh", "-c", script], text=True, cwd=tmp_path)
    assert out == f"{hostile['AWS_HOSTNAME']}|eu-west-1|"
    assert "# AWS_SECURITY_GROUPS is left out" in script
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", "eu-west-1"),
        ("region", "eu-west-1"),
        ("tag:region", "of the tag"),
        ("docker.role", "web"),
        ("autoscaling-group", "web"),
    ],
)
def test_one_value_is_found_by_its_name(name: str, value: str) -> None:
    facts = FOUND._replace(tags={"region": "of the tag", "docker.role": "web"})
    assert find_value(facts, name) == value


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("AWS_IPV6", Ec2Error, "the instance does not have AWS_IPV6"),
        ("vpc-id", Ec2Error, "AWS_VPC_ID could not be read"),
        ("AWS_RGION", UsageError, "'AWS_RGION'"),
        ("docker.rol", Ec2Error, "the instance has no tag 'docker.rol'"),
        ("tag:docker.zone", Ec2Error, "the tag 'docker.zone' could not be read"),
    ],
)
def test_a_value_that_is_not_there_is_an_error_that_names_it(
    name: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        find_value(FOUND._replace(unread_tags={"docker.zone": "503"}), name)


def test_the_command_prints_one_value_alone(tmp_path: Path) -> None:
    instance = FakeInstance(tags={"docker.role": "web"})
    with FakeImds(instance) as imds:
        ran = {
            name: program.run(MachineDisk(tmp_path / name), "show", name, imds=imds)
            for name in ("docker.role", "local-ipv4", "ipv6")
        }
    assert (ran["docker.role"].out, ran["docker.role"].status) == ("web\n", 0)
    assert ran["local-ipv4"].out == f"{instance.local_ipv4}\n"
    assert (ran["ipv6"].out, ran["ipv6"].status) == ("", 4)
    assert ran["ipv6"].line("error", "the instance does not have AWS_IPV6")


@pytest.mark.parametrize(
    "instance",
    [
        FakeInstance(local_ipv4=None, ipv6="2001:db8::12", extra={"local-ipv4": "169.254.49.58"}),
        FakeInstance(
            availability_zone="us-east-1-wl1-bos-wlz-1",
            region="us-east-1",
            extra={"dynamic/instance-identity/document": None},
        ),
        FakeInstance(role="node", autoscaling_group="web", public_ipv4="198.51.100.7"),
    ],
    ids=["IPv6-only", "no document", "plain"],
)
def test_plan_names_the_sources_that_show_names(tmp_path: Path, instance: FakeInstance) -> None:
    disk = MachineDisk(tmp_path)
    with FakeImds(instance) as imds:
        plan = program.run(
            disk, "plan", "-m", "--metadata-labels", "region", "--format", "json", imds=imds
        )
        shown = json.loads(program.run(disk, "show", "--format", "json", imds=imds).out)
    planned = json.loads(plan.out)
    said = {
        (one["source"]["name"], one["source"]["text"])
        for one in (*planned["variables"], *planned["labels"])
        if one["source"]["kind"] == "metadata"
    }
    assert said == {(name, f"metadata: {one['source']}") for name, one in shown["metadata"].items()}
