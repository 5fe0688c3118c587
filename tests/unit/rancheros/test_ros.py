from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import DeadlineError, FilesError
from rancheros_ec2_metadata.rancheros import ros as module
from rancheros_ec2_metadata.rancheros.ros import Answer, NoAnswerError, Ros, Run, run_program

KEY = "rancher.docker.extra_args"


def soon(seconds: float = 30) -> Limit:
    return Limit.after(seconds, Clock())


def program(folder: Path, script: str) -> str:
    file = folder / "ros"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return str(file)


def answering(output: str | bytes, status: int = 0) -> Ros:
    raw = output.encode() if isinstance(output, str) else output
    return Ros("/usr/bin/ros", lambda _command, _limit: Answer(status, raw))


def gone(pid: int) -> bool:
    """Tell whether a process has ended, be it that nobody has waited for it."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_the_question_is_put_as_ros_wants_it() -> None:
    asked: list[tuple[str, ...]] = []

    def run(command: Sequence[str], limit: Limit) -> Answer:
        asked.append(tuple(command))
        return Answer(0, b"\n")

    ros = Ros("/usr/bin/ros", run)
    assert ros.list(KEY, soon()) == ()
    assert ros.map("rancher.environment", soon()) == {}
    assert ros.version(soon()) == ""
    assert asked == [
        ("/usr/bin/ros", "config", "get", KEY),
        ("/usr/bin/ros", "config", "get", "rancher.environment"),
        ("/usr/bin/ros", "--version"),
    ]


@pytest.mark.parametrize(
    ("output", "items"),
    [
        ("[]\n\n", ()),
        ("\n", ()),
        ("- --label=a=b\n- 1:30\n- =\n- ''\n\n", ("--label=a=b", "1:30", "=", "")),
        ('> level=error msg="broken" \n- a\n\n', ("a",)),
        ('time="2017-01-01T00:00:00Z" level=info msg="x" \n> time="x"\n[]\n\n', ()),
        ("- |+\n  text\n\n", ("text\n",)),
        ("- time=5\n- level=6\n\n", ("time=5", "level=6")),
        ("- |-\n  text\n\n", ("text",)),
        ('- "\\_\\xFC"\n\n', ("\u00a0\u00fc",)),
    ],
)
def test_a_list_is_read_as_texts(output: str, items: tuple[str, ...]) -> None:
    assert answering(output).list(KEY, soon()) == items


def test_a_map_is_read_as_texts() -> None:
    output = '> level=error \nA: 0123\nB: ""\nC: <<\n<<: =\ntime: x\nZ: |+\n  line\n\n'
    assert answering(output).map("rancher.environment", soon()) == {
        "A": "0123",
        "B": "",
        "C": "<<",
        "<<": "=",
        "time": "x",
        "Z": "line\n",
    }


def test_an_empty_map_is_read() -> None:
    assert answering("{}\n\n").map("rancher.environment", soon()) == {}


def test_the_version_is_one_line() -> None:
    assert answering("ros version v0.9.2\nmore\n").version(soon()) == "ros version v0.9.2"


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("A: private-key\n\n", "a list of texts"),
        ("- [private-key]\n\n", "a list of texts"),
        ("private-key\n\n", "a list of texts"),
        ("[private-key\n\n", "in YAML"),
        ("- private-key\n" + "[" * 5000, "in YAML"),
        (b"private-key \xff\n", "in UTF-8"),
    ],
)
def test_an_answer_that_is_no_list_is_refused_without_showing_it(
    output: str | bytes, what: str
) -> None:
    with pytest.raises(FilesError, match=f"config get {KEY} did not answer.*{what}") as caught:
        answering(output).list(KEY, soon())
    assert "private-key" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("output", ["- a\n\n", "A: [private-key]\n\n", "? [private-key]\n: b\n\n"])
def test_an_answer_that_is_no_map_is_refused_without_showing_it(output: str) -> None:
    with pytest.raises(FilesError, match=r"config get rancher\.environment did not") as caught:
        answering(output).map("rancher.environment", soon())
    assert "private-key" not in str(caught.value)


def test_a_failure_says_what_to_do() -> None:
    with pytest.raises(FilesError) as caught:
        answering("private-key", status=1).list(KEY, soon())
    assert str(caught.value) == (
        f"/usr/bin/ros config get {KEY} ended with status 1; run it by hand on the machine to see"
        " why, or give --ros none to do without it"
    )


def test_a_ros_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match=r"could not be started.*No such file"):
        Ros(str(tmp_path / "ros")).version(soon())


def test_without_time_nothing_is_started(tmp_path: Path) -> None:
    ros = Ros(program(tmp_path, f"touch {tmp_path}/started"))
    with pytest.raises(DeadlineError, match="no time was left"):
        ros.version(soon(0))
    assert not (tmp_path / "started").exists()


def test_one_question_is_not_waited_for_longer_than_patience() -> None:
    limits: list[float] = []

    def run(command: Sequence[str], limit: Limit) -> Answer:
        limits.append(limit.left())
        raise NoAnswerError("did not answer in time")

    with pytest.raises(FilesError, match="--version did not answer in time"):
        Ros("ros", run).version(soon(600))
    assert 0 < limits[0] <= module.PATIENCE


def test_an_answer_has_no_output_in_its_repr() -> None:
    assert "private" not in repr(Answer(0, b"private"))


def test_a_program_gets_no_environment_and_no_input_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    answer = run_program((program(tmp_path, "env; cat; pwd; echo error >&2"),), soon())
    lines = set(answer.output.decode().splitlines())
    names = {line.partition("=")[0] for line in lines}
    assert names <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_", "/"}
    assert "/" in lines


def test_status_and_output_are_those_of_the_program(tmp_path: Path) -> None:
    answer = run_program((program(tmp_path, 'printf "%s" "$1"; exit 3'), "said"), soon())
    assert answer == Answer(3, b"said")


def test_a_long_answer_is_read_whole(tmp_path: Path) -> None:
    answer = run_program((program(tmp_path, "head -c 1000000 /dev/zero"),), soon())
    assert answer.output == bytes(1_000_000)


def test_an_answer_without_end_is_not_read_to_it(tmp_path: Path) -> None:
    with pytest.raises(NoAnswerError, match="printed more than 4 MiB"):
        run_program((program(tmp_path, "exec cat /dev/zero"),), soon())


def test_a_program_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 100 & echo $! $$ > {pids}; wait"
    with pytest.raises(NoAnswerError, match="in time"):
        run_program((program(tmp_path, script),), soon(0.5))
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_a_program_that_closes_its_output_and_hangs_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(NoAnswerError, match="in time"):
        run_program((program(tmp_path, "exec >&- 2>&-; sleep 100"),), soon(0.3))


def test_a_child_that_holds_on_to_the_output_does_not_hold_us(tmp_path: Path) -> None:
    script = "sleep 100 & echo $!; exit 0"
    started = time.monotonic()
    answer = run_program((program(tmp_path, script),), soon())
    assert time.monotonic() - started < 20
    assert answer.status == 0
    assert gone(int(answer.output))


def test_a_child_of_another_group_does_not_hold_us_either(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"setsid sleep 20 & echo $! > {pid_file}; echo said"
    started = time.monotonic()
    answer = run_program((program(tmp_path, script),), soon())
    try:
        assert time.monotonic() - started < 15
        assert answer == Answer(0, b"said\n")
    finally:
        os.kill(int(pid_file.read_text()), 9)


def test_no_open_file_is_left(tmp_path: Path) -> None:
    before = open_files()
    run: Run = run_program
    run((program(tmp_path, "echo"),), soon())
    with pytest.raises(NoAnswerError):
        run((program(tmp_path, "sleep 100"),), soon(0.05))
    assert open_files() == before
