from __future__ import annotations

from dataclasses import replace

import pytest

from rancheros_ec2_metadata.commands.status import Status, make_status, status_lines, status_tree
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.hosts.state import Edit, LastRun, State

FILE = "/var/lib/rancher/conf/cloud-config.d/zz-ec2-metadata.yml"
RUN = LastRun(
    "2026-01-05T08:00:00Z", "boot-1", "1.0.0", "v1.5.8", 0, ("a",), ("b\x1b",), {FILE: "d"}
)
STATE = State(
    instance_id="i-1",
    status="complete",
    labels_changed=("2026-01-05T08:00:00Z", "boot-1"),
    last_run=RUN,
)
AT_8 = 1767600000.0


def status(state: State = STATE, **now: object) -> Status:
    found = {"digests": {FILE: "d"}, "missing_items": 0, "boot_id": "boot-1"}
    return make_status(state, **{**found, "docker_started": None, **now})  # type: ignore[arg-type] # a table's row


@pytest.mark.parametrize(
    ("state", "now", "exit_status", "verdict"),
    [
        (STATE, {}, 0, "complete, exit 0"),
        (State(), {}, 5, "unknown: no run has ended here yet"),
        (STATE, {"boot_id": "boot-2"}, 7, "no run has ended since this machine started"),
        (STATE, {"digests": {}}, 5, "1 file has changed since"),
        (STATE, {"digests": {FILE: "e"}}, 5, "1 file has changed since"),
        (replace(STATE, last_run=replace(RUN, files={FILE: None})), {}, 5, "has changed since"),
        (replace(STATE, edits={"a": Edit("", (), ())}), {}, 0, "complete, exit 0"),
        (replace(STATE, edits={"a": Edit("", (), ())}), {"missing_items": 2}, 5, "changed since"),
        (
            replace(STATE, status="kept", last_run=replace(RUN, exit_status=4)),
            {},
            4,
            "kept, exit 4",
        ),
        (replace(STATE, last_run=replace(RUN, exit_status=99)), {}, 1, "exit 99"),
        (STATE, {"docker_started": AT_8 - 1}, 0, "Docker has the former labels until it restarts"),
    ],
)
def test_the_verdict_and_the_exit_status(
    state: State, now: dict[str, object], exit_status: int, verdict: str
) -> None:
    found = status(state, **now)
    assert found.exit_status == exit_status
    assert verdict in found.verdict
    assert next(status_lines(found)) == f"status: {found.verdict}"


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
    started: float | None, boot_id: str | None, changed: tuple[str, ...], has_labels: bool | None
) -> None:
    found = status(replace(STATE, labels_changed=changed), boot_id=boot_id, docker_started=started)
    assert found.docker.has_labels is has_labels


def test_nothing_in_it_steers_a_terminal_and_the_document_has_all_of_it() -> None:
    found = status()
    assert all(line.isprintable() for line in status_lines(found))
    tree = status_tree(found)
    assert tree["schema"] == 2
    assert tree["last_run"]["notes"] == ("b\x1b",)
    assert tree["exit_status"] == ExitStatus.OK
