"""The page for an operator's workstation: its commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from docs.pages import ROOT, Page
from e2e import described_api, program
from machine import MachineDisk
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance

PAGE = Page("docs/from-your-workstation.md")
COMMANDS = [line for block in PAGE.blocks if block.language == "sh" for line in block.lines]
INSTANCE = FakeInstance(tags={"docker.role": "web", "example.db.host": "db.internal"})
STATUS = {"plan": ExitStatus.WOULD_CHANGE}
PROGRAMS = {
    "rancheros-ec2-metadata": f'exec {sys.executable} -m rancheros_ec2_metadata "$@"',
    # What EC2 keeps of user-data.
    "aws": 'printf "%s" "#cloud-config" | base64',
}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with what the page's files and programs are."""
    MachineDisk(tmp_path / "disk")
    (tmp_path / "user-data.yml").write_text("#cloud-config\nhostname: x\n")
    (tmp_path / "config").write_text("[profile ops]\nregion = eu-west-1\n")
    keys = f"aws_access_key_id = A\naws_secret_access_key = {described_api.SECRET}\n"
    (tmp_path / "credentials").write_text(f"[ops]\n{keys}[default]\nregion = eu-west-1\n{keys}")
    (tmp_path / "programs").mkdir()
    for name, script in PROGRAMS.items():
        (tmp_path / "programs" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "programs" / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_does_what_it_says(desk: Path, command: str) -> None:
    with described_api.describing(INSTANCE) as api:
        done = program.ended(
            ["bash", "-c", command],
            env={
                "PATH": f"{desk / 'programs'}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "AWS_CONFIG_FILE": str(desk / "config"),
                "AWS_SHARED_CREDENTIALS_FILE": str(desk / "credentials"),
                "AWS_ENDPOINT_URL_EC2": api.url,
            },
            cwd=desk,
        )
    name, verb, *_ = command.split()
    expected = STATUS.get(verb, ExitStatus.OK)
    assert done.returncode == expected, done.stderr
    if name == "aws":
        assert (desk / "user-data.yml").read_text() == "#cloud-config"
    else:
        assert "docker.role" in done.stdout
