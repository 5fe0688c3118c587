"""Which of the flags of plan say which disk it is for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.errors import UsageError
from rancheros_ec2_metadata.rancheros import disk as paths

if TYPE_CHECKING:
    import argparse

    from rancheros_ec2_metadata.settings import Settings


def check_disk(given: argparse.Namespace, settings: Settings) -> None:
    """Look at the flags that say which disk a plan is for.

    Raises:
        UsageError: they contradict each other, or name none where there is none.
    """
    if given.user_data is None and given.release is not None:
        raise UsageError("--release is for --user-data: a disk says itself which release it is")
    if given.user_data is not None and settings.root != Path("/"):
        raise UsageError("--user-data and --root (AWS_METADATA_ROOT) are two disks: give one")
    has_disk = given.user_data is not None or (settings.root / paths.CONF.lstrip("/")).is_dir()
    if given.instance is not None and not has_disk:
        raise UsageError(
            "--instance: which disk is the plan for? Give --user-data FILE, or --root DIR with a "
            f"copy of one: there is no {paths.CONF} below {settings.root}"
        )
