"""The scripts that join a cluster: what they call, and when they do not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from docs.examples import AGENT, AGENT_ENVIRONMENT, CLASSIC, JOIN, JOIN_ENVIRONMENT


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
        return subprocess.run(
            ["sh", script, *arguments],
            env={"PATH": f"{self.commands}:{os.environ['PATH']}", **environment},
            capture_output=True,
            text=True,
            check=False,
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
