"""The demo's boot of a host with systemd: a disk in a folder, and a stand-in for Docker."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rancheros_ec2_metadata.apply import Result
from rancheros_ec2_metadata.commands.demo_instance import (
    FLAGS,
    INSTANCE,
    TAGS,
    describe_tags,
    run_once,
)
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.systemd import unit_env_file
from rancheros_ec2_metadata.hosts.systemd.docker_unit import UNIT, Docker, DockerUnit
from rancheros_ec2_metadata.hosts.systemd.found_machine import DAEMON_JSON
from rancheros_ec2_metadata.hosts.systemd.systemd_host import SystemdHost
from rancheros_ec2_metadata.scratch import make_scratch_folder

_USERS = '{\n  "log-driver": "journald"\n}\n'
_SHOWN = ("AWS_INSTANCE_ID", "DB_HOST", "EC2_METADATA_STATUS")


@dataclass
class _StandIn(Docker):
    """Docker, as systemd and dockerd would have it: not started yet, then running."""

    daemon_json: Path
    active: str = "inactive"
    labels: tuple[str, ...] = ()

    def read_unit(self) -> DockerUnit:
        return DockerUnit("loaded", self.active, ("/usr/bin/dockerd", "-H", "fd://"))

    def find_refusal(self, _unit: DockerUnit, _content: bytes) -> str | None:
        return None

    def read_labels(self, _unit: DockerUnit) -> tuple[str, ...] | None:
        return self.labels if self.active == "active" else None

    def reload(self) -> None:
        self.labels = tuple(json.loads(self.daemon_json.read_bytes()).get("labels", self.labels))


def play() -> tuple[list[str], int]:
    """Play a boot, and a tag that changes while Docker runs.

    Returns:
        The lines of the story, and the exit status of the boot.

    Raises:
        FilesError: there is no place for the disk.
    """
    with (
        make_scratch_folder("demo", {DAEMON_JSON: _USERS.encode()}) as root,
        FakeImds(INSTANCE) as imds,
    ):
        (root / "run").mkdir()
        daemon_json = root / DAEMON_JSON.lstrip("/")
        docker = _StandIn(daemon_json)

        def run() -> tuple[Result, list[str]]:
            return run_once(
                root, "systemd", imds.url, lambda _, limit: SystemdHost(root, docker, limit)
            )

        result, log = run()
        variables = (root / unit_env_file.PATH.lstrip("/")).read_text()
        lines = [
            *_tell_opening(),
            *log,
            *_show_diff(daemon_json.read_text()),
            *_show_variables(variables),
        ]
        docker.active = "active"
        docker.reload()
        lines += _show_labels("Docker starts. Its labels", docker)
        imds.instance = replace(INSTANCE, tags={**TAGS, "docker.role": "db"})
        lines += ["# The tag docker.role changes to db. The next run of the timer:"]
        lines += [line for line in run()[1] if "Docker has" in line or "; exit" in line]
        lines += _show_labels("Docker's labels, without a restart", docker)
    return lines, result.status


def _tell_opening() -> Iterator[str]:
    yield "# An instance of an Auto Scaling group boots, with systemd and Docker. Its tags:"
    yield from describe_tags()
    yield f"# The run before {UNIT}, with {FLAGS},"
    yield "# on a stand-in for systemd and dockerd:"


def _show_diff(written: str) -> Iterator[str]:
    yield f"# What it changed in {DAEMON_JSON}:"
    lines = _USERS.splitlines(), written.splitlines()
    yield from difflib.unified_diff(*lines, DAEMON_JSON, DAEMON_JSON, n=9, lineterm="")


def _show_variables(written: str) -> Iterator[str]:
    yield f"# {unit_env_file.PATH}, for EnvironmentFile= of units:"
    lines = [line for line in written.splitlines() if not line.startswith("#")]
    for line in lines:
        if line.partition("=")[0] in _SHOWN:
            yield f"  {line}"
    yield f"  ({len(lines) - len(_SHOWN)} more AWS_ variables)"


def _show_labels(title: str, docker: _StandIn) -> Iterator[str]:
    yield f"# {title} ({len(docker.labels)}):"
    for label in docker.labels:
        yield f"  {label}"
