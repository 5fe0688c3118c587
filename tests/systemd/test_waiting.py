"""Who waits for whom at a boot, at a restart of Docker and at a reload: the traps that hang."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from real_parts.polling import until
from systemd import installed
from systemd.booted import Booted
from systemd.installed import FOLLOW, SERVICE, Said

pytestmark = pytest.mark.systemd_host

WEB, DB = {"docker.role": "web"}, {"docker.role": "db"}
DOCKER = "docker.service"
# dockerd runs and has read its file, and the unit is not active yet.
HELD = "[Service]\nExecStartPost=/bin/sh -c 'read -r _ </run/hold'\n"


def test_a_restart_of_docker_does_not_wait_long_for_a_silent_metadata_service(
    tree: Path, tmp_path: Path, say: Said
) -> None:
    with installed.labelled(tree, tmp_path, WEB) as (machine, imds), imds.silent():
        began = time.monotonic()
        machine.run("systemctl", "restart", DOCKER, seconds=300)
        took = time.monotonic() - began
        say("systemctl restart docker, IMDS silent", took)
        assert took < 60  # 10 are for reading; the first run of a boot has 110
        assert machine.labels() == WEB

        machine.run("systemctl", "--no-block", "restart", DOCKER)
        assert until(lambda: machine.property(SERVICE, "ActiveState"), "activating") == "activating"
        machine.run("systemctl", "kill", "--signal=KILL", SERVICE)
        assert until(lambda: machine.property(DOCKER, "ActiveState"), "active") == "active"
        assert machine.property(SERVICE, "Result") == "signal"
        say("from the end of the killed run to the start of dockerd", seconds_between(machine))
        assert machine.labels() == WEB


def test_a_first_boot_with_a_silent_metadata_service_starts_docker_at_the_deadline(
    tree: Path, tmp_path: Path, say: Said
) -> None:
    with installed.labelled(tree, tmp_path, WEB, "--deadline=75") as (machine, imds):
        # As in an image: the units, and nothing of an instance.
        machine.run("ec2-docker-labels", "clean")
        with imds.silent():
            machine.reboot()
            assert machine.labels() == {}
            started = machine.property(DOCKER, "ExecMainStartTimestampMonotonic")
            began = machine.property(SERVICE, "ExecMainStartTimestampMonotonic")
            say(
                "a first boot with IMDS silent and --deadline 75: dockerd starts after",
                (int(started) - int(began)) / 1e6,
            )
        assert machine.property(SERVICE, "ExecMainStatus") == "4"
        variables = machine.run("cat", "/run/metadata/ec2")
        assert 'EC2_METADATA_STATUS="none"' in variables


def test_a_reload_that_waits_in_a_unit_before_docker_waits_for_itself(
    tree: Path, tmp_path: Path
) -> None:
    with installed.made(tree) as machine:
        machine.boot()
        for how, status in (("", "124"), ("--no-block", "0")):
            reload = f"timeout 5 systemctl {how} reload docker.service; echo $? >/run/status"
            run = ["systemd-run", "--wait", "--property=Before=docker.service"]
            machine.run(*run, "--property=Type=oneshot", "sh", "-c", reload)
            assert machine.run("cat", "/run/status").strip() == status
        machine.power_off()


def test_labels_of_a_docker_that_is_starting_come_with_a_later_run_and_one_reload(
    tree: Path, tmp_path: Path, say: Said
) -> None:
    with installed.labelled(tree, tmp_path, WEB, "--follow=5") as (machine, imds):
        machine.run("mkfifo", "/run/hold")
        installed.add_drop_in(machine, DOCKER, HELD)
        machine.run("systemctl", "--no-block", "restart", DOCKER)
        assert until(lambda: machine.property(DOCKER, "SubState"), "start-post") == "start-post"
        dockerd = machine.property(DOCKER, "MainPID")
        imds.show({"tags": DB})
        # Three reloads would be too many for StartLimitBurst.
        ended = count(machine, FOLLOW, "Finished")
        assert until(
            lambda: count(machine, FOLLOW, "Finished") > ended + 3, expected=True, seconds=120
        )
        assert pending(machine)
        assert machine.property(DOCKER, "SubState") == "start-post"
        reloads = count(machine, DOCKER, "Reloading")
        machine.run("sh", "-c", "echo >/run/hold")
        began = time.monotonic()
        assert until(machine.labels, DB) == DB
        say("labels after Docker's start has ended, --follow 5", time.monotonic() - began)
        assert machine.property(DOCKER, "MainPID") == dockerd
        assert until(lambda: pending(machine), expected=False) is False
        assert count(machine, DOCKER, "Reloading") == reloads + 1
        assert "start-limit-hit" not in machine.journal()


def pending(machine: Booted) -> bool:
    record = machine.root / "etc/docker/.ec2-docker-labels.json"
    return bool(json.loads(record.read_text())["pending"])


def count(machine: Booted, unit: str, word: str) -> int:
    return machine.journal(f"--unit={unit}").count(f": {word} ")


def seconds_between(machine: Booted) -> float:
    ended = machine.property(SERVICE, "ExecMainExitTimestampMonotonic")
    started = machine.property(DOCKER, "ExecMainStartTimestampMonotonic")
    return (int(started) - int(ended)) / 1e6
