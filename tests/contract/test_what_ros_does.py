"""The layer model and the fake ``ros`` against what real ones printed (see README.md)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import fake_ros
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import stack
from rancheros_ec2_metadata.rancheros.ros import Answer, Ros, Run
from rancheros_ec2_metadata.rancheros.ros_yaml import PLACEHOLDER_PATTERN

Question = dict[str, Any]

# What is not modelled, and why.
NOT_MODELLED = {
    ("both keys", "v0.4.5", "rancher.docker.args"): (
        "it drops -D from args unless rancher.debug is set: dockerd's debug log, not ours to keep"
    ),
    ("both keys", "v0.4.5", "dockerd-argv"): "the same -D",
}
BUILT_FOR_THE_MEASUREMENT = ("v0.4.5", "v0.6.1", "v0.7.1", "burmilla-master")

_LOG_LINE = re.compile(r"(?:^> .*\n)+", re.MULTILINE)


@cache
def _vectors() -> list[Question]:
    text = (Path(__file__).parent / "ros.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def _questions(release: str, *start: str) -> Iterator[tuple[Question, Any, str]]:
    """Yield the questions that begin so, the answer of ``release``, and the last word."""
    for question in _vectors():
        ask = question["ask"]
        words = [ask] if isinstance(ask, str) else ask
        last = words[-1]
        if tuple(words[: len(start)]) == start and (
            (question["case"], release, last) not in NOT_MODELLED
        ):
            yield question, question["answers"][release], last


def _disk(question: Question, release: str) -> Disk:
    files = {
        f"{paths.CONF}/{name}": text.encode("utf-8") for name, text in question["files"].items()
    }
    files[paths.OS_CONFIG] = fake_ros.os_config(release)
    files[paths.COMMAND_LINE] = question["cmdline"].encode()
    return Disk(files)


def _unknown_addresses(text: str) -> str:
    """Return ``text`` as it was on the machines measured, which knew no address of theirs."""
    return re.sub(PLACEHOLDER_PATTERN, "", text)


def _recorded(answer: Any) -> Run:
    def run(command: Sequence[str], limit: Limit) -> Answer:
        return Answer(answer["rc"], answer["stdout"].encode())

    return run


def test_every_vector_is_asked_about_somewhere() -> None:
    asked = sum(
        len(list(_questions(release, *start)))
        for release in fake_ros.RELEASES
        for start in (("config", "get"), ("config", "validate"), ("--version",), ("dockerd-argv",))
    )
    assert asked == sum(len(q["answers"]) for q in _vectors()) - len(NOT_MODELLED) == 1104


@pytest.mark.parametrize("release", fake_ros.RELEASES)
def test_the_model_says_what_ros_printed(release: str) -> None:
    for question, answer, key in _questions(release, "config", "get"):
        layers = stack(_disk(question, release), fake_ros.release_named(release))
        why = (question["case"], key)
        if answer["rc"] != 0:
            assert layers.fatal, why
            continue
        assert layers.fatal is None, why
        printed = yaml.load(_LOG_LINE.sub("", answer["stdout"]), Loader=yaml.BaseLoader)
        if key == "rancher.environment":
            found = {k: _unknown_addresses(v) for k, v in layers.environment().items()}
            assert found == printed, why
        elif key in ("rancher.docker.args", "rancher.docker.extra_args"):
            items = layers.docker_arguments(key.rpartition(".")[2])
            assert [_unknown_addresses(item) for item in items] == (printed or []), why


@pytest.mark.parametrize("release", fake_ros.RELEASES)
def test_the_fake_prints_what_ros_printed(release: str) -> None:
    for question, answer, key in _questions(release, "config"):
        stdin = question.get("stdin", "")
        printed = fake_ros.ros(_disk(question, release), release, question["ask"], stdin)
        found = (printed.status, _LOG_LINE.sub("> a log line\n", printed.stdout))
        expected = (answer["rc"], _LOG_LINE.sub("> a log line\n", answer["stdout"]))
        if printed.status == 0:
            assert found == expected, (question["case"], key)
        else:
            assert printed.status == answer["rc"], (question["case"], key)


@pytest.mark.parametrize("release", fake_ros.RELEASES)
def test_the_fake_names_its_version_as_ros_does(release: str) -> None:
    if release not in BUILT_FOR_THE_MEASUREMENT:
        for _, answer, _ in _questions(release, "--version"):
            assert fake_ros.ros(Disk(), release, ["--version"]).stdout == answer["stdout"]


@pytest.mark.parametrize("release", fake_ros.RELEASES)
def test_the_model_says_which_arguments_reached_dockerd(release: str, tmp_path: Path) -> None:
    for question, answer, key in _questions(release, "dockerd-argv"):
        layers = stack(_disk(question, release), fake_ros.release_named(release))
        assert fake_ros.dockerd_argv(layers, tmp_path) == answer["argv"], (question["case"], key)


@pytest.mark.parametrize("release", fake_ros.RELEASES)
def test_what_ros_printed_is_read_as_the_model_predicts(release: str) -> None:
    limit = Limit.after(60, Clock())
    for question, answer, key in _questions(release, "config", "get"):
        ros = Ros("ros", _recorded(answer))
        layers = stack(_disk(question, release), fake_ros.release_named(release))
        if answer["rc"] != 0:
            with pytest.raises(FilesError, match="ended with status 1"):
                ros.map(key, limit)
        elif key == "rancher.environment":
            predicted = {k: _unknown_addresses(v) for k, v in layers.environment().items()}
            assert ros.map(key, limit) == predicted, question["case"]
        elif key == "rancher.docker.extra_args":
            predicted_items = layers.docker_arguments("extra_args")
            assert ros.list(key, limit) == predicted_items, question["case"]


@pytest.mark.parametrize("release", fake_ros.RELEASES)
def test_the_fake_executable_answers_through_a_pipe(release: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    files = {
        "cloud-config.d/boot.yml": "rancher: {docker: {extra_args: ['--label=a=b']}}",
        "cloud-config.d/broken": "{",
    }
    fake_ros.machine(root, release, files, "rancher.environment.A=b")
    path = fake_ros.executable(tmp_path, root, release)
    limit = Limit.after(60, Clock())
    if release == "v0.4.5":
        with pytest.raises(FilesError, match="ended with status 1"):
            Ros(str(path)).list("rancher.docker.extra_args", limit)
    else:
        ros = Ros(str(path))
        assert ros.list("rancher.docker.extra_args", limit) == ("--label=a=b",)
        assert ros.map("rancher.environment", limit)["A"] == "b"
        assert release in ros.version(limit)


def test_the_fake_executable_lints_its_standard_input(tmp_path: Path) -> None:
    path = fake_ros.executable(tmp_path, tmp_path / "root", "v1.5.8")
    config = '{"rancher": {"docker": {"extra_args": ["--label", "a=1", "--label", "b=2"]}}}'
    done = subprocess.run(
        [path, "config", "validate"], input=config, capture_output=True, text=True, check=True
    )
    assert "array items must be unique" in done.stderr
