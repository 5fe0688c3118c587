"""The stand-in for ``ros`` against what real ones answered (see README.md)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ros_stand_in import RELEASES, root_folder, served
from ros_stand_in.answers import answer
from ros_stand_in.in_effect import dockerd_argv, environment
from ros_stand_in.loading import Disk
from ros_stand_in.os_config import os_config
from ros_stand_in.root_folder import in_process, machine

Question = dict[str, Any]

# What the program and the pages ask.
COMMANDS = (["config", "get"], ["config", "set"])
_BASE_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

# The commit that burmilla-master was when it was measured for the second file.
BURMILLA_COMMIT = "885fda8"

# Positions are in a text that ros makes for itself, and this warning prints a Go map.
UNCOMPARED = re.compile(
    r'(?m) at line \d+, column \d+|^(?:> )?level=warning msg="Error serializing to YML".*\n'
)


@cache
def _vectors() -> list[Question]:
    files = ("ros.jsonl", "ros-2.jsonl")
    texts = ((Path(__file__).parent / file).read_text("ascii") for file in files)
    return [json.loads(line) for text in texts for line in text.splitlines()]


def _asked(release: str) -> Iterator[tuple[Question, Any, Disk]]:
    """Yield each question, the answer of ``release``, and the disk at that time.

    The questions of one case are asked on one disk, in order; v0.4.5, which saves what is set in
    another way, is asked no more then.
    """
    case, disk, is_set = None, Disk(), False
    for question in _vectors():
        machine = (question["case"], question["files"])
        if machine != case:
            case, is_set = machine, False
            disk = Disk(
                {name: text.encode() for name, text in question["files"].items()},
                os_config(release),
                question.get("oem", "").encode(),
                question["cmdline"],
            )
        is_set = is_set or question["ask"][:2] == ["config", "set"]
        if is_set and release == "v0.4.5":
            continue
        (given,) = (one for one in question["answers"] if release in one["releases"])
        yield question, given, disk
        if question["ask"][:2] == ["config", "set"]:
            changes = answer(disk, release, question["ask"]).written
            disk = replace(disk, files={**disk.files, **changes})


def _comparable(text: str, release: str) -> str:
    return UNCOMPARED.sub("", text.replace(BURMILLA_COMMIT, release))


def test_every_answer_of_every_release_is_there() -> None:
    answers = [one for question in _vectors() for one in question["answers"]]
    assert sum(len(one["releases"]) for one in answers) == 1106 + 1414
    assert {release for one in answers for release in one["releases"]} == set(RELEASES)


@pytest.mark.parametrize("release", RELEASES)
def test_it_answers_as_the_real_one_does(release: str, tmp_path: Path) -> None:
    for question, given, disk in _asked(release):
        ask, why = question["ask"], (question["case"], question["ask"])
        if ask == "dockerd-argv":
            assert dockerd_argv(disk, release, tmp_path) == given["argv"], why
        elif ask == "cat cloud-config.yml":
            assert disk.files["cloud-config.yml"] == given["text"].encode(), why
        elif ask[:2] in COMMANDS:
            found = answer(disk, release, ask)
            stdout = _comparable(given["stdout"], release)
            assert (found.status, _comparable(found.stdout, release)) == (given["rc"], stdout), why
            if release != "v0.4.5":  # it prints the whole configuration, as Go maps
                stderr = _comparable(given.get("stderr", ""), release)
                assert _comparable(found.stderr, release) == stderr, why


@pytest.mark.parametrize("release", RELEASES)
def test_the_whole_of_rancher_agrees_with_every_question_about_a_part_of_it(release: str) -> None:
    asked = ("rancher.docker", "rancher.docker.extra_args", "rancher.environment")
    for question, given, disk in _asked(release):
        key = question["ask"][-1]
        if key not in asked:
            continue
        whole = answer(disk, release, ["config", "get", "rancher"])
        assert whole.status == given["rc"], (question["case"], key)
        if whole.status == 0:
            part = _read(whole.stdout)
            for name in key.split(".")[1:]:
                part = part[name]
            assert part == _read(_comparable(given["stdout"], release)), (question["case"], key)


def _read(stdout: str) -> Any:
    return yaml.load(re.sub(r"(?m)^> .*\n", "", stdout), Loader=_BASE_LOADER)


@pytest.mark.parametrize("kind", [root_folder, served])
@pytest.mark.parametrize("release", RELEASES)
def test_the_executables_answer_as_the_function_does(
    release: str, kind: ModuleType, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    files = {"cloud-config.d/boot.yml": "rancher: {environment: {A: a}}", "cloud-config.d/x": "{"}
    machine(root, release, files, "rancher.environment.B=b", oem="rancher: {environment: {C: c}}")
    ros = kind.executable(tmp_path, root, release)
    ask = ["config", "get", "rancher"]
    done = subprocess.run([ros, *ask], capture_output=True, check=False, env={})
    assert in_process(root, release)(["ros", *ask], None) == (done.returncode, done.stdout)
    if release == "v0.4.5":
        assert (done.returncode, done.stdout) == (1, b"")
    else:
        found = environment(root, release)
        assert {**found, "A": "a", "B": "b", "C": "c"} == found
        assert b"Failed to parse config file" in done.stdout + done.stderr
