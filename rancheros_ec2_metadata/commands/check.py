"""``check``: what in a cloud-config would break, before it is put into a launch template."""

from __future__ import annotations

from rancheros_ec2_metadata import given_file
from rancheros_ec2_metadata.check import rules
from rancheros_ec2_metadata.check.checked_file import MOST_BYTES, NEWEST_RELEASE, File
from rancheros_ec2_metadata.check.output import CheckedFile, render
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, UsageError, quote
from rancheros_ec2_metadata.hosts.rancheros.release import Release, parse_release

from .invocation import Invocation


def run(invocation: Invocation) -> int:
    """Check each file for itself, and print what was found."""
    release = _choose_release(invocation.given.release)
    checked = []
    for name in invocation.given.files:
        try:
            raw = given_file.read(name, MOST_BYTES)
        except FilesError as error:
            invocation.log.note(error.note())
            continue
        file = File.of(raw, release)
        services = tuple(service.name for service in file.ours)
        checked.append(CheckedFile(name, file.form, services, tuple(rules.check(file))))
        invocation.log.line(checked[-1].summarise())
    invocation.process.print(render(checked, release.text, invocation.given.format))
    found = any(one.findings for one in checked)
    return invocation.log.status() or (ExitStatus.FINDINGS if found else ExitStatus.OK)


def _choose_release(name: str | None) -> Release:
    if name is None or name == NEWEST_RELEASE.text:
        return NEWEST_RELEASE
    release = parse_release(name)
    if release is None:
        raise UsageError(f"--release: {quote(name)} is no release, such as v1.5.8")
    return release
