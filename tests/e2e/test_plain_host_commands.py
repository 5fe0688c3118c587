"""The program as a process of its own, on the disk of a host with systemd in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import program
from plain_machine import ENV_FILE, PlainMachine
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.systemd.found_machine import DAEMON_JSON, RECORD, STATE

USERS = '{\n  "secret": "hunter2",\n  "labels": ["mine=1"]\n}\n'


@pytest.fixture
def imds() -> Iterator[FakeImds]:
    with FakeImds(FakeInstance(tags={"docker.role": "web", "host": "web-1"})) as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path) -> PlainMachine:
    machine = PlainMachine(tmp_path / "disk", USERS)
    vendor = machine.path("/sys/class/dmi/id/sys_vendor")
    vendor.parent.mkdir(parents=True)
    vendor.write_text("Amazon EC2\n")
    return machine


def run(machine: PlainMachine, imds: FakeImds, *arguments: str) -> program.Ran:
    done = program.ended(
        program.command(*arguments, f"--root={machine.root}"),
        env=program.measured_environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url),
    )
    return program.Ran.of(done)


def files(machine: PlainMachine) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in machine.root.rglob("*") if one.is_file()}


def test_plan_and_show_tell_all_away_from_the_machine_and_write_nothing(
    machine: PlainMachine, imds: FakeImds
) -> None:
    before = files(machine)
    ran = run(machine, imds, "plan", "-l", "host:HOST", "--host=systemd")
    assert ran.status == 10
    assert "docker.role=web" in ran.out
    assert DAEMON_JSON in ran.out
    assert ENV_FILE in ran.out
    assert "hunter2" not in ran.out + ran.err
    assert ran.line("whether Docker takes the labels: decided by systemd and dockerd on the")
    found = json.loads(run(machine, imds, "plan", "--format=json").out)
    assert [one["name"] for one in found["labels"]] == ["docker.role"]
    shown = run(machine, imds, "show", "docker.role")
    assert (shown.status, shown.out) == (0, "web\n")
    assert files(machine) == before


def test_apply_below_a_root_sets_variables_and_refuses_labels_and_status_and_clean_know_it(
    machine: PlainMachine, imds: FakeImds
) -> None:
    assert run(machine, imds, "status").status == 5
    ran = run(machine, imds, "-l", "host:HOST")
    assert ran.status == 5
    assert ran.line(
        "error: no label is set: systemd cannot be asked about another root; run it on the"
    )
    assert ran.log[-1].startswith("status: partial; 0 labels, ")
    assert '\nHOST="web-1"\n' in (machine.read(ENV_FILE) or "")
    assert machine.read() == USERS
    status = run(machine, imds, "status")
    assert status.status == 5
    assert "not known: it is not asked here" in status.out
    assert "the last run left it" in status.out
    before = files(machine)
    assert run(machine, imds, "clean", "--dry-run").status == 10
    assert files(machine) == before
    assert run(machine, imds, "clean").status == 0
    left = [machine.read(path) for path in (DAEMON_JSON, RECORD, STATE, ENV_FILE)]
    assert left == [USERS, None, None, None]
