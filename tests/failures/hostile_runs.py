"""Runs with tags of somebody who means harm, on the machine of a user who does not."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rancheros_ec2_metadata.rancheros.layers import DOCKER, ENVIRONMENT

from e2e import program
from failures import hostile, in_process, timed
from failures.in_process import Booted, GivenEc2, found
from machine import MachineDisk
from rancheros_ec2_metadata import options
from rancheros_ec2_metadata.settings import Settings
from ros_stand_in.in_effect import dockerd_argv

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


def machine(folder: Path, release: str = "v1.5.8") -> MachineDisk:
    disk = MachineDisk(folder / "disk", release)
    disk.user_data(USER_DATA)
    program.on_ec2(disk)
    return disk


def settings(disk: MachineDisk, *flags: str) -> Settings:
    parser = options.Parser()
    options.add_to(parser)
    return options.settings(parser.parse_args([*flags, "--root", str(disk.root)]), {})


def run(disk: MachineDisk, tags: Mapping[str, str], *flags: str) -> Booted:
    """Run with flags and these tags, and some benign ones, which must come through it."""
    before = timed.layers_of(disk).merged
    names = set(disk.snapshot())
    booted = in_process.run(
        disk.root, GivenEc2(found({**BENIGN, **tags})), settings=settings(disk, *flags)
    )
    log_is_safe(booted.log)
    assert booted.status != 1
    new = {name.rpartition("/")[2] for name in set(disk.snapshot()) - names}
    assert new <= {".ec2-metadata.json", "zz-ec2-metadata.yml"}
    layers = timed.layers_of(disk)
    assert (layers.problems, layers.fatal) == ((), None)
    after = copy.deepcopy(layers.merged)
    for path in ((*DOCKER, "args"), (*DOCKER, "extra_args"), ENVIRONMENT):
        drop(after, path)
        drop(before, path)
    assert {**after, "rancher": differing(after, before)} == {**before, "rancher": {}}
    return booted


def drop(tree: Any, path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        tree = tree.get(key, {})
    tree.pop(path[-1], None)


def differing(after: Any, before: Any) -> Any:
    return {} if after["rancher"] == before["rancher"] else after["rancher"]


def log_is_safe(log: str) -> None:
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
    found = dockerd_argv(disk.root, timed.release_of(disk), working)
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
