"""The table of all rules, and what they find in a file."""

from __future__ import annotations

from rancheros_ec2_metadata.check import docker_rules, loading_rules, service_rules
from rancheros_ec2_metadata.check.checked_file import File
from rancheros_ec2_metadata.check.finding import Finding, Rule

RULES: tuple[Rule, ...] = (*loading_rules.RULES, *service_rules.RULES, *docker_rules.RULES)


def check(file: File) -> list[Finding]:
    """Return what the rules find in a file, by line."""
    # libyaml finds what is missing at the end behind the last line.
    last = max(1, len(file.raw.splitlines()))
    # Of what is not loaded there is no more to say.
    is_lost = file.document.problem or file.document.lost
    rules = loading_rules.LOADING if is_lost else RULES
    found = [
        Finding(
            min(one.line, last),
            rule.name,
            f"{one.what}: {one.why or rule.why}",
            one.fix or rule.fix,
        )
        for rule in rules
        for one in rule.find(file)
    ]
    return sorted(dict.fromkeys(found), key=lambda finding: finding.line)
