"""``--env-file``: what a run writes there, and what a container that is started with it gets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from docker_env_file import read
from e2e import program
from e2e.program import Ran
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.rancheros import paths
from real_parts.dockerd import Dockerd

PATH = f"{paths.CONF}/ec2.env"
# Of those that the metadata service can show and RancherOS cannot carry in a variable.
VALUES = {
    "app.accents": "café 語 🐄",
    "app.comment": "# no comment",
    "app.equals": "a=b=c",
    "app.null": "null",
    "app.quotes": '"it\'s"',
    "app.shell": "$(touch pwned) `x` ${HOME} \\n",
    "app.space": "  a\tb  ",
    "app.bom": "\ufeffx\u2028y",
}
FLAGS = ("--env-prefix", "app.:APP_", "--env-file", PATH)
EXPECTED = {f"APP_{tag[4:].upper()}": value for tag, value in VALUES.items()}


@pytest.fixture
def imds() -> Iterator[FakeImds]:
    with FakeImds(FakeInstance(tags=VALUES)) as fake:
        yield fake


def run(disk: MachineDisk, imds: FakeImds, *flags: str) -> Ran:
    return program.run(disk, *flags, imds=imds)


def test_it_has_all_variables_and_only_its_owner_reads_it(
    disk: MachineDisk, imds: FakeImds
) -> None:
    planned = run(disk, imds, "plan", *FLAGS)
    assert planned.status == 10
    assert "+APP_NULL=null\n" in planned.out
    assert not disk.path(PATH).exists()
    ran = run(disk, imds, *FLAGS)
    assert ran.status == 0
    assert "ec2.env" in ran.log[-1]
    found = read(disk.path(PATH).read_bytes())
    assert found | EXPECTED == found
    assert found.keys() == disk.variables().keys() | EXPECTED.keys()
    assert disk.path(PATH).stat().st_mode & 0o777 == 0o600
    before = disk.snapshot()
    run(disk, imds, *FLAGS)
    assert disk.snapshot() == before


def test_a_file_that_does_not_begin_with_our_line_is_left_alone_and_all_else_is_applied(
    disk: MachineDisk, imds: FakeImds
) -> None:
    # A run has written it, and somebody else has taken it since.
    assert run(disk, imds, *FLAGS).status == 0
    disk.write(PATH, "MINE=1\n")
    ran = run(disk, imds, *FLAGS)
    assert ran.status == 5
    assert ran.line("error:", PATH, "move it away")
    assert disk.variables()["APP_EQUALS"] == "a=b=c"
    run(disk, imds, "clean")
    assert disk.path(PATH).read_text() == "MINE=1\n"


@pytest.mark.parametrize("kind", ["folder", "fifo", "link above", "link", "dangling", "loop"])
def test_what_is_no_file_is_named_and_all_else_is_applied(
    disk: MachineDisk, imds: FakeImds, kind: str
) -> None:
    path = "/opt/made/ec2.env"
    file, victim = disk.path(path), disk.write("/etc/victim", "")
    file.parent.parent.mkdir()
    if kind == "link above":
        disk.path("/elsewhere").mkdir()
        file.parent.symlink_to("../elsewhere")
    else:
        file.parent.mkdir()
    to: dict[str, str | Path] = {"link": victim, "dangling": "/nowhere", "loop": file}
    if kind in to:
        file.symlink_to(to[kind])
    elif kind == "folder":
        file.mkdir()
    elif kind == "fifo":
        os.mkfifo(file)
    ran = run(disk, imds, *FLAGS[:-1], path)
    assert ran.status == 5
    assert ran.line("error:", "/opt/made")
    assert disk.variables()["APP_EQUALS"] == "a=b=c"
    assert victim.read_bytes() == b""
    written = [found for found in disk.root.rglob("*ec2.env*") if found.is_file()]
    assert written in ([], [file])


def test_what_a_killed_run_left_beside_it_goes(disk: MachineDisk, imds: FakeImds) -> None:
    left = disk.write("/opt/.ec2-metadata.tmp.ec2.env", "APP_HALF")
    run(disk, imds, *FLAGS[:-1], "/opt/ec2.env")
    assert not left.exists()
    left.write_text("APP_HALF")
    run(disk, imds)
    assert not left.exists()


@pytest.mark.real_parts
def test_a_container_started_with_it_has_every_value_as_the_tags_have_it(
    disk: MachineDisk, imds: FakeImds, image_dockerd: Dockerd, tmp_path: Path
) -> None:
    assert run(disk, imds, *FLAGS).status == 0
    image_dockerd.import_busybox("localhost/env:1", tmp_path)
    command = ["run", "--rm", "--network=none", "--env-file", str(disk.path(PATH))]
    cat = ["/bin/busybox", "cat", "/proc/self/environ"]
    printed = image_dockerd.docker(*command, "localhost/env:1", *cat)
    got = dict(entry.split("=", 1) for entry in printed.split("\0") if entry)
    assert got | EXPECTED == got
    assert got["AWS_INSTANCE_ID"] == FakeInstance().instance_id
