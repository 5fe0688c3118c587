"""The scripts that join a cluster: what they call, and when they do not."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from docs.examples import AGENT, AGENT_ENVIRONMENT, CLASSIC, JOIN, JOIN_ENVIRONMENT, SYSTEMD
from e2e import program
from rancheros_ec2_metadata import command_line
from rancheros_ec2_metadata.hosts.systemd import unit_env_file
from rancheros_ec2_metadata.settings import Settings


class Container:
    """Runs an example's script with commands that only write down how they are called."""

    def __init__(self, folder: Path) -> None:
        self.commands = folder / "commands"
        self.commands.mkdir()
        self.calls = folder / "calls"
        self.calls.touch()

    def command(self, name: str, script: str = "") -> None:
        file = self.commands / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.calls}\n{script}\n')
        file.chmod(0o755)

    def run(
        self, script: Path, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return program.ended(
            ["sh", script, *arguments],
            env={"PATH": f"{self.commands}:{os.environ['PATH']}", **environment},
        )

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def test_the_agent_joins_a_complete_machine_late(container: Container) -> None:
    service = yaml.safe_load((CLASSIC / "user-data.yml").read_text("utf-8"))
    command = service["rancher"]["services"]["swarm-agent"]["command"]
    container.command("swarm")
    assert container.run(AGENT, *command, **AGENT_ENVIRONMENT).returncode == 0
    assert container.called() == ["swarm join --delay 30s"]


@pytest.mark.parametrize("status", ["partial", "kept", "none", "", None])
@pytest.mark.parametrize(
    ("script", "environment"),
    [(AGENT, AGENT_ENVIRONMENT), (JOIN, JOIN_ENVIRONMENT)],
    ids=["agent", "join"],
)
def test_nothing_joins_a_machine_that_is_not_complete(
    container: Container, script: Path, environment: dict[str, str], status: str | None
) -> None:
    for name in ("swarm", "docker", "aws"):
        container.command(name)
    known = {k: v for k, v in environment.items() if k != "EC2_METADATA_STATUS"}
    if status is not None:
        known["EC2_METADATA_STATUS"] = status
    done = container.run(script, **known)
    # Status 0: with "restart: on-failure" the container stays down.
    assert done.returncode == 0
    assert "not joining: EC2_METADATA_STATUS is" in done.stderr
    assert container.called() == []


@pytest.mark.parametrize("missing", ["SWARM_ADVERTISE", "SWARM_DISCOVERY"])
def test_an_agent_without_an_address_says_so_and_stays_down(
    container: Container, missing: str
) -> None:
    container.command("swarm")
    known = {k: v for k, v in AGENT_ENVIRONMENT.items() if k != missing}
    done = container.run(AGENT, "join", **known)
    assert done.returncode == 0
    assert f"{missing} is not set" in done.stderr
    assert container.called() == []


def test_a_worker_asks_for_its_token_and_joins(container: Container) -> None:
    container.command("docker", 'if [ "$1" = info ]; then echo inactive; fi')
    container.command("aws", "echo SWMTKN-1-worker")
    done = container.run(JOIN, **JOIN_ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    asked = (
        "aws ssm get-parameter --region eu-west-1 --name /swarm/production/worker-token"
        " --with-decryption --query Parameter.Value --output text"
    )
    joined = (
        "docker swarm join --token SWMTKN-1-worker --advertise-addr 10.0.0.12"
        " manager.example.internal:2377"
    )
    assert container.called()[1:] == [asked, joined]
    assert "SWMTKN" not in done.stdout + done.stderr


def test_a_worker_that_is_in_the_swarm_already_asks_for_nothing(container: Container) -> None:
    container.command("docker", "echo active")
    container.command("aws")
    assert container.run(JOIN, **JOIN_ENVIRONMENT).returncode == 0
    assert container.called() == ["docker info --format {{.Swarm.LocalNodeState}}"]


def test_a_worker_without_its_token_fails_and_is_tried_again(container: Container) -> None:
    container.command("docker", "echo inactive")
    container.command("aws", "exit 254")
    assert container.run(JOIN, **JOIN_ENVIRONMENT).returncode != 0
    assert [call for call in container.called() if call.startswith("docker swarm")] == []


SYSTEMD_SCRIPTS = sorted(SYSTEMD.glob("*.sh"))
each_user_data = pytest.mark.parametrize("script", SYSTEMD_SCRIPTS, ids=lambda script: script.name)


@pytest.fixture
def instance(container: Container) -> Container:
    """An instance on which user-data runs."""
    container.command("aws", 'if [ "$1" = ssm ]; then echo SWMTKN-1-worker; fi')
    names = ("apt-get", "dnf", "docker", "python3", "python3.11", "snap", "systemctl")
    for name in names:
        container.command(name)
    return container


def run_user_data(
    instance: Container, script: Path, status: str
) -> subprocess.CompletedProcess[str]:
    """Run user-data where the program has written its variables."""
    variables = {
        "AWS_LOCAL_IPV4": "10.0.0.12",
        "AWS_REGION": "eu-west-1",
        "EC2_METADATA_STATUS": status,
        # As a tag of several lines can have it.
        "NOTE": 'x\nEC2_METADATA_STATUS="complete"\n',
    }
    file = instance.commands.with_name("ec2")
    file.write_bytes(unit_env_file.render_unit_env_file(variables))
    copy = instance.commands.with_name("user-data")
    copy.write_text(script.read_text("utf-8").replace(unit_env_file.PATH, str(file)))
    return instance.run(copy)


@each_user_data
def test_user_data_installs_the_program_then_docker_and_joins(
    instance: Container, script: Path
) -> None:
    done = run_user_data(instance, script, "complete")
    assert done.returncode == 0, done.stderr
    calls = instance.called()
    (installed,) = (i for i, call in enumerate(calls) if call.startswith("python3"))
    assert calls[installed - 1].startswith("aws s3 cp s3://example-bucket/ec2-docker-labels-")
    assert [i for i, call in enumerate(calls) if re.search(r"install .*docker(\.io)?$", call)] > [
        installed
    ]
    settings = command_line.parse(calls[installed].split()[2:], {}).settings
    assert settings == Settings(require_tags=("docker.role",))
    assert calls[-1] == (
        "docker swarm join --token SWMTKN-1-worker --advertise-addr 10.0.0.12"
        " manager.example.internal:2377"
    )
    assert "--region eu-west-1 --name /swarm/production/worker-token" in calls[-2]
    assert "SWMTKN" not in done.stdout + done.stderr


@each_user_data
@pytest.mark.parametrize("status", ["partial", "kept", "none"])
def test_user_data_does_not_join_an_instance_that_is_not_complete(
    instance: Container, script: Path, status: str
) -> None:
    done = run_user_data(instance, script, status)
    assert done.returncode == 1
    assert "not joining" in done.stderr
    assert [call for call in instance.called() if " ssm " in call or " swarm " in call] == []
