"""What a run leaves of the last one: this instance's values, and of metadata this start's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from rancheros_ec2_metadata.rancheros import disk as paths

from e2e import program
from failures import in_process, timed
from failures.in_process import INSTANCE, METADATA, GivenEc2, elsewhere, found
from failures.scenarios import CLOUD_CONFIG
from hostile_imds import SANE
from machine import MachineDisk
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.errors import ExitStatus, error
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.settings import STATUS_VARIABLE, Settings, TagMapping, Template

OTHERS = "i-0fedcba9876543210"
ME = Machine("yes", INSTANCE, "ec2-me")
OTHER = Machine("yes", OTHERS, "ec2-other")
WEB = {"docker.role": "web", "example.db": "db.internal"}
LABEL = "--label=docker.role=web"
LOST = (error(ExitStatus.INCOMPLETE, "EC2 is not to be had"),)
STARTED, AGAIN = "2026-01-05T07:59:00Z", "2026-01-06T07:59:00Z"


@pytest.fixture(params=["drop-in", "cloud-config.yml"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> MachineDisk:
    """A machine whose list is in our drop-in, and one whose cloud-config.yml has it."""
    disk = timed.user_machine(tmp_path / "disk")
    if request.param == "cloud-config.yml":
        disk.cloud_config(CLOUD_CONFIG)
    return disk


def settings(disk: MachineDisk, variable: str = "DB_HOST") -> Settings:
    return Settings(
        root=disk.root,
        mappings=(TagMapping.parse(f"example.db:{variable}"),),
        templates=(Template.parse("ADVERTISE={AWS_LOCAL_IPV4}:2375"),),
    )


def run(
    disk: MachineDisk, ec2: GivenEc2, machine: Machine = ME, given: Settings | None = None
) -> in_process.Booted:
    return in_process.run(disk.root, ec2, settings=given or settings(disk), machine=machine)


def items(disk: MachineDisk) -> tuple[str, ...]:
    return timed.layers_of(disk).docker_arguments("extra_args")


def users(disk: MachineDisk) -> tuple[str, ...]:
    if disk.path(paths.CLOUD_CONFIG).exists():
        return ("--mine", "--label=docker.role=of-the-user")
    return ("--debug",)


def ours(disk: MachineDisk) -> dict[str, str]:
    """Return the variables in force, but for those of the system."""
    system = ("VERSION", "SUFFIX", "REGISTRY_DOMAIN")
    environment = timed.layers_of(disk).environment()
    return {name: text for name, text in environment.items() if name not in system}


@pytest.fixture
def first_packet(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket that listens in place of the metadata service."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(20)
        yield listener


def killed_at_the_first_packet(disk: MachineDisk, listener: socket.socket) -> None:
    """Run the program, and kill it once it has connected to the metadata service."""
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with subprocess.Popen(
        program.command("--root", str(disk.root)),
        env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=url),
        stderr=subprocess.DEVNULL,
    ) as process:
        connection, _ = listener.accept()
        with connection:
            (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            for one in (process.pid, int(child)):
                os.kill(one, signal.SIGKILL)


def test_killed_at_the_first_packet_another_machines_values_are_gone_already(
    disk: MachineDisk, first_packet: socket.socket
) -> None:
    run(disk, GivenEc2(found(WEB, instance_id=OTHERS)), OTHER)
    assert LABEL in items(disk)
    program.on_ec2(disk, INSTANCE)
    killed_at_the_first_packet(disk, first_packet)
    assert items(disk) == users(disk)
    assert ours(disk) == {STATUS_VARIABLE: "none"}
    left = b"".join(raw for _, raw in disk.snapshot().values())
    assert OTHERS.encode() not in left
    assert b"db.internal" not in left


def test_killed_at_the_first_packet_new_user_data_is_merged_with_our_labels_already(
    tmp_path: Path, first_packet: socket.socket
) -> None:
    disk = timed.user_machine(tmp_path / "disk")
    run(disk, GivenEc2(found(WEB)))
    program.on_ec2(disk, INSTANCE)
    disk.user_data("#cloud-config\nrancher: {docker: {extra_args: [--new, '--label=mine=1']}}\n")
    assert items(disk) == ("--debug", LABEL)
    killed_at_the_first_packet(disk, first_packet)
    assert items(disk) == ("--new", "--label=mine=1", LABEL)


def test_nothing_is_asked_of_ec2_before_the_first_plan_is_on_the_disk(disk: MachineDisk) -> None:
    run(disk, GivenEc2(found(WEB, instance_id=OTHERS)), OTHER)
    ec2 = GivenEc2(found(WEB))
    seen: list[tuple[tuple[str, ...], dict[str, str]]] = []
    ec2.before = lambda: seen.append((items(disk), ours(disk)))
    assert run(disk, ec2).status == 0
    assert seen == [(users(disk), {STATUS_VARIABLE: "none"})]


def test_an_instance_that_is_stopped_retagged_and_started_has_its_new_tags(
    disk: MachineDisk,
) -> None:
    run(disk, GivenEc2(found(WEB, started=STARTED)))
    address = {**METADATA, "AWS_LOCAL_IPV4": "10.0.0.99"}
    tags = {"docker.role": "db", "docker.disk": "ssd"}
    assert run(disk, GivenEc2(found(tags, started=AGAIN, metadata=address))).status == 0
    found_items = items(disk)
    assert found_items[-2:] == ("--label=docker.disk=ssd", "--label=docker.role=db")
    assert LABEL not in found_items
    assert "DB_HOST" not in ours(disk)
    assert ours(disk)["ADVERTISE"] == "10.0.0.99:2375"


def test_tags_are_kept_over_a_stop_and_metadata_of_the_former_start_is_not(
    disk: MachineDisk,
) -> None:
    run(disk, GivenEc2(found(WEB, started=STARTED)))
    partial = found(None, started=AGAIN, metadata={"AWS_REGION": "eu-west-1"}, notes=LOST)
    partial.variables_complete = False
    assert run(disk, GivenEc2(partial)).status == 4
    assert items(disk)[-1] == LABEL
    assert ours(disk) == {
        "AWS_REGION": "eu-west-1",
        "DB_HOST": "db.internal",
        STATUS_VARIABLE: "kept",
    }


def test_metadata_of_the_same_start_is_kept(disk: MachineDisk) -> None:
    run(disk, GivenEc2(found(WEB)))
    partial = found(None, metadata={}, notes=LOST)
    partial.variables_complete = False
    assert run(disk, GivenEc2(partial)).status == 4
    assert ours(disk)["ADVERTISE"] == "10.0.0.12:2375"
    assert ours(disk)[STATUS_VARIABLE] == "kept"


def test_kept_tags_follow_the_settings_of_today(disk: MachineDisk) -> None:
    run(disk, GivenEc2(found(WEB)))
    today = settings(disk, "DATABASE")
    assert run(disk, GivenEc2(found(None, notes=LOST)), given=today).status == 4
    variables = ours(disk)
    assert "DB_HOST" not in variables
    assert variables["DATABASE"] == "db.internal"


def test_an_image_that_was_baked_here_has_this_instances_values_once_ec2_answers(
    disk: MachineDisk,
) -> None:
    run(disk, GivenEc2(found(WEB, instance_id=OTHERS)), OTHER)
    assert run(disk, GivenEc2(found({"docker.role": "db"}))).status == 0
    assert items(disk)[-1] == "--label=docker.role=db"
    assert "DB_HOST" not in ours(disk)
    assert ours(disk)["AWS_INSTANCE_ID"] == INSTANCE


@pytest.mark.parametrize("uuid", ["ec2-me", None])
def test_an_image_that_was_baked_here_keeps_nothing_where_ec2_is_silent(
    disk: MachineDisk, uuid: str | None
) -> None:
    run(disk, GivenEc2(found(WEB, instance_id=OTHERS)), OTHER)
    silent = found(None, instance_id=None, notes=LOST)
    # Without a uuid nothing tells which machine this is, and nothing is kept either.
    assert run(disk, GivenEc2(silent), Machine("yes", None, uuid)).status == 4
    assert items(disk) == users(disk)
    assert ours(disk) == {STATUS_VARIABLE: "none"}


def test_a_machine_that_is_known_by_its_uuid_alone_keeps_its_tags_where_ec2_is_silent(
    disk: MachineDisk,
) -> None:
    xen = Machine("yes", None, "ec2-me")
    run(disk, GivenEc2(found(WEB)), xen)
    assert run(disk, GivenEc2(found(None, instance_id=None, notes=LOST)), xen).status == 4
    assert items(disk)[-1] == LABEL
    assert ours(disk)[STATUS_VARIABLE] == "kept"


def test_an_image_that_is_started_elsewhere_has_nothing_of_ours(tmp_path: Path) -> None:
    disk = MachineDisk(tmp_path / "disk")
    disk.cloud_config(CLOUD_CONFIG)
    before = {name: raw for name, (_, raw) in disk.snapshot().items()}
    run(disk, GivenEc2(found(WEB, instance_id=OTHERS)), OTHER)
    assert run(disk, GivenEc2(elsewhere()), Machine("no")).status == 3
    assert {name: raw for name, (_, raw) in disk.snapshot().items()} == before


def test_of_a_newer_schema_what_is_known_is_used(disk: MachineDisk) -> None:
    run(disk, GivenEc2(found(WEB)))
    state = disk.path(paths.STATE)
    newer = state.read_text().replace('"schema": 1', '"schema": 2, "colour": {"sky": [1]}')
    assert newer != state.read_text()
    state.write_text(newer)
    booted = run(disk, GivenEc2(found({"docker.disk": "ssd"})))
    assert booted.status == 0
    assert "warning" not in booted.log
    assert items(disk) == (*users(disk), "--label=docker.disk=ssd")


DAMAGE = {
    "empty": b"",
    "cut": b'{"schema": 1, "edits": {"extra_args": {"at": ["ran',
    "zeros": bytes(4096),
    "text": b"\xff\xfe not ours\n",
    "deep": b"[" * 100_000,
    "a-list": b"[1, 2]",
    "no-schema": b'{"labels": {"docker.role": "forged"}}',
    "somebody-elses": b'{"schema": "http://json-schema.org/draft-07/schema#", "items": [1]}',
    "wrong-types": b'{"schema": 1, "labels": [], "edits": {"extra_args": 7}, "items": "--x",'
    b' "removal": [], "tags": {"docker.role": 1}, "status": {}}',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_state_that_is_no_state_is_written_anew_and_costs_no_label(
    disk: MachineDisk, damage: bytes
) -> None:
    disk.write(paths.STATE, damage)
    assert run(disk, GivenEc2(found(WEB))).status == 0
    assert items(disk) == (users(disk)[0], LABEL)
    again = run(disk, GivenEc2(found(WEB)))
    assert "wrote no file" in again.log


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_state_that_was_damaged_between_two_runs_costs_no_label_and_doubles_none(
    disk: MachineDisk, damage: bytes
) -> None:
    run(disk, GivenEc2(found(WEB)))
    disk.write(paths.STATE, damage)
    assert run(disk, GivenEc2(found({"docker.role": "db"}))).status == 0
    assert items(disk) == (users(disk)[0], "--label=docker.role=db")


def test_a_state_of_no_use_is_named_in_the_log(disk: MachineDisk) -> None:
    disk.write(paths.STATE, DAMAGE["cut"])
    booted = run(disk, GivenEc2(found(WEB)))
    assert booted.status == 0
    assert "is of no use (it is not JSON); it is written anew" in booted.log


def test_a_whole_boot_of_a_baked_image_is_told_by_its_asset_tag(tmp_path: Path) -> None:
    """The same from outside, on real requests."""
    disk = timed.user_machine(tmp_path / "disk")
    program.on_ec2(disk, OTHERS)
    with FakeImds(replace(SANE, instance_id=OTHERS, tags=WEB)) as imds:
        assert program.run(disk, "-l", "example.db:DB_HOST", imds=imds).status == 0
    program.on_ec2(disk, INSTANCE)
    nowhere = "http://127.0.0.1:1"
    silent = program.run(disk, "--deadline=2", AWS_EC2_METADATA_SERVICE_ENDPOINT=nowhere)
    assert silent.status == 4
    assert items(disk) == ("--debug",)
    assert ours(disk) == {STATUS_VARIABLE: "none"}
