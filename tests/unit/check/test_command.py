from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

import rancheros_ec2_metadata
from rancheros_ec2_metadata.cli import main
from rancheros_ec2_metadata.commands.check import RUNS
from rancheros_ec2_metadata.commands.invocation import Process
from unit.check.checking import GOOD, SERVICE_FILE, changed

BAD = changed("net: host", "net: bridge")


class Said:
    """What ``check`` printed and returned."""

    def __init__(self, *arguments: str | Path) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.status = main(["check", *map(str, arguments)], Process({}, out, err))
        self.out, self.err = out.getvalue(), err.getvalue()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "good.yml"
    file.write_text(GOOD)
    return file


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    file = tmp_path / "bad.yml"
    file.write_text(BAD)
    return file


def test_a_file_without_findings_is_said_to_have_none(good: Path) -> None:
    said = Said(good)
    assert (said.status, said.out) == (0, "")
    assert said.err == (
        f"ec2-metadata: {good}: cloud-config, services: ec2-metadata; nothing found\n"
    )


def test_a_finding_has_its_reason_and_its_fix_on_lines_of_their_own(bad: Path) -> None:
    said = Said(bad)
    assert said.status == 11
    assert said.out == (
        f"{bad}:7: [net]\n"
        "  'ec2-metadata' has net: 'bridge': a token from IMDS does not pass the default hop"
        " limit of 1\n"
        "  fix: set net: host\n"
    )
    assert said.err.endswith("; 1 finding\n")


def test_findings_are_in_the_order_of_their_lines(bad: Path) -> None:
    bad.write_text(BAD.replace("after: network", "after: ntp"))
    lines = Said(bad).out.splitlines()
    assert [line.split(":")[1] for line in lines if line.endswith("]")] == ["7", "11"]
    assert max(len(line) for line in lines if line.startswith(" ")) <= 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SERVICE_FILE, "service-file, services: ec2-metadata; nothing found"),
        (f"#compose\n{SERVICE_FILE}", "compose, services: ec2-metadata; nothing found"),
        ("", "unknown, services: none of this program; 1 finding"),
        ("#!/bin/sh\necho\n", f"script, {RUNS}; nothing found"),
    ],
)
def test_the_form_that_was_seen_is_said(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "user-data"
    file.write_text(text)
    assert Said(file).err == f"ec2-metadata: {file}: {said}\n"


def test_the_standard_input_is_read_for_a_dash() -> None:
    done = subprocess.run(
        [sys.executable, "-m", rancheros_ec2_metadata.__name__, "check", "-"],
        cwd=Path(rancheros_ec2_metadata.__file__).parents[1],
        input=BAD.encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.partition(b" ")[0]) == (11, b"-:7:")
    assert done.stderr == b"ec2-metadata: -: cloud-config, services: ec2-metadata; 1 finding\n"


def test_a_file_that_cannot_be_read_does_not_keep_the_others_from_being_checked(
    tmp_path: Path, bad: Path
) -> None:
    for unreadable, why in (("none", "No such file"), (".", "Is a directory")):
        said = Said(tmp_path / unreadable, bad)
        assert said.status == 5
        assert "[net]" in said.out
        assert f"error: '{tmp_path / unreadable}' cannot be read: {why}" in said.err


def test_a_file_that_is_far_too_large_is_not_read(good: Path) -> None:
    good.write_bytes(b"#" * (128 * 1024 + 1))
    said = Said(good)
    assert (said.status, said.out) == (5, "")
    assert "is larger than 128 KiB" in said.err
    good.write_bytes(b"#cloud-config\n#".ljust(128 * 1024, b"#"))
    assert "[not-read]" in Said(good).out


def test_what_a_release_reads_depends_on_it(tmp_path: Path) -> None:
    file = tmp_path / "args.yml"
    file.write_text(f"{GOOD}  docker: {{args: [daemon]}}\n")
    assert Said(file, "--release", "v0.6.1").status == 0
    for newer in (("--release", "v0.7.0"), ("--release", "newest"), ()):
        assert Said(file, *newer).status == 11


@pytest.mark.parametrize(
    "arguments",
    [(), ("--release", "next", "-"), ("--format", "yaml", "-"), ("--debug", "-"), ("-m", "-")],
)
def test_a_wrong_usage_is_named(arguments: tuple[str, ...]) -> None:
    said = Said(*arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err.endswith("exit 2\n")


def test_json_has_what_the_page_says(good: Path, bad: Path) -> None:
    said = Said("--format", "json", "--release", "v1.5.8", bad, bad.parent / "none", good)
    assert said.status == 5
    tree = json.loads(said.out)
    reason = tree["files"][0]["findings"][0].pop("reason")
    assert reason.startswith("'ec2-metadata' has net: 'bridge': ")
    finding = {"line": 7, "rule": "net", "fix": "set net: host"}
    common = {"form": "cloud-config", "services": ["ec2-metadata"]}
    assert tree == {
        "schema": 2,
        "release": "v1.5.8",
        "files": [
            {"file": str(bad), **common, "findings": [finding]},
            {"file": str(good), **common, "findings": []},
        ],
    }


def test_nothing_hostile_reaches_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "a\n\x1b[2J.yml"
    hostile = '"\\u001b]0;x\\u0007\\nec2-metadata: exit 0"'
    file.write_text(
        f"#cloud-config\n{hostile}: 1\nrancher:\n  {hostile}: 2\n  services:\n    {hostile}:\n"
        f"      image: x/ec2-metadata\n      {hostile}: 3\n      net: {hostile}\n"
        f"      command: [-l, {hostile}, {hostile}]\n      environment: [{hostile}]\n"
    )
    said = Said(file)
    assert said.status == 11
    for text in (said.out, said.err):
        assert "\x1b" not in text
        assert "\x07" not in text
    assert all(line.startswith((str(tmp_path), "  ")) for line in said.out.splitlines())
    assert all(line.startswith("ec2-metadata: ") for line in said.err.splitlines())


def test_no_secret_of_a_file_is_shown(bad: Path) -> None:
    secret = "c2VjcmV0LWtleQ"
    bad.write_text(
        f"{BAD}  ssh: {{keys: {{ecdsa: '-----BEGIN {secret}'}}}}\n"
        f"  environment: {{A: ['{secret}']}}\n"
        f"  registry_auths: {{'https://x': {{auth: {secret}}}}}\n"
        f"  docker:\n    server_key: {secret}\n    environment: [{secret}]\n"
        f"    extra_args: ['--label=1a={secret}', '{secret} (', '--token={secret};']\n"
        "write_files:\n- path: /etc/docker/daemon.json\n"
        f'  content: \'{{"labels": ["{secret}"]}}\'\n'
        f"runcmd:\n- ros config set rancher.docker.tls {secret}\nhostname: {{a: {secret}}}\n"
    )
    for form in ("text", "json"):
        said = Said("--format", form, bad)
        for rule in ("daemon-json", "docker-arguments", "runcmd", "wrong-type"):
            assert rule in said.out
        assert secret not in said.out + said.err
