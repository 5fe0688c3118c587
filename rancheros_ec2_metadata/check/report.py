"""What was found, as lines for somebody who reads it and as JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rancheros_ec2_metadata.check.finding import Finding
from rancheros_ec2_metadata.check.form import Form
from rancheros_ec2_metadata.errors import printable

Format = Literal["text", "json"]

# Of the JSON; a number that a program can ask for. docs/check.md has the schema.
SCHEMA = 1


@dataclass(frozen=True)
class Judged:
    """One file, judged.

    Args:
        file: its name, as it was given.
        form: which kind of file it is.
        services: those of this program in it.
        findings: by line.
    """

    file: str
    form: Form
    services: tuple[str, ...]
    findings: tuple[Finding, ...]

    def summary(self) -> str:
        """Return what kind of file it is, and how much was found in it."""
        count = len(self.findings)
        found = "nothing found" if not count else f"{count} finding{'s' if count > 1 else ''}"
        services = ", ".join(self.services) or "none of this program"
        return f"{self.file}: {self.form}, services: {services}; {found}"


def lines(judged: Sequence[Judged], release: str, form: Format) -> Iterator[str]:
    """Yield the lines to print; what is hostile in them cannot reach the terminal."""
    if form == "json":
        tree = {"schema": SCHEMA, "release": release, "files": [asdict(one) for one in judged]}
        yield json.dumps(tree, indent=2)
        return
    for one in judged:
        for finding in one.findings:
            text = f"{finding.reason}; {finding.mend}"
            yield printable(f"{one.file}:{finding.line}: [{finding.rule}] {text}")
