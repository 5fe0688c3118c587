"""The table of all rules, which is in rules.yml, and what a finding of one of them is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml


class Rule(NamedTuple):
    """A rule: why a finding matters, how to fix it, and what a service must have."""

    why: str
    fix: str
    has: Mapping[str, str] = {}
    started: str = ""


class Finding(NamedTuple):
    """One finding, as it is shown: its line, from 1, and no value that may be a secret."""

    line: int
    rule: str
    reason: str
    fix: str


@cache
def load_rules(package: str = __package__) -> dict[str, Rule]:
    """Return the rules of a package by their names."""
    raw: Any = yaml.safe_load(files(package).joinpath("rules.yml").read_bytes())
    return {name: Rule(**row) for name, row in raw.items()}


def finding(rule: str, line: int, what: str, fix: str = "", why: str = "") -> Finding:
    """Return a finding; ``fix`` and ``why`` are the rule's own if they are empty."""
    row = load_rules()[rule]
    return Finding(line, rule, f"{what}: {why or row.why}", fix or row.fix)
