"""Whoever can tag an instance gets labels, and no more."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from e2e import program
from failures import hostile, in_process
from failures.hostile import KEYS, VALUES
from failures.hostile_runs import (
    BENIGN,
    RELEASES,
    USERS,
    argv,
    carried,
    check_log,
    labels,
    machine,
    run,
    settings,
)
from failures.in_process import METADATA, GivenEc2, found
from hostile_imds import SANE
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

RESERVED = ("com.docker.a", "IO.DOCKER.b", "org.dockerproject.c")


@pytest.mark.parametrize("release", RELEASES)
def test_labels_run_no_command_and_arrive_as_they_are_or_are_left_out_and_named(
    tmp_path: Path, release: str
) -> None:
    disk = machine(tmp_path, release)
    tags = {f"docker.v{number:02}": value for number, value in enumerate(VALUES)}
    booted = run(disk, tags)
    assert booted.status == 0
    started = argv(disk, tmp_path)
    got = labels(started)
    expected = {**tags, **BENIGN}
    plain = re.compile(r"(?!.*\$(private|public)_ipv)[ -~]*")
    fits = plain.fullmatch if release == "v0.4.5" else carried
    left_out = {key for key, value in expected.items() if not fits(value)}
    assert {key: got[key] for key in got if key in expected} == {
        key: value for key, value in expected.items() if key not in left_out
    }
    assert all(f"label '{key}' is left out" in booted.log for key in left_out)
    rest = [one for one in started if not one.startswith("--label=docker.")]
    assert [one for one in rest if one in USERS or one.startswith("--label=user.")]
    assert not any("evil" in one for one in rest)


@pytest.mark.parametrize("release", ["v0.6.1", "v1.5.8"])
def test_keys_of_labels_run_no_command_and_hide_no_other(tmp_path: Path, release: str) -> None:
    disk = machine(tmp_path, release)
    tags = {f"docker.{key}": str(number) for number, key in enumerate(KEYS)}
    bare = {key: str(number) for number, key in enumerate(KEYS)}
    assert run(disk, {**tags, **bare}, "-t", "").status == 0
    got = labels(argv(disk, tmp_path))
    assert got.items() >= BENIGN.items()
    assert got["user.motto"] == "a  b"
    fits = {k: v for k, v in {**tags, **bare}.items() if carried(k) and "=" not in k}
    assert {k: got.get(k) for k in fits if k not in RESERVED} == {
        k: v for k, v in fits.items() if k not in RESERVED
    }
    assert not got.keys() & {*RESERVED, "=", "a", "a=b"}


def test_fifty_of_the_longest_tags_cost_no_short_one_and_start_one_bash(tmp_path: Path) -> None:
    disk = machine(tmp_path)
    booted = run(disk, {f"docker.n{number:02}": "語" * 256 for number in range(48)})
    assert booted.status == 0
    got = labels(argv(disk, tmp_path))
    assert got.items() >= BENIGN.items()
    assert 20 < len(got) < 50
    assert "would be longer than 96 KiB" in booted.log


@pytest.mark.parametrize("command", [["apply"], ["plan"], ["show"], ["show", "--format=yaml"]])
def test_nothing_that_is_printed_reaches_the_terminal_or_makes_a_second_line(
    tmp_path: Path, command: list[str]
) -> None:
    """From outside, with values and names as the metadata service gives them."""
    disk = machine(tmp_path)
    values = [value for value in VALUES if carried(value)]
    tags = {f"docker.v{number:02}": value for number, value in enumerate(values)}
    role = {"iam/security-credentials": "no\x1b[2Ject\nec2-metadata: forged; exit 0"}
    with FakeImds(replace(SANE, tags=tags, extra=role)) as imds:
        variable = {"AWS_METADATA_TAG_VARIABLES": "docker.v00:X"}
        ran = program.run(disk, *command, "--debug", imds=imds, **variable)
    assert ran.status in (0, 4, 10)
    check_log(ran.err)
    assert "\nec2-metadata: forged" not in ran.err
    assert all(line.isprintable() for line in ran.out.split("\n"))
    assert hostile.ran(tmp_path) == []


def test_a_tag_is_no_label_of_the_programs_own(tmp_path: Path) -> None:
    disk = machine(tmp_path)
    tags = {"ec2-metadata.status": "complete", "aws.instance-type": "forged"}
    flags = ("-t", "", "--status-label", "--metadata-labels", "region,instance-id")
    partial = found({**tags, "aws.region": "forged"})._replace(variables_complete=False)
    booted = in_process.run(disk.root, GivenEc2(partial), settings=settings(disk, *flags))
    got = labels(argv(disk, tmp_path))
    assert got["ec2-metadata.status"] == "partial"
    assert got["aws.region"] == METADATA["AWS_REGION"]
    assert "the label of that name is the program's own" in booted.log
