"""What docs/check.md says is so, and of docs/preflight.md its rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from docs.definitions import NAME, SERVICE_FILE, cloud_configs
from docs.pages import Page
from machine import release_named
from rancheros_ec2_metadata import preflight
from rancheros_ec2_metadata.check import rules
from rancheros_ec2_metadata.check.checked_file import File
from rancheros_ec2_metadata.check.finding import Rule, load_rules
from rancheros_ec2_metadata.commands.check import SCHEMA, make_report
from rancheros_ec2_metadata.hosts.rancheros.user_data import Form
from rancheros_ec2_metadata.preflight import forecast_report
from ros_stand_in import RELEASES

PAGE = Page("docs/check.md")
OFFERED = {
    "service/ec2-metadata.yml": SERVICE_FILE.read_text("utf-8"),
    **{one.source: one.text for one in cloud_configs()},
}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("source", OFFERED)
def test_nothing_is_found_in_what_is_offered(source: str, release: str) -> None:
    file = File(OFFERED[source].encode(), release_named(release))
    found = rules.check(file)
    assert found == []
    assert next(service.name for service in file.ours).startswith(NAME)


@pytest.mark.parametrize(
    ("page", "rules", "schema"),
    [
        (PAGE, load_rules(), SCHEMA),
        (Page("docs/preflight.md"), load_rules(preflight.__name__), forecast_report.SCHEMA),
    ],
    ids=["check", "preflight"],
)
def test_the_page_has_every_rule_with_its_reason_and_its_fix_and_the_schema(
    page: Page, rules: Mapping[str, Rule], schema: int
) -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| .+ \| (.+) \| (.+) \|$", page.text, re.MULTILINE)
    assert rows == [(name, rule.why, rule.fix) for name, rule in rules.items()]
    assert f"| `schema` | number | {schema} |" in page.text


def test_the_page_has_every_form() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", PAGE.table("form |"), re.MULTILINE) == list(Form)


def fields(tree: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in tree.items():
        yield f"{above}{name}"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from fields(value[0], f"{above}{name}[].")


def test_the_page_has_every_field_of_the_json() -> None:
    report = make_report("a", File(b"a: b\n", release_named("v1.5.8")))
    tree = {"schema": SCHEMA, "release": "v1.5.8", "files": [report]}
    table = PAGE.text.partition("\n| field |")[2]
    assert re.findall(r"^\| `([a-z.\[\]]+)` \|", table, re.MULTILINE) == list(fields(tree))
