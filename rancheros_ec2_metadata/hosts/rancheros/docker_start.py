"""When the user's Docker was started, against when its labels changed."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from rancheros_ec2_metadata.hosts.base import DockerStatus
from rancheros_ec2_metadata.hosts.state import State

DOCKER_PID = "/var/run/docker.pid"


def check_start(root: Path, state: State, boot_id: str | None) -> DockerStatus:
    """Return whether Docker has been started since its labels last changed."""
    try:
        docker_started = (root / DOCKER_PID.lstrip("/")).lstat().st_mtime
    except OSError:
        what = f"not known: there is no {DOCKER_PID} here; mount /var/run (/var/run:/var/run:ro)"
        return DockerStatus(None, None, what)
    at = datetime.fromtimestamp(docker_started, timezone.utc)
    started = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    if not state.labels_changed:
        return DockerStatus(started, None, f"started {started}; no run has changed its labels")
    changed, its_boot = (*state.labels_changed, "")[:2]
    has_labels = started >= changed or (bool(its_boot) and boot_id not in (None, its_boot))
    when = "after" if has_labels else "BEFORE"
    end = "" if has_labels else ": it has the former ones until it restarts"
    return DockerStatus(
        started, has_labels, f"started {started}, {when} its labels changed ({changed}){end}"
    )
