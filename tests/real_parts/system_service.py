"""A RancherOS service file as the arguments of ``docker run``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def run_arguments(
    service: Mapping[str, Any], environment: Mapping[str, str], root: Path, image: str
) -> list[str]:
    """Return the arguments that follow ``docker``.

    Args:
        service: as in the file, its keys those of compose version 1.
        environment: ``rancher.environment``: the service gets of it what it names.
        root: the folder that stands for the machine's ``/``.
        image: the image in place of the service's own.

    Raises:
        ValueError: the service has a key that is not known here.
    """
    options = [option for key in service for option in _options(key, service[key], root)]
    named = [name for name in service.get("environment", []) if name in environment]
    options += [f"--env={name}={environment[name]}" for name in named]
    return ["run", "--rm", *options, image, *shlex.split(service.get("command", ""))]


def _options(key: str, value: Any, root: Path) -> Iterator[str]:
    if key == "net":
        yield f"--network={value}"
    elif key == "read_only":
        yield f"--read-only={str(value).lower()}"
    elif key == "volumes":
        yield from (f"--volume={root}{volume}" for volume in value)
    elif key == "cap_drop":
        yield from (f"--cap-drop={capability}" for capability in value)
    elif key not in ("image", "command", "environment", "labels"):
        raise ValueError(f"a service's key that is not known here: {key}")
