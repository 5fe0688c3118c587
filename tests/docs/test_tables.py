"""The tables of docs/reference.md are those of the program."""

from __future__ import annotations

import re

import pytest

from docs.pages import Page
from rancheros_ec2_metadata.ec2 import retry
from rancheros_ec2_metadata.ec2.retry import GracePeriods, RetryPolicy, choose_grace_periods
from rancheros_ec2_metadata.options import AWS_VARIABLES
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.settings import NEVER_FROM_TAGS

REFERENCE = Page("docs/reference.md")


def table(start: str) -> list[list[str]]:
    """Return the cells of the table whose heading begins so."""
    rows = REFERENCE.table(start).splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_config_paths_are_those_of_the_program_with_when_they_count() -> None:
    effects = {"this boot": config_paths.THIS_BOOT, "next boot": config_paths.NEXT_BOOT}
    said = {path: effects[row[-1]] for row in table("path |") for path in names(row[0])}
    assert said == {row.path: row.effect for row in config_paths.TABLE}


def test_the_retry_numbers_are_those_of_the_program() -> None:
    policies = {name: one for name, one in vars(retry).items() if isinstance(one, RetryPolicy)}
    said = {names(row[0])[0]: row[1:] for row in table("asked again |")}
    assert said == {
        name: [f"{one.first:g} s", f"{one.longest:g} s", str(one.tries or "no limit")]
        for name, one in policies.items()
    }


@pytest.mark.parametrize(("column", "kept"), [(1, False), (2, True)])
def test_the_time_that_a_young_instance_is_given_is_the_programs(column: int, kept: bool) -> None:
    given = choose_grace_periods(1, kept=kept)._asdict()
    said = {names(row[0])[0]: row[column] for row in table("what | seconds")}
    numbers = {name: text.replace("as reading may last", "inf") for name, text in said.items()}
    assert {name: float(text) for name, text in numbers.items()} == given
    assert f"less than {retry.YOUNG_SECONDS / 60:g} minutes" in REFERENCE.text
    assert choose_grace_periods(retry.YOUNG_SECONDS, kept=False) == GracePeriods()


def test_the_variables_of_awss_own_are_those_that_are_read() -> None:
    said = [name for row in table("variable | meaning") for name in names(row[0])]
    assert [name for name in said if name.startswith("AWS_")] == list(AWS_VARIABLES)


def test_the_names_that_no_tag_sets_are_those_of_the_program() -> None:
    said = REFERENCE.text.partition("Never set from a tag:")[2].partition(". The proxy")[0]
    assert set(names(said)) == NEVER_FROM_TAGS
