"""What is in effect on a machine, for tests to compare with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .config_structs import Series
from .loading import Disk, FatalError, Loaded, load, series_of
from .root_folder import read_disk
from .yaml_scalars import Node


class UnreadableError(Exception):
    """Every ``ros config get`` fails."""


def in_effect(where: Disk | Path, release: str) -> dict[str, Node]:
    """Return the whole configuration as ``ros config get`` answers it, key by key.

    Args:
        where: a machine's disk, or its root folder. release: its name, as ``v1.5.8``.

    Raises:
        UnreadableError: every question fails.
    """
    try:
        loaded = _loaded(where, release)
    except FatalError as error:
        raise UnreadableError(str(error)) from None
    if loaded.unreadable:
        raise UnreadableError(loaded.unreadable)
    return loaded.tree


def docker_arguments(where: Disk | Path, release: str, key: str = "extra_args") -> list[str]:
    """Return the list in effect at rancher.docker.``key``; empty if the release has no such key."""
    items: list[str] = in_effect(where, release)["rancher"]["docker"].get(key, [])
    return list(items)


def environment(where: Disk | Path, release: str) -> dict[str, str]:
    """Return rancher.environment."""
    variables: dict[str, str] = in_effect(where, release)["rancher"]["environment"]
    return dict(variables)


def dockerd_argv(where: Disk | Path, release: str, folder: Path) -> list[str] | None:
    """Return the arguments of the two lists that reach dockerd; None if it is never started.

    Args:
        where: a machine's disk, or its root folder. release: its name, as ``v1.5.8``.
        folder: an empty one for the shell to be in, as ``*`` is expanded.
    """
    try:
        docker = _loaded(where, release).tree["rancher"]["docker"]
    except FatalError:
        return [] if series_of(release) == Series.V0_4_5 else None
    items: list[str] = [*docker.get("args", []), *docker["extra_args"]]
    if release.removeprefix("v").startswith(("0.4", "0.5")):
        return items
    command = f"exec /usr/bin/printf '%s\\0' dockerd {' '.join(items)}"
    printed = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, timeout=90, check=False
    ).stdout.decode()
    return printed.split("\0")[1:-1] if printed else None


def _loaded(where: Disk | Path, release: str) -> Loaded:
    return load(where if isinstance(where, Disk) else read_disk(where), release)
