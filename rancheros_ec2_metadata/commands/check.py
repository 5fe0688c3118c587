"""``check``: what in a cloud-config would break, before it is put into a launch template."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rancheros_ec2_metadata import columns, given_file
from rancheros_ec2_metadata.check import rules
from rancheros_ec2_metadata.check.checked_file import MOST_BYTES, NEWEST_RELEASE, File
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, UsageError, count, escape, quote
from rancheros_ec2_metadata.hosts.rancheros.release import Release, parse_release
from rancheros_ec2_metadata.hosts.rancheros.user_data import Form

from .invocation import Invocation

# Of the JSON; a number that a program can ask for. docs/check.md has the schema.
SCHEMA = 2
_WIDTH = 100  # a finding is a sentence or two
RUNS = "RancherOS runs it at each console start, after this program and before Docker"


def run(invocation: Invocation) -> int:
    """Check each file for itself, and print what was found."""
    release = _choose_release(invocation.given.release)
    reports = []
    for name in invocation.given.files:
        try:
            file = File(given_file.read(name, MOST_BYTES), release)
        except FilesError as error:
            invocation.log.note(error.note())
            continue
        reports.append(make_report(name, file))
        invocation.log.line(_summarise(reports[-1]))
    if invocation.given.format == "json":
        tree = {"schema": SCHEMA, "release": release.text, "files": reports}
        invocation.process.print([json.dumps(tree, indent=2)])
    else:
        invocation.process.print(line for one in reports for line in render_report(one))
    found = any(one["findings"] for one in reports)
    return invocation.log.status() or (ExitStatus.FINDINGS if found else ExitStatus.OK)


def make_report(name: str, file: File) -> dict[str, Any]:
    """Return what was found in one file, as the JSON has it."""
    return {
        "file": name,
        "form": file.form,
        "services": [service.name for service in file.ours],
        "findings": [finding._asdict() for finding in rules.check(file)],
    }


def render_report(report: dict[str, Any]) -> Iterator[str]:
    """Yield the lines to print for one file, with control characters escaped."""
    for one in report["findings"]:
        yield escape(f"{report['file']}:{one['line']}: [{one['rule']}]")
        yield from columns.wrap("  ", one["reason"], _WIDTH)
        yield from columns.wrap("  ", f"fix: {one['fix']}", _WIDTH)


def _summarise(report: dict[str, Any]) -> str:
    services = f"services: {', '.join(report['services']) or 'none of this program'}"
    what = RUNS if report["form"] is Form.SCRIPT else services
    found = count(len(report["findings"]), "finding") if report["findings"] else "nothing found"
    return f"{report['file']}: {report['form']}, {what}; {found}"


def _choose_release(name: str | None) -> Release:
    if name is None or name == NEWEST_RELEASE.text:
        return NEWEST_RELEASE
    release = parse_release(name)
    if release is None:
        raise UsageError(f"--release: {quote(name)} is no release, such as v1.5.8")
    return release
