"""``check``: what in a cloud-config would break, before it is put into a launch template."""

from __future__ import annotations

from rancheros_ec2_metadata import given_file
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.report import Judged, lines
from rancheros_ec2_metadata.check.table import judge
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, UsageError, shown
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros.release import NEWEST, Release

from .call import Call

_MOST_BYTES = 128 * 1024
_NEWEST = "newest"


def run(call: Call) -> int:
    """Judge each file for itself, and print what was found."""
    release = _release(call.given.release)
    judged = []
    for name in call.given.files:
        try:
            raw = given_file.read(name, _MOST_BYTES)
        except FilesError as error:
            call.log.note(error.note())
            continue
        file = File.of(raw, release)
        services = tuple(service.name for service in file.ours)
        judged.append(Judged(name, file.form, services, tuple(judge(file))))
        call.log.line(judged[-1].summary())
    call.terminal.print(lines(judged, release.text, call.given.format))
    found = any(one.findings for one in judged)
    return call.log.status() or (ExitStatus.FINDINGS if found else ExitStatus.OK)


def _release(name: str | None) -> Release:
    if name is None or name == _NEWEST:
        return Release(NEWEST, _NEWEST, "the newest")
    release = releases.named(name)
    if release is None:
        raise UsageError(f"--release: {shown(name)} is no release, such as v1.5.8")
    return release
