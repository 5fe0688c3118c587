"""The example of Swarm mode with a real Docker: its stack, and the script that joins."""

from __future__ import annotations

import shlex
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from docs.commands import commands
from docs.examples import JOIN, JOIN_ENVIRONMENT, MODE
from docs.pages import Page
from real_parts.dockerd import Dockerd
from real_parts.namespace import Namespace
from real_parts.polling import until

pytestmark = pytest.mark.real_parts

TASKS = ["service", "ps", "shop_web", "--filter=desired-state=running", "--no-trunc"]
TASKS += ['--format={{index (split .CurrentState " ") 0}} {{.Error}}']
NO_NODE = "no suitable node (scheduling constraints not satisfied on 1 node)"


@pytest.mark.parametrize(
    ("role", "seen"), [("web", "Running"), ("db", f'Pending "{NO_NODE}"')], ids=["web", "db"]
)
def test_swarm_runs_the_stack_where_the_labels_are_and_nowhere_else(
    tmp_path: Path, role: str, seen: str
) -> None:
    web = yaml.safe_load((MODE / "stack.yml").read_text("utf-8"))["services"]["web"]
    (command,) = (
        line
        for line in commands(Page("examples/swarm-mode/README.md"))
        if line.startswith("docker stack deploy")
    )
    labels = [f"--label=docker.role={role}", "--label=docker.environment=production"]
    # A namespace of its own: a swarm may leave a bridge behind.
    with Namespace.opened("empty") as namespace, Dockerd.started(namespace, labels) as docker:
        docker.import_busybox(web["image"], tmp_path)
        docker.docker("swarm", "init", "--advertise-addr=127.0.0.1")
        deploy = [*docker.client, *shlex.split(command)[1:]]
        done = docker.namespace.run(deploy, cwd=MODE)
        assert done.returncode == 0, done.stderr
        expected = [seen] * web["deploy"]["replicas"]
        assert until(lambda: tasks(docker), expected) == expected


def tasks(docker: Dockerd) -> list[str]:
    return [line.strip() for line in docker.docker(*TASKS).splitlines()]


def test_the_joining_script_makes_a_worker_once(tmp_path: Path) -> None:
    with Namespace.opened("empty") as there, Namespace.opened("empty") as here:
        manager_address, address = there.connect(here)
        with Dockerd.started(there, []) as manager, Dockerd.started(here, []) as docker:
            manager.docker("swarm", "init", f"--advertise-addr={manager_address}")
            token = manager.docker("swarm", "join-token", "--quiet", "worker").strip()
            container = Container(docker, tmp_path / "programs", token)
            environment = {
                **JOIN_ENVIRONMENT,
                "AWS_LOCAL_IPV4": address,
                "SWARM_MANAGER": f"{manager_address}:2377",
            }
            first = container.join(environment)
            assert first.returncode == 0, first.stderr
            assert first.stdout == "This node joined a swarm as a worker.\n"
            assert token not in first.stdout + first.stderr
            expected = ["Ready", "Ready Leader"]
            assert until(lambda: nodes(manager), expected) == expected
            assert container.join(environment).stdout == "already in the Swarm\n"


def nodes(manager: Dockerd) -> list[str]:
    known = manager.docker("node", "ls", "--format={{.Status}} {{.ManagerStatus}}")
    return sorted(map(str.strip, known.splitlines()))


class Container:
    """Runs the script with this Docker's client, and an ``aws`` that gives this token."""

    def __init__(self, docker: Dockerd, programs: Path, token: str) -> None:
        self._docker = docker
        self._programs = programs
        programs.mkdir()
        client = shlex.join(docker.client)
        for name, script in {"docker": f'exec {client} "$@"', "aws": f"echo {token}"}.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)

    def join(self, environment: dict[str, str]) -> CompletedProcess[str]:
        env = {"PATH": f"{self._programs}:/usr/bin:/bin", **environment}
        return self._docker.namespace.run(["sh", JOIN], env=env)
