"""Where else a tag's key or value goes: the env file, the state, the report of a plan."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from docker_env_file import read
from e2e import program
from failures import hostile
from failures.hostile import KEYS, VALUES
from failures.hostile_runs import carried, machine, run
from failures.in_process import Booted
from machine import MachineDisk
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.state import parse_state
from rancheros_ec2_metadata.report import make_report, render_report, render_report_json

ENV_FILE = "/opt/ec2.env"
TAGS = {f"v.{number:02}": value for number, value in enumerate(VALUES)}
OF_KEYS = {f"k.{key}": str(number) for number, key in enumerate(KEYS)}
EVERYTHING = ("-t", "", "--env-prefix", "v.:V_", "--env-prefix", "k.:K_", "--env-file", ENV_FILE)


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    disk = machine(tmp_path)
    disk.path("/opt").mkdir()
    return disk


@pytest.fixture
def booted(disk: MachineDisk) -> Booted:
    """A run with tags of every hostile key and value, as labels, variables and in the env file."""
    ran = run(disk, {**TAGS, **OF_KEYS}, *EVERYTHING)
    assert ran.status == 0
    return ran


def test_the_env_file_holds_each_value_as_it_is_or_the_value_is_named(
    disk: MachineDisk, booted: Booted
) -> None:
    assert booted.status == 0
    held = read(disk.path(ENV_FILE).read_bytes())
    expected = {f"V_{tag[2:]}": value for tag, value in TAGS.items()}
    left_out = expected.keys() - held.keys()
    assert {name: held[name] for name in expected.keys() - left_out} == {
        name: value for name, value in expected.items() if name not in left_out
    }
    assert {expected[name] for name in left_out} == {
        value for value in VALUES if "\n" in value or not carried(value)
    }
    for name in left_out:
        assert f"is not set as {name} in the file of --env-file: " in booted.log
    # A key makes no other name than a variable's.
    assert all(re.fullmatch(r"(V|K|AWS|EC2)_[A-Z0-9_]*", name) for name in held)
    numbers = set(OF_KEYS.values())
    assert {value for name, value in held.items() if name.startswith("K_")} <= numbers


def test_what_the_state_says_of_a_hostile_run_is_small_and_cannot_steer_the_terminal(
    disk: MachineDisk, booted: Booted
) -> None:
    state = parse_state(disk.path(paths.STATE).read_bytes())
    assert state.last_run is not None
    assert len(state.last_run.notes) == 10
    assert sum(map(len, state.last_run.notes)) <= 2000
    assert {state.tags[tag] == value for tag, value in TAGS.items()} == {True}
    text = program.run(disk, "status")
    assert text.status == 0
    assert all(line.isprintable() for line in text.out.split("\n"))
    assert text.out.count("LAST RUN") == 1
    told = json.loads(program.run(disk, "status", "--format=json").out)
    assert told["last_run"]["notes"] == list(state.last_run.notes)
    assert hostile.ran(disk.root) == []


def test_a_plan_tells_each_label_as_it_is_and_prints_none_that_steers_the_terminal(
    booted: Booted,
) -> None:
    plan = booted.plan
    assert plan is not None
    report = make_report(plan, {})
    assert all(line.isprintable() for line in render_report(report, "now"))
    tree = json.loads(render_report_json(report, ExitStatus.OK, plan.notes))
    labels = {item["name"]: item["after"] for item in tree["labels"] if item["after"] is not None}
    everything = {**TAGS, **OF_KEYS}
    fits = {tag: v for tag, v in everything.items() if carried(tag + v) and "=" not in tag}
    assert {tag: labels[tag] for tag in fits} == fits
    left_out = {one["name"] for one in tree["left_out"] if one["kind"] == "label"}
    assert {tag for tag in everything if tag not in labels} <= left_out
