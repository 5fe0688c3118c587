"""The findings, as text and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from rancheros_ec2_metadata.check.finding import Finding
from rancheros_ec2_metadata.errors import escape
from rancheros_ec2_metadata.hosts.rancheros.user_data import Form

Format = Literal["text", "json"]

# Of the JSON; a number that a program can ask for. docs/check.md has the schema.
SCHEMA = 2
_WIDTH = 100
RUNS = "RancherOS runs it at each console start, after this program and before Docker"


class CheckedFile(NamedTuple):
    """What was found in one file, as the JSON has it."""

    file: str
    form: Form
    services: tuple[str, ...]
    findings: tuple[Finding, ...]

    def summarise(self) -> str:
        """Return what kind of file it is, and how much was found in it."""
        count = len(self.findings)
        found = "nothing found" if not count else f"{count} finding{'s' * (count > 1)}"
        services = f"services: {', '.join(self.services) or 'none of this program'}"
        what = RUNS if self.form is Form.SCRIPT else services
        return f"{self.file}: {self.form}, {what}; {found}"


def render(files: Sequence[CheckedFile], release: str, form: Format) -> Iterator[str]:
    """Yield the lines to print, with control characters escaped."""
    if form == "json":
        trees = [
            {**one._asdict(), "findings": [finding._asdict() for finding in one.findings]}
            for one in files
        ]
        yield json.dumps({"schema": SCHEMA, "release": release, "files": trees}, indent=2)
        return
    for one in files:
        for line, rule, reason, fix in one.findings:
            yield escape(f"{one.file}:{line}: [{rule}]")
            for text in (reason, f"fix: {fix}"):
                yield from textwrap.wrap(
                    f"  {escape(text)}", _WIDTH, subsequent_indent="    ", break_on_hyphens=False
                )
