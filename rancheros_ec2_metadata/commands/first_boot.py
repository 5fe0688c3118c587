"""The disk that a plan is made for: this machine's, a copy of one, or a first boot's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rancheros_ec2_metadata import given_file
from rancheros_ec2_metadata.errors import FilesError, UsageError, info, quote
from rancheros_ec2_metadata.hosts.files import SIZE_LIMIT
from rancheros_ec2_metadata.hosts.rancheros import paths, user_data
from rancheros_ec2_metadata.hosts.rancheros.release import parse_release
from rancheros_ec2_metadata.hosts.selection import choose_host
from rancheros_ec2_metadata.scratch import make_scratch_folder

if TYPE_CHECKING:
    import argparse

    from rancheros_ec2_metadata.commands.invocation import Invocation
    from rancheros_ec2_metadata.settings import Settings

NEWEST = "v1.5.8"
BOOT_YML = f"{paths.CLOUD_CONFIG_D}/boot.yml"


@contextlib.contextmanager
def make_first_disk(invocation: Invocation) -> Iterator[Settings]:
    """Yield the settings of a plan, with the root that stands for the disk it is made for.

    Raises:
        UsageError: the flags contradict each other, or name no disk.
        FilesError: the user-data cannot be read, or there is no place for the disk.
    """
    given, settings, name = invocation.given, invocation.settings, invocation.given.user_data
    if name is None:
        _check_disk(given, settings)
        yield settings
        return
    if settings.root != Path("/"):
        raise UsageError("--user-data and --root (AWS_METADATA_ROOT) are two disks: give one")
    if settings.host == "systemd":
        raise UsageError("--user-data is for RancherOS, which reads its configuration from it")
    version = NEWEST if given.release is None else given.release
    release = parse_release(version)
    if release is None:
        text = f"--release: {quote(version)} is not a release, such as {NEWEST} or v0.6.1"
        raise UsageError(text)
    try:
        found = user_data.classify(given_file.read(name, SIZE_LIMIT), release)
    except FilesError as error:
        raise FilesError(f"--user-data: {error}") from None
    called = "standard input" if name == given_file.STANDARD_INPUT else quote(name)
    invocation.log.note(
        info(f"planned for a first boot of {release.text} with {called} as user-data")
    )
    invocation.log.notes(user_data.explain(found))
    config: dict[str, Any] = {"rancher": {"environment": {"VERSION": version}}}
    saved = {paths.OS_CONFIG: json.dumps(config).encode("ascii")}  # JSON is YAML too
    if found.form is user_data.Form.CLOUD_CONFIG:
        saved[BOOT_YML] = found.plain
    # The plan reads a machine's files below a root: a temporary one, readable only by its owner.
    with make_scratch_folder("plan", saved) as root:
        (root / paths.CLOUD_CONFIG_D.lstrip("/")).mkdir(parents=True, exist_ok=True)
        yield settings._replace(root=root)


def _check_disk(given: argparse.Namespace, settings: Settings) -> None:
    """Check that there is a disk to plan for, without --user-data.

    Raises:
        UsageError: none is named and none is here.
    """
    if given.release is not None:
        raise UsageError("--release is for --user-data: a disk says itself which release it is")
    is_copy = settings.root != Path("/") and choose_host(settings) == "systemd"
    has_conf = paths.locate(settings.root, paths.CONF).is_dir()
    if given.instance is not None and not (has_conf or is_copy):
        raise UsageError(
            "--instance: which disk is the plan for? Give --user-data FILE, or --root DIR with a "
            f"copy of one: there is no {paths.CONF} below {settings.root}"
        )
