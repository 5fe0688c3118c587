"""The disk that a plan at a desk is made for: a copy of one, or the first boot with user-data."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rancheros_ec2_metadata import given_file
from rancheros_ec2_metadata.commands.target import check_instance
from rancheros_ec2_metadata.errors import FilesError, UsageError, info, shown
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.scratch import scratch

from .flags import check_disk
from .user_data import saved

if TYPE_CHECKING:
    from rancheros_ec2_metadata.commands.call import Call
    from rancheros_ec2_metadata.settings import Settings

NEWEST = "v1.5.8"
BOOT_YML = f"{paths.CLOUD_CONFIG_D}/boot.yml"

# As os-config.yml has them where `args` is in use (v0.4 to v0.6).
_ARGS = ["daemon", "--log-opt", "max-size=25m", "--log-opt", "max-file=2", "-s", "overlay"]
_ARGS += ["-G", "docker", "-H", "unix:///var/run/docker.sock"]


@contextlib.contextmanager
def settings_on_disk(call: Call) -> Iterator[Settings]:
    """Yield the settings of a plan, with the root that stands for the disk it is made for.

    Raises:
        UsageError: the flags contradict each other, or name no disk.
        FilesError: the user-data cannot be read, or there is no place for the disk.
    """
    given, settings = call.given, call.settings
    check_instance(given)
    check_disk(given, settings)
    if given.user_data is None:
        yield settings
        return
    release, os_config = _os_config(NEWEST if given.release is None else given.release)
    name = given.user_data
    try:
        kept = saved(given_file.read(name, paths.SIZE_LIMIT), release)
    except FilesError as error:
        raise FilesError(f"--user-data: {error}") from None
    called = "standard input" if name == given_file.STANDARD_INPUT else shown(name)
    call.log.note(info(f"planned for a first boot of {release.text} with {called} as user-data"))
    call.log.notes(kept.notes)
    # The run's line reads a machine's files below a root: this is one, for its owner's eyes only.
    with scratch("plan") as root:
        (root / paths.CLOUD_CONFIG_D.lstrip("/")).mkdir(parents=True)
        for path, content in ((paths.OS_CONFIG, os_config), (BOOT_YML, kept.boot_yml)):
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is not None:
                target.write_bytes(content)
        yield replace(settings, root=root)


def _os_config(version: str) -> tuple[Release, bytes]:
    """Return a release, and as much of its os-config.yml as a plan looks at.

    Raises:
        UsageError: it is no release.
    """
    release = releases.named(version)
    if release is None:
        raise UsageError(f"--release: {shown(version)} is no release, such as {NEWEST} or v0.6.1")
    config: dict[str, Any] = {"rancher": {"environment": {"VERSION": version}}}
    if "args" in release.argument_keys:
        config["rancher"]["docker"] = {"args": _ARGS}
    return release, json.dumps(config).encode("ascii")  # JSON is YAML too
