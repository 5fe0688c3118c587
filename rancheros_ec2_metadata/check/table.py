"""The table of rules. docs/check.md has each of them, with the same words."""

from __future__ import annotations

from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.finding import Finding, Rule
from rancheros_ec2_metadata.check.rules import (
    container,
    content,
    docker,
    environment,
    labels,
    loading,
    order,
    settings,
)

RULES: tuple[Rule, ...] = (
    *loading.RULES,
    *content.RULES,
    *order.RULES,
    *container.RULES,
    *settings.RULES,
    *labels.RULES,
    *environment.RULES,
    *docker.RULES,
)


def judge(file: File) -> list[Finding]:
    """Return what the rules find in a file, by line."""
    # libyaml finds what is missing at the end behind the last line.
    last = max(1, len(file.raw.splitlines()))
    # Of what is not loaded there is no more to say.
    rules = RULES if file.problem is None else loading.RULES
    found = [
        Finding(
            min(one.line, last),
            rule.name,
            f"{one.what}: {one.why or rule.why}",
            one.mend or rule.mend,
        )
        for rule in rules
        for one in rule.judge(file)
    ]
    return sorted(dict.fromkeys(found), key=lambda finding: finding.line)
