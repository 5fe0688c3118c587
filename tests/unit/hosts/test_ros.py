from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from rancheros_ec2_metadata.hosts.rancheros.ros import (
    Answers,
    NoAnswerError,
    Printed,
    Ros,
    run_programs,
)

LONG = 600.0  # seconds; nothing here waits for so long


def program(folder: Path, script: str) -> str:
    file = folder / "ros"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return str(file)


def answering(rancher: str | bytes = "{}\n", status: int | None = 0, **others: str) -> Ros:
    """Return a ``ros`` that prints these texts, each for its key."""
    raw = rancher.encode() if isinstance(rancher, str) else rancher

    def run(commands: Sequence[Sequence[str]], _: float) -> list[Printed]:
        printed = {"rancher": raw, "hostname": b"\n", "write_files": b"[]\n", "runcmd": b"[]\n"}
        printed |= {key: text.encode() for key, text in others.items()}
        return [Printed(status, printed[words[-1]]) for words in commands]

    return Ros("/usr/bin/ros", run)


def test_four_questions_are_put_at_once_as_ros_wants_them() -> None:
    asked: list[list[list[str]]] = []

    def run(commands: Sequence[Sequence[str]], seconds: float) -> list[Printed]:
        asked.append([list(words) for words in commands])
        assert seconds == 3
        return [Printed(0, b"\n") for _ in commands]

    assert Ros("/usr/bin/ros", run).ask(3) == Answers({}, [], [], "")
    keys = ("rancher", "write_files", "runcmd", "hostname")
    assert asked == [[["/usr/bin/ros", "config", "get", key] for key in keys]]


RANCHER = """\
> level=error msg="broken"
time="2017-01-01T00:00:00Z" level=info msg="x"
docker:
  extra_args:
  - --label=a=b
  - 1:30
  - =
  - ''
  - "\\_\\xFC"
  - |-
    text
environment:
  A: 0123
  B: ""
  <<: =
  Z: |+
    line

"""


def test_an_answer_is_read_as_texts_without_the_log_lines_before_it() -> None:
    write_files = "- path: /etc/x\n  content: |+\n    y\n\n"
    found = answering(RANCHER, hostname="web-1\n", write_files=write_files).ask(LONG)
    assert found.arguments("extra_args") == (
        *("--label=a=b", "1:30", "=", "", "\u00a0\u00fc", "text"),
    )
    assert found.get("rancher", "environment") == {"A": "0123", "B": "", "<<": "=", "Z": "line\n"}
    assert found.write_files == [{"path": "/etc/x", "content": "y\n"}]
    assert found.hostname == "web-1"
    assert found.arguments("args") == ()
    assert found.get("rancher", "docker", "log_opts") == ""
    assert found.get("rancher", "docker", "config_file") == ""


@pytest.mark.parametrize("text", ["\n", "null\n", "{}\n\n", ""])
def test_an_empty_answer_is_an_empty_map(text: str) -> None:
    assert answering(text).ask(LONG).rancher == {}


@pytest.mark.parametrize(
    ("ros", "words"),
    [
        (answering("- private-key\n"), "rancher was not answered with a map"),
        (answering("[private-key\n"), "rancher was not answered in YAML"),
        (answering(b"private-key \xff\n"), "was not answered in UTF-8"),
        (answering("private-key", status=None), "'config get rancher' was not answered in time"),
        (answering(runcmd="a: private-key\n"), "runcmd was not answered with a list"),
    ],
)
def test_what_is_no_answer_is_refused_without_showing_it(ros: Ros, words: str) -> None:
    with pytest.raises(NoAnswerError, match=words) as caught:
        ros.ask(LONG)
    assert "private-key" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("items", ["{a: private-key}", "private-key", "[[private-key]]"])
def test_a_list_of_arguments_that_is_none_is_refused_without_showing_it(items: str) -> None:
    found = answering(f"docker: {{extra_args: {items}}}\n").ask(LONG)
    with pytest.raises(
        NoAnswerError, match=r"rancher\.docker\.extra_args in its answer is not a list"
    ) as caught:
        found.arguments("extra_args")
    assert "private-key" not in str(caught.value)


def test_no_answer_is_in_a_repr() -> None:
    shown = repr(Printed(0, b"private")) + repr(Answers({"a": "private"}, [], [], ""))
    assert "private" not in shown


def test_a_program_gets_no_environment_and_no_input_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    printed = run_programs([[program(tmp_path, "env; cat; pwd; echo error >&2")]], LONG)[0]
    lines = set(printed.output.decode().splitlines())
    names = {line.partition("=")[0] for line in lines}
    assert names <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_", "/"}
    assert "/" in lines


def test_each_status_and_output_is_that_of_its_program(tmp_path: Path) -> None:
    path = program(tmp_path, 'printf "%s" "$1"; exit "$2"')
    printed = run_programs([[path, "one", "3"], [path, "two", "0"]], LONG)
    assert printed == [Printed(3, b"one"), Printed(0, b"two")]


def test_no_file_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - their number
    run_programs([[program(tmp_path, "echo x")]] * 3, LONG)
    with pytest.raises(OSError, match="No such file"):
        run_programs([[program(tmp_path, "echo x")], ["/nowhere"]], LONG)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
