"""The demo's boot of a host with systemd: a disk in a folder, and a stand-in for Docker."""

from __future__ import annotations

import difflib
import json
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
# Of the variables only these are shown: all of them do not fit the screen.
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

    def read_labels(self, _unit: DockerUnit) -> set[str] | None:
        return set(self.labels) if self.active == "active" else None

    def reload(self) -> None:
        self.labels = tuple(json.loads(self.daemon_json.read_bytes())["labels"])


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
        docker = _StandIn(root / DAEMON_JSON.lstrip("/"))

        def run() -> tuple[Result, list[str]]:
            return run_once(
                root, "systemd", imds.url, lambda _, limit: SystemdHost(root, docker, limit)
            )

        result, log = run()
        variables = (root / unit_env_file.PATH.lstrip("/")).read_text().splitlines()[1:]
        before, after = _USERS.splitlines(), docker.daemon_json.read_text().splitlines()
        shown = [line for line in variables if line.partition("=")[0] in _SHOWN]
        lines = [
            "# An instance of an Auto Scaling group boots, with systemd and Docker. Its tags:",
            *describe_tags(),
            f"# The run before {UNIT}, with {FLAGS},",
            "# on a stand-in for systemd and dockerd:",
            *log,
            f"# What it changed in {DAEMON_JSON}:",
            *difflib.unified_diff(before, after, DAEMON_JSON, DAEMON_JSON, n=9, lineterm=""),
            f"# {unit_env_file.PATH}, for EnvironmentFile= of units:",
            *(f"  {line}" for line in shown),
            f"  ({len(variables) - len(shown)} more AWS_ variables)",
        ]
        docker.active = "active"
        docker.reload()
        lines += [f"# Docker starts. Its labels ({len(docker.labels)}):"]
        lines += [f"  {label}" for label in docker.labels]
        imds.instance = replace(INSTANCE, tags={**TAGS, "docker.role": "db"})
        lines += ["# The tag docker.role changes to db. The next run of the timer:"]
        lines += [line for line in run()[1] if "Docker has" in line or "; exit" in line]
        lines += [f"# Docker's labels, without a restart ({len(docker.labels)}):"]
        lines += [f"  {label}" for label in docker.labels]
    return lines, result.status
