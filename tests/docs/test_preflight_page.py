"""What docs/preflight.md says is so."""

from __future__ import annotations

import re

from docs.pages import Page
from rancheros_ec2_metadata.check.finding import Rule
from rancheros_ec2_metadata.preflight.findings import RULES
from rancheros_ec2_metadata.preflight.forecast_report import SCHEMA

PAGE = Page("docs/preflight.md")


def test_the_page_has_every_rule_with_its_reason_and_its_fix() -> None:
    table = PAGE.text.partition("\n| rule |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| .+ \| (.+) \| (.+) \|$", table, re.MULTILINE)
    assert {name: Rule(why, fix) for name, why, fix in rows} == RULES


def test_the_page_has_the_schema_of_the_json() -> None:
    assert f"| `schema` | number | {SCHEMA} |" in PAGE.text
