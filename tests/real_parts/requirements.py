"""What this machine must have before a test on real parts can run."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

# Another docker client may come first on PATH; Debian's package is the one the tests know.
DOCKER = Path("/usr/bin/docker")
REGISTRY = Path("/usr/bin/docker-registry")
_NAMESPACES = (
    (Path("/usr/bin/nsenter"), "util-linux"),
    (Path("/usr/bin/unshare"), "util-linux"),
    (Path("/sbin/ip"), "iproute2"),
)
Programs = tuple[tuple[Path, str], ...]  # each with its package
PROGRAMS: Programs = (
    (DOCKER, "docker.io"),
    (Path("/usr/sbin/dockerd"), "docker.io"),
    (REGISTRY, "docker-registry"),
    (Path("/bin/busybox"), "busybox-static"),
    (Path("/usr/bin/systemd-analyze"), "systemd"),
    *_NAMESPACES,
)
# Of a machine that is booted; Docker is inside it.
SYSTEMD_PROGRAMS: Programs = (
    (Path("/usr/bin/systemd-nspawn"), "systemd-container"),
    (Path("/usr/bin/mmdebstrap"), "mmdebstrap"),
    *_NAMESPACES,
)


@functools.cache
def missing(programs: Programs = PROGRAMS) -> str | None:
    """Return why tests that need these programs cannot run here; None if they can."""
    if os.geteuid() != 0:
        return "they need root"
    for program, package in programs:
        if not program.exists():
            return f"{program} is missing (apt-get install {package})"
    tried = subprocess.run(
        ["unshare", "--net", "--pid", "--mount", "--fork", "--mount-proc", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        return f"namespaces cannot be made: {tried.stderr.strip()}"
    return None
