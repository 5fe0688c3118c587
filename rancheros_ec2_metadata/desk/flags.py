"""Which of the flags of plan and show make sense together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.errors import UsageError, shown
from rancheros_ec2_metadata.hosts.rancheros import paths

if TYPE_CHECKING:
    import argparse

    from rancheros_ec2_metadata.settings import Settings

_INSTANCE_ID = re.compile(r"i-[0-9a-f]{1,32}")


def check_instance(given: argparse.Namespace) -> None:
    """Look at the flags that say which instance, and who asks.

    Raises:
        UsageError: they make no sense.
    """
    if given.instance is None:
        for flag in ("profile", "region"):
            if getattr(given, flag) is not None:
                raise UsageError(f"--{flag} is for --instance: a machine asks with its own role")
    elif not _INSTANCE_ID.fullmatch(given.instance):
        text = f"--instance: {shown(given.instance)} is no instance id"
        raise UsageError(f"{text}, such as i-0123456789abcdef0")


def check_disk(given: argparse.Namespace, settings: Settings) -> None:
    """Look at the flags that say which disk a plan is for.

    Raises:
        UsageError: they contradict each other, or name none where there is none.
    """
    if given.user_data is None and given.release is not None:
        raise UsageError("--release is for --user-data: a disk says itself which release it is")
    if given.user_data is not None and settings.root != Path("/"):
        raise UsageError("--user-data and --root (AWS_METADATA_ROOT) are two disks: give one")
    has_disk = given.user_data is not None or paths.locate(settings.root, paths.CONF).is_dir()
    if given.instance is not None and not has_disk:
        raise UsageError(
            "--instance: which disk is the plan for? Give --user-data FILE, or --root DIR with a "
            f"copy of one: there is no {paths.CONF} below {settings.root}"
        )
