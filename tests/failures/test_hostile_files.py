"""Where else a tag's key or value goes: the env file, the history, the report of a plan."""

from __future__ import annotations

import json
import re
from pathlib import Path

from rancheros_ec2_metadata.plan_report.document import document
from rancheros_ec2_metadata.plan_report.report import report
from rancheros_ec2_metadata.plan_report.text import lines
from rancheros_ec2_metadata.rancheros import disk as paths

from docker_env_file import read
from e2e import program
from failures import hostile, in_process
from failures.hostile import KEYS, VALUES
from failures.hostile_runs import carried, log_is_safe, machine, settings
from failures.in_process import Booted, GivenEc2, found
from machine import MachineDisk
from rancheros_ec2_metadata.errors import ExitStatus

ENV_FILE = "/opt/ec2.env"
TAGS = {f"v.{number:02}": value for number, value in enumerate(VALUES)}
OF_KEYS = {f"k.{key}": str(number) for number, key in enumerate(KEYS)}
EVERYTHING = ("-t", "", "--env-prefix", "v.:V_", "--env-prefix", "k.:K_", "--env-file", ENV_FILE)


def booted(disk: MachineDisk) -> Booted:
    """Run with tags of every hostile key and value, as labels, variables and in the env file."""
    disk.path("/opt").mkdir()
    ec2 = GivenEc2(found({**TAGS, **OF_KEYS}))
    run = in_process.run(disk.root, ec2, settings=settings(disk, *EVERYTHING))
    log_is_safe(run.log)
    assert run.status == 0
    return run


def test_the_env_file_holds_each_value_as_it_is_or_the_value_is_named(tmp_path: Path) -> None:
    disk = machine(tmp_path)
    run = booted(disk)
    held = read(disk.path(ENV_FILE).read_bytes())
    expected = {f"V_{tag[2:]}": value for tag, value in TAGS.items()}
    left_out = expected.keys() - held.keys()
    assert {name: held[name] for name in held.keys() & expected.keys()} == {
        name: value for name, value in expected.items() if name not in left_out
    }
    assert {expected[name] for name in left_out} == {
        value for value in VALUES if "\n" in value or not carried(value)
    }
    for name in left_out:
        assert f"is not set as {name} in the file of --env-file: " in run.log


def test_a_key_makes_no_other_name_in_the_env_file_than_a_variables(tmp_path: Path) -> None:
    disk = machine(tmp_path)
    booted(disk)
    held = read(disk.path(ENV_FILE).read_bytes())
    odd = {name for name in held if not re.fullmatch(r"(V|K|AWS|EC2)_[A-Z0-9_]*", name)}
    assert odd == set()
    numbers = {OF_KEYS[f"k.{key}"] for key in KEYS}
    assert {value for name, value in held.items() if name.startswith("K_")} <= numbers


def test_the_history_of_a_hostile_run_is_small_and_cannot_steer_the_terminal(
    tmp_path: Path,
) -> None:
    disk = machine(tmp_path)
    booted(disk)
    raw = disk.path(paths.RUNS).read_bytes()
    assert len(raw) < 10_000
    (run,) = json.loads(raw.decode("ascii"))["runs"]
    assert len(run["notes"]) == 10
    text = program.run(disk, "status")
    assert text.status == 0
    assert all(line.isprintable() for line in text.out.split("\n"))
    assert text.out.count("LAST RUN") == 1
    told = json.loads(program.run(disk, "status", "--format=json").out)
    assert told["runs"][0]["notes"] == run["notes"]
    assert hostile.ran(tmp_path) == []


def test_a_plan_tells_each_label_as_it_is_and_prints_none_that_steers_the_terminal(
    tmp_path: Path,
) -> None:
    plan = booted(machine(tmp_path)).plan
    assert plan is not None
    told = report(plan, {})
    text = list(lines(told))
    assert all(line.isprintable() for line in text)
    tree = json.loads(document(told, ExitStatus.OK, plan.notes))
    labels = {item["name"]: item["after"] for item in tree["labels"] if item["after"] is not None}
    fits = {tag: v for tag, v in {**TAGS, **OF_KEYS}.items() if carried(tag + v) and "=" not in tag}
    assert {tag: labels[tag] for tag in fits} == fits
    left_out = {one["name"] for one in tree["left_out"] if one["kind"] == "label"}
    assert {tag for tag in {**TAGS, **OF_KEYS} if tag not in labels} <= left_out
