"""Each example that the help gives, run as it is typed."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from e2e import described_api, program
from machine import MachineDisk
from rancheros_ec2_metadata import command_line
from rancheros_ec2_metadata.command_line import COMMANDS
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

TAGS = {"docker.role": "web", "example.db.host": "db.internal"}
EXAMPLES = [arguments for command in COMMANDS.values() for arguments in command.examples]
# Needs an AWS with groups: tests/e2e/test_preflight.py.
EXAMPLES = [one for one in EXAMPLES if not one.startswith("preflight ")]
SERVERS = [arguments for arguments in EXAMPLES if arguments.startswith("fake-imds ")]
# They would change the machine that runs the tests: tests/systemd has them.
ON_SYSTEMD = [one for one in EXAMPLES if one.startswith(("install", "uninstall"))]
AT_DESK = [arguments for arguments in EXAMPLES if "--instance" in arguments]
CLOUD_CONFIG = "#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n"
# There has been no run yet.
STATUS = {"plan": ExitStatus.WOULD_CHANGE, "status": ExitStatus.FILES}


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    disk = MachineDisk(tmp_path / "machine")
    disk.user_data(CLOUD_CONFIG)
    for name in ("user-data.yml", "ec2-metadata.yml"):
        (tmp_path / name).write_text(CLOUD_CONFIG)
    with FakeImds(FakeInstance(tags=TAGS)) as imds:
        yield {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url,
            "AWS_METADATA_ROOT": str(disk.root),
            "AWS_METADATA_ROS": str(disk.ros()),
        }


def run(cwd: Path, words: Sequence[str], environ: Mapping[str, str]) -> str:
    """Run an example, which must end as it should, and return what it prints."""
    done = program.ended(
        program.command(*words), cwd=cwd, env=program.environment(**environ), timeout=60
    )
    assert done.returncode == STATUS.get(words[0], ExitStatus.OK), done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "arguments",
    [one for one in EXAMPLES if one not in SERVERS + AT_DESK + ON_SYSTEMD],
)
def test_an_example_does_what_it_says(
    tmp_path: Path, environ: dict[str, str], arguments: str
) -> None:
    run(tmp_path, shlex.split(arguments), environ)


@pytest.mark.parametrize("arguments", ON_SYSTEMD)
def test_an_example_of_a_host_with_systemd_has_flags_that_are_there(
    tmp_path: Path, arguments: str
) -> None:
    words = shlex.split(arguments)
    assert command_line.parse(words, {}).command == words[0]
    if words[0] == "install":
        dry = [*words, *([] if "--dry-run" in words else ["--dry-run"])]
        printed = run(tmp_path, dry, {})
        assert "# /etc/systemd/system/ec2-docker-labels.service\n" in printed


@pytest.mark.parametrize("arguments", AT_DESK)
def test_an_example_of_a_desk_does_what_it_says(tmp_path: Path, arguments: str) -> None:
    (tmp_path / "user-data.yml").write_text("#cloud-config\nhostname: x\n")
    with described_api.describing(FakeInstance(tags=TAGS)) as api:
        printed = run(tmp_path, shlex.split(arguments), described_api.environment(api))
    assert "docker.role" in printed


@pytest.mark.parametrize("arguments", SERVERS)
def test_an_example_of_a_server_answers(tmp_path: Path, arguments: str) -> None:
    (tmp_path / "instance.json").write_text("{}")
    words = shlex.split(arguments)
    host, _, port = words[words.index("--listen") + 1].partition(":")
    with subprocess.Popen(
        program.command(*words), cwd=tmp_path, env=dict(os.environ), stderr=subprocess.PIPE
    ) as server:
        try:
            assert server.stderr is not None
            assert port.encode() in server.stderr.readline()
            socket.create_connection((host, int(port)), timeout=90).close()
        finally:
            server.terminate()
