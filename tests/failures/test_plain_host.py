"""A host with systemd whose disk is full or read-only, or which somebody else changes too."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import pytest

from e2e import program
from failures import mounts
from failures.plain_scenarios import DB, USERS, WEB
from plain_machine import ENV_FILE, PlainMachine, Ran, Watched
from rancheros_ec2_metadata.hosts.files import FileChange, Files
from rancheros_ec2_metadata.hosts.systemd.found_machine import DAEMON_JSON, RECORD, STATE

_RUN = """\
import json, sys
from pathlib import Path
from plain_machine import PlainMachine
ran = PlainMachine(Path(sys.argv[1]), is_made=True).run(json.loads(sys.argv[2]))
sys.stderr.write(ran.log)
sys.exit(ran.status)
"""


def run_mounted(machine: PlainMachine, mount: str, tags: dict[str, str]) -> Ran:
    """Run with a mount on /etc/docker."""
    with mounts.mounted(machine.path("/etc/docker"), mount) as before:
        done = program.ended(
            [*before, sys.executable, "-c", _RUN, str(machine.root), json.dumps(tags)],
            env=program.environment(PYTHONPATH=str(Path(__file__).parents[1])),
        )
    return Ran(done.returncode, done.stderr, {})


@pytest.mark.real_parts
@pytest.mark.parametrize("pages", [0, 1])
def test_on_a_full_disk_the_variables_are_set_and_the_next_run_completes_the_rest(
    tmp_path: Path, pages: int
) -> None:
    machine = PlainMachine(tmp_path, USERS)
    ran = run_mounted(machine, mounts.FULL.format(bytes=pages * 4096), WEB)
    assert ran.status == 5
    what = (RECORD, DAEMON_JSON)[pages]
    assert f"error: {what} could not be written: No space left on device; it is as" in ran.log
    assert machine.read() == USERS
    assert "AWS_REGION" in (machine.read(ENV_FILE) or "")
    assert list(machine.root.rglob(".ec2-metadata.tmp.*")) == []
    assert machine.run(WEB).status == 0
    assert machine.labels == ["mine=1", "docker.role=web", "docker.zone=1"]
    machine.clean()
    assert machine.read() == USERS


@pytest.mark.real_parts
def test_on_a_read_only_etc_the_variables_are_set_and_the_labels_named(tmp_path: Path) -> None:
    machine = PlainMachine(tmp_path, USERS)
    ran = run_mounted(machine, mounts.READ_ONLY, WEB)
    assert ran.status == 5
    assert "no label is set: /etc/docker/daemon.json: it is on a read-only disk" in ran.log
    assert 'EC2_METADATA_STATUS="partial"' in (machine.read(ENV_FILE) or "")
    assert (machine.read(), machine.read(RECORD)) == (USERS, None)
    machine.run(WEB)
    assert run_mounted(machine, mounts.READ_ONLY, WEB).status == 0
    ran = run_mounted(machine, mounts.READ_ONLY, DB)
    assert ran.status == 5
    assert "labels stay as they are" in ran.log


def test_another_program_that_writes_all_the_time_is_named_and_not_fought(tmp_path: Path) -> None:
    machine = PlainMachine(tmp_path, USERS)
    theirs: list[str] = []

    class Fought(Files):
        def write(self, change: FileChange) -> None:
            if change.path == DAEMON_JSON:
                theirs.append(json.dumps({"labels": [f"run={len(theirs)}"]}))
                machine.path(DAEMON_JSON).write_text(theirs[-1])
            super().write(change)

    ran = machine.run(WEB, files=Fought)
    assert (ran.status, len(theirs)) == (5, 5)
    assert f"{DAEMON_JSON} has changed while this program ran; planned again" in ran.log
    assert "error: files kept changing while this program ran; see what else writes" in ran.log
    assert machine.read() == theirs[-1]
    assert machine.run(WEB).status == 0
    machine.clean()
    assert machine.read() == theirs[-1]


def test_one_that_writes_once_in_between_loses_nothing(tmp_path: Path) -> None:
    machine = PlainMachine(tmp_path, USERS)
    theirs = '{"labels": ["docker.role=web"]}'

    def write(at: str, change: FileChange) -> None:
        if change.path == at:
            machine.path(DAEMON_JSON).write_text(theirs)

    for at in (STATE, RECORD, DAEMON_JSON, ENV_FILE):
        machine.run(DB, files=partial(Watched, after=partial(write, at)))
        machine.run(DB)
        assert machine.labels == ["docker.role=db", "docker.zone=1"]
        machine.clean()
        assert json.loads(machine.read() or "") == json.loads(theirs)
        machine.path(DAEMON_JSON).write_text(USERS)
