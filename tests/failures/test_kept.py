"""What a run leaves of the last one: this instance's values, and of metadata this start's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest

from e2e import program
from failures import in_process, timed
from failures.in_process import INSTANCE, METADATA, GivenEc2, elsewhere, found
from failures.scenarios import CLOUD_CONFIG
from faulty_imds import Fault, FaultyImds
from machine import MachineDisk
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.settings import STATUS_VARIABLE, Settings, TagMapping, Template

OTHERS = "i-0fedcba9876543210"
ME = Machine("yes", INSTANCE, "ec2-me")
OTHER = Machine("yes", OTHERS, "ec2-other")
BY_UUID = Machine("yes", None, "ec2-me")
UNKNOWN = Machine("yes", None, None)
WEB = {"docker.role": "web", "example.db": "db.internal"}
DB = {"docker.role": "db", "docker.disk": "ssd"}
LABEL = "--label=docker.role=web"
DB_LABELS = ["--label=docker.disk=ssd", "--label=docker.role=db"]
STARTED, AGAIN = "2026-01-05T07:59:00Z", "2026-01-06T07:59:00Z"
MOVED = {**METADATA, "AWS_LOCAL_IPV4": "10.0.0.99"}
ADVERTISED = {**METADATA, "ADVERTISE": "10.0.0.12:2375"}


@pytest.fixture(params=["drop-in", "cloud-config.yml"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> MachineDisk:
    """A machine whose list is in our drop-in, and one whose cloud-config.yml has it."""
    disk = timed.user_machine(tmp_path / "disk")
    if request.param == "cloud-config.yml":
        disk.cloud_config(CLOUD_CONFIG)
    return disk


def run(
    disk: MachineDisk, said: Facts | GivenEc2, machine: Machine = ME, variable: str = "DB_HOST"
) -> in_process.Booted:
    settings = Settings(
        root=disk.root,
        mappings=(TagMapping.parse(f"example.db:{variable}"),),
        templates=(Template.parse("ADVERTISE={AWS_LOCAL_IPV4}:2375"),),
    )
    ec2 = said if isinstance(said, GivenEc2) else GivenEc2(said)
    return in_process.run(disk.root, ec2, settings=settings, machine=machine)


def users(disk: MachineDisk) -> list[str]:
    if disk.path(paths.CLOUD_CONFIG).exists():
        return ["--mine", "--label=docker.role=of-the-user"]
    return ["--debug"]


def ours(disk: MachineDisk) -> dict[str, str]:
    """Return the variables in effect, but for those of the system."""
    system = ("VERSION", "SUFFIX", "REGISTRY_DOMAIN")
    environment = timed.environment(disk)
    return {name: text for name, text in environment.items() if name not in system}


def warn_of_another_machine(disk: MachineDisk) -> None:
    """Let the disk be of an image that was baked on a configured instance."""
    run(disk, found(WEB, instance_id=OTHERS), OTHER)
    assert LABEL in timed.items(disk)


def partial(tags: Mapping[str, str] | None, started: str, **metadata: str) -> Facts:
    """Return what EC2 says where part of the metadata was not had."""
    said = found(tags, started=started, metadata=metadata)
    return said._replace(variables_complete=False)


Case: TypeAlias = tuple[Facts, Machine, int, list[str], dict[str, str]]

SILENT = found(None, instance_id=None)
# After a run of this instance: what EC2 says to the next one, on which machine; and then its exit
# status, labels and variables.
SAME: dict[str, Case] = {
    "retagged-and-restarted": (found(DB, started=AGAIN, metadata=MOVED), ME, 0, DB_LABELS,
        {**MOVED, "ADVERTISE": "10.0.0.99:2375", STATUS_VARIABLE: "complete"}),
    "no-tags-after-a-restart": (partial(None, AGAIN, AWS_REGION="eu-west-1"), ME, 4, [LABEL],
        {"AWS_REGION": "eu-west-1", "DB_HOST": "db.internal", STATUS_VARIABLE: "kept"}),
    "no-metadata-of-the-same-start": (partial(WEB, STARTED), ME, 4, [LABEL],
        {**ADVERTISED, "DB_HOST": "db.internal", STATUS_VARIABLE: "kept"}),
    "silent": (SILENT, ME, 4, [LABEL], {"DB_HOST": "db.internal", STATUS_VARIABLE: "kept"}),
    "silent-known-by-uuid": (SILENT, BY_UUID, 4, [LABEL],
        {"DB_HOST": "db.internal", STATUS_VARIABLE: "kept"}),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME.values(), ids=SAME)
def test_of_the_last_run_tags_are_kept_and_metadata_of_the_same_start_alone(
    disk: MachineDisk, case: Case
) -> None:
    said, machine, status, labels, variables = case
    run(disk, found(WEB, started=STARTED), machine)
    assert run(disk, said, machine).status == status
    items = timed.items(disk)
    assert [
        one for one in items if one.startswith("--label=") and "of-the-user" not in one
    ] == labels
    assert items[0] == users(disk)[0]
    assert ours(disk) == variables


BAKED: dict[str, Case] = {
    "answers": (found({"docker.role": "db"}), ME, 0, ["--label=docker.role=db"],
        {**ADVERTISED, STATUS_VARIABLE: "complete"}),
    "silent": (SILENT, ME, 4, [], {STATUS_VARIABLE: "none"}),
    "silent-known-by-uuid": (SILENT, BY_UUID, 4, [], {STATUS_VARIABLE: "none"}),
    # Nothing tells which machine this is, and nothing is kept either.
    "silent-unknown": (SILENT, UNKNOWN, 4, [], {STATUS_VARIABLE: "none"}),
}  # fmt: skip


@pytest.mark.parametrize("case", BAKED.values(), ids=BAKED)
def test_of_a_baked_image_nothing_is_kept(disk: MachineDisk, case: Case) -> None:
    said, machine, status, labels, variables = case
    warn_of_another_machine(disk)
    assert run(disk, said, machine).status == status
    assert timed.items(disk) == ([users(disk)[0], *labels] if labels else users(disk))
    assert ours(disk) == variables


@pytest.mark.parametrize(
    ("faults", "extra"),
    [
        ([Fault(status=403, times=None)], {}),
        ([], {"dynamic/instance-identity/document": "<html>", "instance-id": "<html>"}),
    ],
    ids=["refuses", "html"],
)
def test_behind_an_endpoint_that_is_set_the_labels_stay_where_nothing_tells_the_machine(
    disk: MachineDisk, faults: list[Fault], extra: Mapping[str, str]
) -> None:
    program.elsewhere(disk)
    mapped = ("-l", "example.db:DB_HOST")
    with FakeImds(FakeInstance(tags=WEB)) as imds:
        assert program.run(disk, *mapped, imds=imds).status == 0
    with FaultyImds(FakeInstance(tags=WEB, extra=extra)) as imds:
        imds.faults = faults
        assert program.run(disk, *mapped, imds=imds).status == 4
    assert LABEL in timed.items(disk)
    assert ours(disk) == {"DB_HOST": "db.internal", STATUS_VARIABLE: "kept"}


def test_nothing_is_asked_of_ec2_before_the_first_plan_is_on_the_disk(disk: MachineDisk) -> None:
    warn_of_another_machine(disk)
    ec2 = GivenEc2(found(WEB))
    seen: list[tuple[list[str], dict[str, str]]] = []
    ec2.before = lambda: seen.append((timed.items(disk), ours(disk)))
    assert run(disk, ec2).status == 0
    assert seen == [(users(disk), {STATUS_VARIABLE: "none"})]
    assert ec2.asked == [False]


def test_kept_tags_follow_the_settings_of_today(disk: MachineDisk) -> None:
    run(disk, found(WEB))
    assert run(disk, found(None), variable="DATABASE").status == 4
    variables = ours(disk)
    assert "DB_HOST" not in variables
    assert variables["DATABASE"] == "db.internal"


def test_an_image_that_is_started_elsewhere_has_nothing_of_ours(disk: MachineDisk) -> None:
    before = program.contents(disk)
    warn_of_another_machine(disk)
    assert run(disk, elsewhere(), Machine("no")).status == 3
    assert program.contents(disk) == before


@pytest.fixture
def first_packet() -> Iterator[socket.socket]:
    """A socket that listens in place of the metadata service."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(60)
        yield listener


def killed_at_the_first_packet(disk: MachineDisk, listener: socket.socket) -> None:
    """Run the program, and kill it once it has connected to the metadata service."""
    program.on_ec2(disk, INSTANCE)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with subprocess.Popen(
        program.command(*program.machine_flags(disk)),
        env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=url),
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        connection, _ = listener.accept()
        with connection:
            for one in (process.pid, timed.child_of(process)):
                os.kill(one, signal.SIGKILL)


def test_killed_at_the_first_packet_another_machines_values_are_gone_already(
    disk: MachineDisk, first_packet: socket.socket
) -> None:
    warn_of_another_machine(disk)
    killed_at_the_first_packet(disk, first_packet)
    assert timed.items(disk) == users(disk)
    assert ours(disk) == {STATUS_VARIABLE: "none"}
    assert program.holding(disk, [OTHERS, "db.internal"]) == []


def test_killed_at_the_first_packet_new_user_data_is_merged_with_our_labels_already(
    tmp_path: Path, first_packet: socket.socket
) -> None:
    disk = timed.user_machine(tmp_path / "disk")
    run(disk, found(WEB))
    disk.user_data("#cloud-config\nrancher: {docker: {extra_args: [--new, '--label=mine=1']}}\n")
    assert timed.items(disk) == ["--debug", LABEL]
    killed_at_the_first_packet(disk, first_packet)
    assert timed.items(disk) == ["--new", "--label=mine=1", LABEL]


DAMAGE = {
    "empty": b"",
    "cut": b'{"schema": 2, "edits": {"extra_args": {"former": "ran',
    "zeros": bytes(4096),
    "text": b"\xff\xfe not ours\n",
    "deep": b"[" * 100_000,
    "a-list": b"[1, 2]",
    "no-schema": b'{"labels": {"docker.role": "forged"}}',
    "somebody-elses": b'{"schema": "http://json-schema.org/draft-07/schema#", "items": [1]}',
    "wrong-types": b'{"schema": 2, "labels": [], "edits": {"extra_args": 7}, "env_files": "/x",'
    b' "tags": {"docker.role": 1}, "status": {}, "last_run": [], "rehearsed": 1}',
    "wrong-inside": b'{"schema": 2, "edits": {"extra_args": {"former": " []", "written": [1],'
    b' "ours": 1}}, "last_run": {"time": 1}, "env_files": [1], "variables": {"PATH": "\\u0000"}}',
}
NAMED = ("empty", "cut", "zeros", "text", "deep", "a-list", "no-schema", "somebody-elses")


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_state_that_is_no_state_is_written_anew_and_costs_no_label_and_doubles_none(
    disk: MachineDisk, damage: str
) -> None:
    disk.write(paths.STATE, DAMAGE[damage])
    ran = run(disk, found(WEB))
    assert ran.status == 0
    assert ("cannot be used" in ran.log and "it is written anew" in ran.log) == (damage in NAMED)
    assert timed.items(disk) == [users(disk)[0], LABEL]
    assert "wrote no file" in run(disk, found(WEB)).log
    disk.write(paths.STATE, DAMAGE[damage])
    assert run(disk, found({"docker.role": "db"})).status == 0
    assert timed.items(disk) == [users(disk)[0], "--label=docker.role=db"]
