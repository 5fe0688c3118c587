from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rancheros_ec2_metadata.commands.status import make_status, render_status
from rancheros_ec2_metadata.hosts.base import DockerStatus, FileStatus
from rancheros_ec2_metadata.hosts.rancheros.docker_start import DOCKER_PID, check_start
from rancheros_ec2_metadata.hosts.state import LastRun, State

RUN = LastRun("2026-01-05T08:00:00Z", "boot-1", "1.0.0", "v1.5.8", 0, ("a",), ("b\x1b",))
STATE = State(
    instance_id="i-1",
    status="complete",
    labels_changed=("2026-01-05T08:00:00Z", "boot-1"),
    last_run=RUN,
)
AT_8 = 1767600000.0
CHANGED = FileStatus("/f", as_left=False, what="it has changed")
UNKNOWN = DockerStatus(None, None, "not known")
FORMER = DockerStatus("2026-01-05T07:00:00Z", has_labels=False, what="started before")


def status(
    state: State = STATE,
    files: tuple[FileStatus, ...] = (FileStatus("/f", as_left=True, what="there"),),
    docker: DockerStatus = UNKNOWN,
    boot_id: str | None = "boot-1",
) -> dict[str, Any]:
    return make_status(state, files, docker, boot_id)


@pytest.mark.parametrize(
    ("found", "exit_status", "verdict"),
    [
        (status(), 0, "complete, exit 0"),
        (status(State()), 5, "unknown: no run has ended here yet"),
        (status(boot_id="boot-2"), 7, "no run has ended since this machine started"),
        (status(boot_id=None), 0, "complete, exit 0"),
        (status(files=(CHANGED,)), 5, "1 file has changed since"),
        (status(files=(CHANGED, CHANGED)), 5, "2 files have changed since"),
        (
            status(STATE._replace(status="kept", last_run=RUN._replace(exit_status=4))),
            4,
            "kept, exit 4",
        ),
        (status(STATE._replace(last_run=RUN._replace(exit_status=99))), 1, "exit 99"),
        (status(docker=FORMER), 0, "Docker still has the former labels"),
    ],
)
def test_the_verdict_and_the_exit_status(
    found: dict[str, Any], exit_status: int, verdict: str
) -> None:
    assert (found["schema"], found["exit_status"]) == (2, exit_status)
    assert verdict in found["verdict"]
    assert next(render_status(found)) == f"status: {found['verdict']}"


@pytest.mark.parametrize(
    ("started", "boot_id", "changed", "has_labels"),
    [
        (None, "boot-1", STATE.labels_changed, None),
        (AT_8, "boot-1", STATE.labels_changed, True),
        (AT_8 - 1, "boot-1", STATE.labels_changed, False),
        (AT_8 - 1, "boot-2", STATE.labels_changed, True),
        (AT_8 - 1, None, STATE.labels_changed, False),
        (AT_8, "boot-1", (), None),
    ],
)
def test_docker_has_the_labels_that_were_there_when_it_started(
    started: float | None,
    boot_id: str | None,
    changed: tuple[str, ...],
    has_labels: bool | None,
    tmp_path: Path,
) -> None:
    if started is not None:
        pid = tmp_path / DOCKER_PID.lstrip("/")
        pid.parent.mkdir(parents=True)
        pid.write_text("1")
        os.utime(pid, (started, started))
    found = check_start(tmp_path, STATE._replace(labels_changed=changed), boot_id)
    assert found.has_labels is has_labels


def test_what_is_left_out_is_said_once() -> None:
    run = RUN._replace(summary=("left out: x: y", "left out: 2 more"), notes=("warning: x: y",))
    lines = list(render_status(status(STATE._replace(last_run=run))))
    assert [line for line in lines if "x: y" in line] == ["  warning: x: y"]
    assert "  left out: 2 more" in lines
