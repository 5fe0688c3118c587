"""``uninstall``: the units and the program removed, and what it wrote."""

from __future__ import annotations

import contextlib
import shutil

from rancheros_ec2_metadata.commands.clean import clean
from rancheros_ec2_metadata.commands.install import Systemctl, run_systemctl
from rancheros_ec2_metadata.commands.invocation import Invocation
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.hosts.files import Files
from rancheros_ec2_metadata.hosts.systemd import units
from rancheros_ec2_metadata.hosts.systemd.found_machine import STATE_FOLDER
from rancheros_ec2_metadata.hosts.systemd.systemd_host import make_systemd
from rancheros_ec2_metadata.runtime import Target


def run(invocation: Invocation) -> int:
    """Stop and remove the units, then remove and restore all else."""
    limit = Limit.after(invocation.settings.deadline, Clock())
    host = make_systemd(invocation.settings, limit, off_machine=False)
    target = Target(host, Files(host.locate, dry=invocation.given.dry_run), invocation.log)
    return uninstall(invocation, target, limit, run_systemctl)


def uninstall(invocation: Invocation, target: Target, limit: Limit, systemctl: Systemctl) -> int:
    """Remove the units and the program; return the exit status.

    `clean` runs before their files are removed, so that a failed uninstall can be repeated.

    Raises:
        FilesError: a file cannot be written, or systemd says no.
    """
    locate = target.files.locate
    there = [name for name in units.UNITS if locate(f"{units.FOLDER}/{name}").exists()]
    paths = [*(f"{units.FOLDER}/{name}" for name in there), units.LAUNCHER]
    if invocation.given.dry_run:
        every = [*paths, units.LIBRARY]
        invocation.process.print(f"remove {path}" for path in every if locate(path).exists())
        return clean(invocation, target, limit)
    if there:
        systemctl("disable", "--now", *there)
    status = clean(invocation, target, limit)
    if status == ExitStatus.OK:
        for path in paths:
            locate(path).unlink(missing_ok=True)
        systemctl("daemon-reload")
        with contextlib.suppress(OSError):
            locate(STATE_FOLDER).rmdir()
        # Last: this may be the program that runs.
        shutil.rmtree(locate(units.LIBRARY), ignore_errors=True)
    return status
