"""A ``ros`` that goes wrong costs neither the boot nor the labels."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from rancheros_ec2_metadata.rancheros import disk as paths

from e2e import program
from failures import timed
from failures.timed import SLACK, Timed
from hostile_imds import SANE
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from ros_stand_in.root_folder import executable

DEADLINE = 5.0
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----"
LABEL = "--label=docker.role=web"


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    return timed.user_machine(tmp_path / "disk")


@dataclass(frozen=True)
class Script:
    """A ``ros`` in a folder.

    Args:
        path: of the script.
        folder: its own, where it may leave things.
    """

    path: Path
    folder: Path

    @classmethod
    def of(cls, folder: Path, text: str, interpreter: str = "/bin/sh") -> Script:
        path = folder / "ros"
        path.write_text(f"#!{interpreter}\nhere={folder}\n{text}\n")
        path.chmod(0o755)
        return cls(path, folder)

    def run(self, disk: MachineDisk, imds: FakeImds, deadline: float = DEADLINE) -> Timed:
        endpoint = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
        ran = timed.run(disk, f"--ros={self.path}", deadline=deadline, variables=endpoint)
        assert ran.seconds < deadline + SLACK
        assert KEY not in ran.ran.err
        layers = timed.layers_of(disk)
        assert (layers.problems, layers.fatal) == ((), None)
        assert layers.docker_arguments("extra_args")[0] == "--debug"
        return ran

    def processes(self, name: str) -> list[int]:
        """Return the numbers of the processes that left them there: several are asked at once."""
        return [int(number) for number in (self.folder / name).read_text().split()]


def any_is_running(processes: list[int]) -> bool:
    """Tell whether one of some processes is there and no zombie."""
    assert processes
    return any(map(is_running, processes))


def is_running(process: int) -> bool:
    """Tell whether a process is there and no zombie, giving a killed one a moment to go."""
    ends = time.monotonic() + 5
    while time.monotonic() < ends:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True


@dataclass(frozen=True)
class Hung:
    """A run whose ``ros`` hung.

    Args:
        run: how it ended.
        ros: what hung.
    """

    run: Timed
    ros: Script


# Shell text, and the run's deadline. All of these wait, so they wait together.
HANGS = {
    "sleeps": ("echo $$ >>$here/self; exec sleep 600", DEADLINE),
    "ignores-signals": (
        "trap '' TERM INT HUP; echo $$ >>$here/self; while :; do sleep 1; done",
        DEADLINE,
    ),
    "closes-its-output": ("exec >&-; echo $$ >>$here/self; exec sleep 600", DEADLINE),
    "once": (
        # Each question once: they are asked at once.
        f"[ -e $here/$3 ] && exit 1; touch $here/$3; echo '{KEY}'; exec sleep 600",
        60.0,
    ),
    "on-its-version": ("[ $1 = --version ] || exit 1; exec sleep 600", 60.0),
}


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Hung]]:
    with FakeImds(SANE) as imds, ThreadPoolExecutor(len(HANGS)) as pool:
        folders = {name: tmp_path_factory.mktemp(name) for name in HANGS}

        def run(name: str) -> Hung:
            text, deadline = HANGS[name]
            folder = folders[name]
            disk = timed.user_machine(folder / "disk")
            if name == "on-its-version":
                disk.path(paths.OS_CONFIG).unlink()
            ros = Script.of(folder, text)
            return Hung(ros.run(disk, imds, deadline), ros)

        yield dict(zip(HANGS, pool.map(run, HANGS), strict=True))


@pytest.mark.parametrize("name", ["sleeps", "ignores-signals", "closes-its-output"])
def test_a_ros_that_hangs_is_status_7_at_the_deadline_and_is_ended(
    hung: Mapping[str, Hung], name: str
) -> None:
    assert hung[name].run.ran.status == 7
    assert not any_is_running(hung[name].ros.processes("self"))


def test_a_ros_that_hangs_is_waited_for_ten_seconds_and_costs_no_label(
    hung: Mapping[str, Hung],
) -> None:
    run = hung["once"].run
    assert run.seconds < 20
    assert run.ran.status == 0
    assert run.ran.line("warning", "did not answer in time", "as wrong without our files")
    assert run.disk.extra_args() == ["--debug", LABEL]


def test_a_ros_that_hangs_on_its_version_leaves_the_labels_that_every_release_can_carry(
    hung: Mapping[str, Hung],
) -> None:
    run = hung["on-its-version"].run
    assert run.seconds < 20
    assert run.ran.status == 5
    assert run.ran.line("did not answer in time", "--version")
    assert run.disk.extra_args() == ["--debug", LABEL]


@pytest.mark.parametrize(
    "text",
    [
        f"echo '{KEY}'",
        f"head -c 100000 /dev/urandom; echo '{KEY}'",
        f"echo '{{[\"{KEY}'",
        "yes",
        "cat /dev/zero",
        "exit 1",
        f"echo '{KEY}' >&2; exit 3",
        "kill -9 $$",
        "kill -SEGV $$",
        "exec /does/not/exist",
    ],
    ids=[
        *("another-type", "no-text", "no-yaml", "lines-without-end", "bytes-without-end"),
        *("status-1", "keys-on-stderr", "killed", "crashes", "starts-nothing"),
    ],
)
def test_a_ros_that_answers_nonsense_with_and_without_us_costs_no_label(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path, text: str
) -> None:
    ran = Script.of(tmp_path, text).run(disk, imds, deadline=20)
    assert ran.ran.status == 0, ran.ran.err
    assert ran.ran.line("warning", "as wrong without our files")
    assert disk.extra_args() == ["--debug", LABEL]


def test_a_ros_that_cannot_be_started_costs_no_label(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    ros = Script.of(tmp_path, "exit 0", interpreter="/does/not/exist")
    ran = ros.run(disk, imds)
    assert ran.ran.status == 0
    assert ran.ran.line("warning", "could not be started")
    assert disk.extra_args() == ["--debug", LABEL]


def test_children_that_a_ros_leaves_with_its_output_are_not_waited_for_and_are_ended(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    sane = executable(real, disk.root, "v1.5.8")
    ros = Script.of(tmp_path, f'sleep 600 & echo $! >>$here/child\n{sane} "$@"')
    ran = ros.run(disk, imds, deadline=30)
    assert ran.ran.status == 0
    assert ran.ran.line("read back through ros: as planned")
    assert not any_is_running(ros.processes("child"))


def test_a_ros_is_given_none_of_our_variables(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    ros = Script.of(tmp_path, "env >>$here/environment; exit 1")
    ros.run(disk, imds, deadline=20)
    environment = (ros.folder / "environment").read_text()
    assert "PATH=" in environment
    assert "AWS_" not in environment


def test_a_run_that_a_signal_ends_ends_its_ros_too(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    ros = Script.of(tmp_path, "sleep 600 & echo $! >>$here/child; echo $$ >>$here/self; wait")
    argv = program.command(f"--ros={ros.path}", "--root", str(disk.root))
    variables = program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)
    with subprocess.Popen(argv, env=variables, stderr=subprocess.PIPE, text=True) as run:
        ends = time.monotonic() + 20
        while not (ros.folder / "self").exists() and time.monotonic() < ends:
            time.sleep(0.02)
        os.kill(run.pid, signal.SIGTERM)
        _, log = run.communicate(timeout=20)
    assert run.returncode == 143  # 128 and the signal's number
    last = log.splitlines()[-1]
    assert last.startswith("ec2-metadata: error: the run was stopped by signal 15; ")
    assert last.endswith("; exit 143")
    assert not any_is_running(ros.processes("self"))
    assert not any_is_running(ros.processes("child"))
