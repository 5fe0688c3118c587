"""``check``: what in a cloud-config would break, before it is put into a launch template."""

from __future__ import annotations

from rancheros_ec2_metadata import given_file
from rancheros_ec2_metadata.check import rules
from rancheros_ec2_metadata.check.checked_file import MOST_BYTES, File
from rancheros_ec2_metadata.check.output import CheckedFile, lines
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, UsageError, quote
from rancheros_ec2_metadata.hosts.rancheros.release import NEWEST, Release, parse_release

from .call import Call

NEWEST_RELEASE = Release(NEWEST, "newest")


def run(call: Call) -> int:
    """Check each file for itself, and print what was found."""
    release = _release(call.given.release)
    checked = []
    for name in call.given.files:
        try:
            raw = given_file.read(name, MOST_BYTES)
        except FilesError as error:
            call.log.note(error.note())
            continue
        file = File.of(raw, release)
        services = tuple(service.name for service in file.ours)
        checked.append(CheckedFile(name, file.form, services, tuple(rules.check(file))))
        call.log.line(checked[-1].summary())
    call.terminal.print(lines(checked, release.text, call.given.format))
    found = any(one.findings for one in checked)
    return call.log.status() or (ExitStatus.FINDINGS if found else ExitStatus.OK)


def _release(name: str | None) -> Release:
    if name is None or name == NEWEST_RELEASE.text:
        return NEWEST_RELEASE
    release = parse_release(name)
    if release is None:
        raise UsageError(f"--release: {quote(name)} is no release, such as v1.5.8")
    return release
