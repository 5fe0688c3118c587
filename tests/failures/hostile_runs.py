"""Runs with tags of somebody who means harm, on the machine of a user who does not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e import program
from failures import hostile, in_process
from failures.in_process import Booted, GivenEc2, found
from machine import MachineDisk
from rancheros_ec2_metadata import command_line
from rancheros_ec2_metadata.settings import Settings
from ros_stand_in import in_effect

USER_DATA = """\
#cloud-config
hostname: mine
rancher:
  docker:
    extra_args: [--debug, "--label=user.motto='a  b'"]
    log_driver: json-file
  environment: {MINE: 1, PATH: /usr/bin}
"""
USERS = ["--debug", "--label=user.motto=a  b"]
RELEASES = ["v0.4.5", "v0.6.1", "v0.7.1", "v1.5.8"]
BENIGN = {"docker.role": "web", "docker.zone": "b"}
OURS = (
    ("rancher", "docker", "args"),
    ("rancher", "docker", "extra_args"),
    ("rancher", "environment"),
)


def machine(folder: Path, release: str = "v1.5.8") -> MachineDisk:
    disk = MachineDisk(folder / "disk", release)
    disk.user_data(USER_DATA)
    program.on_ec2(disk)
    return disk


def settings(disk: MachineDisk, *flags: str) -> Settings:
    return command_line.parse([*flags, "--root", str(disk.root)], {}).settings


def run(
    disk: MachineDisk,
    tags: Mapping[str, str],
    *flags: str,
    may_change: Sequence[tuple[str, ...]] = OURS,
) -> Booted:
    """Run with flags and these tags, and some benign ones, which must come through it.

    Args:
        disk: the machine's.
        tags: hostile ones.
        flags: of the run.
        may_change: the paths of the configuration that may be others afterwards.
    """
    before, names = rest(disk, may_change), set(disk.snapshot())
    booted = in_process.run(
        disk.root, GivenEc2(found({**BENIGN, **tags})), settings=settings(disk, *flags)
    )
    check_log(booted.log)
    assert booted.status in (0, 5)
    new = {name.rpartition("/")[2] for name in set(disk.snapshot()) - names}
    assert new <= {"zz-ec2-metadata.yml", "ec2.env"}
    assert rest(disk, may_change) == before
    return booted


def rest(disk: MachineDisk, without: Sequence[tuple[str, ...]]) -> Any:
    """Return all that ``ros`` reads on the machine but what is at some paths."""
    tree: Any = in_effect.in_effect(disk.read(), disk.release)
    for path in without:
        tree = _without(tree, path)
    return tree


def _without(tree: Any, path: tuple[str, ...]) -> Any:
    if not isinstance(tree, dict) or path[0] not in tree:
        return tree
    inner = _without(tree[path[0]], path[1:]) if path[1:] else {}
    rest = {key: node for key, node in tree.items() if key != path[0]}
    return {**rest, path[0]: inner} if inner else rest


def check_log(log: str) -> None:
    """Check that each line is one of the program's, printable, and of bounded length."""
    for line in log.splitlines():
        assert re.match(r"ec2-metadata: (error: |warning: |debug: )?[a-zA-Z0-9'/-]", line), line
        assert line.isprintable(), line
        assert len(line) < 2000
    assert log == "" or log.endswith("\n")


def argv(disk: MachineDisk, folder: Path) -> list[str]:
    """Return what dockerd is started with, by a real bash where the release has one."""
    working = folder / "working"
    working.mkdir(exist_ok=True)
    found = in_effect.dockerd_argv(disk.read(), disk.release, working)
    assert found is not None
    assert hostile.ran(folder) == []
    assert list(working.iterdir()) == []
    return found


def labels(argv: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for argument in argv:
        if argument.startswith("--label="):
            key, _, value = argument.removeprefix("--label=").partition("=")
            assert key not in found
            found[key] = value
    return found


def carried(text: str) -> bool:
    """Tell whether an argument can hold a text at all."""
    return "\0" not in text and not re.search("[\ud800-\udfff]", text)
