from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from e2e import program
from rancheros_ec2_metadata.cli import main
from rancheros_ec2_metadata.commands.invocation import Process
from rancheros_ec2_metadata.settings import HostKind

HOSTILE = "docker.motto=it's café; $(touch pwned)"


def played(host: HostKind = "auto") -> list[str]:
    out, err = io.StringIO(), io.StringIO()
    assert main(["demo", f"--host={host}"], Process({}, out, err)) == 0
    assert err.getvalue() == ""
    return out.getvalue().splitlines()


@pytest.fixture(scope="module")
def story() -> list[str]:
    return played()


def after(lines: list[str], title: str) -> list[str]:
    """Return the lines between a heading that begins so and the next heading."""
    start = next(i for i, line in enumerate(lines) if line.startswith(f"# {title}"))
    rest = lines[start + 1 :]
    return rest[: next((i for i, line in enumerate(rest) if line.startswith("# ")), len(rest))]


def test_it_fits_a_terminal(story: list[str]) -> None:
    for lines in (story, played("systemd")):
        assert len(lines) <= 56
        assert max(map(len, lines)) <= 80


def test_on_a_host_with_systemd_it_shows_the_file_before_and_after_and_a_tag_that_changes() -> None:
    lines = played("systemd")
    diff = after(lines, "What it changed in /etc/docker/daemon.json")
    before = [line[1:] for line in diff[3:] if line[0] in " -"]
    now = json.loads("".join(line[1:] for line in diff[3:] if line[0] in " +"))
    assert json.loads("".join(before)) == {"log-driver": "journald"}
    assert f"  {HOSTILE}" in after(lines, "Docker starts. Its labels (3)")
    assert HOSTILE in now["labels"]
    assert '  DB_HOST="db.internal"' in after(lines, "/run/metadata/ec2")
    assert "  docker.role=db" in after(lines, "Docker's labels, without a restart (3)")


def test_it_shows_the_file_that_was_written_as_a_diff(story: list[str]) -> None:
    lines = after(story, "The file that was written")
    assert lines[:2] == ["--- /dev/null", "+++ cloud-config.d/zz-ec2-metadata.yml"]
    assert {line[0] for line in lines[2:]} == {"+"}
    shown = json.loads("".join(line[1:] for line in lines[2:]))
    # The user's item is still there, and first.
    items = shown["rancher"]["docker"]["extra_args"]
    assert items[:2] == ["--debug", "--label=docker.environment=production"]
    assert shown["rancher"]["environment"]["DB_HOST"] == "db.internal"


def test_it_shows_the_arguments_that_come_out_of_bash(story: list[str]) -> None:
    words = [json.loads(line) for line in after(story, "The arguments that reach dockerd")]
    assert words == [
        "--debug",
        "--label=docker.environment=production",
        f"--label={HOSTILE}",
        "--label=docker.role=web",
    ]


def test_the_bash_is_as_rancheros_starts_it_whatever_the_users_shell_is_told(
    story: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    profile.write_text("echo hello\n")
    monkeypatch.setenv("BASH_ENV", str(profile))
    title = "The arguments that reach dockerd"
    assert after(played(), title) == after(story, title)


def test_without_bash_it_ends_before_the_arguments(
    story: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    title = next(line for line in story if line.startswith("# The arguments that reach dockerd"))
    assert len(played()) == story.index(title)


def test_it_needs_no_settings_no_tools_and_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    # A profile that exists nowhere, a proxy that answers nobody: neither is asked.
    environ = {
        "TMPDIR": str(temporary),
        "AWS_PROFILE": "of-nobody",
        "AWS_METADATA_TAG_PREFIXES": "other.",
        "http_proxy": "http://127.0.0.1:1",
    }
    environ |= {name: os.environ[name] for name in os.environ if name.startswith("COVERAGE_")}
    done = program.ended(
        [sys.executable, "-m", "rancheros_ec2_metadata", "demo"],
        cwd=tmp_path,
        env=environ,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert HOSTILE in done.stdout
    assert "\x1b" not in done.stdout
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["tmp"]
