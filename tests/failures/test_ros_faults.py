"""A ``ros`` that goes wrong costs the labels, and neither the boot nor anything of the user's."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest

from e2e import program
from failures import in_process, timed
from failures.in_process import METADATA, Booted, Commands, GivenEc2, found, stand_in
from failures.scenarios import CLOUD_CONFIG, KEY
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.ros import Printed, Ros, Run, run_programs
from rancheros_ec2_metadata.settings import STATUS_VARIABLE
from real_parts.polling import until

WEB, DB = {"docker.role": "web"}, {"docker.role": "db"}
LABEL = "--label=docker.role=web"
USERS = ["--mine", "--label=docker.role=of-the-user"]
Lie: TypeAlias = Callable[[bytes], bytes]


def run(disk: MachineDisk, ros: Ros | None = None, *, has_ros: bool = True) -> Booted:
    return in_process.run(disk.root, GivenEc2(found(WEB)), ros=ros, has_ros=has_ros)


def check_no_label(disk: MachineDisk, ran: Booted, *words: str) -> None:
    """Check that a run has left the user's list and file as they are, and has said why."""
    assert ran.status == 5
    assert ran.outcome == "partial"
    (line,) = (one for one in ran.log.splitlines() if "error: no label is set" in one)
    assert [word for word in words if word not in line] == [], line
    assert KEY not in ran.log
    assert "status: partial; 0 labels, " in ran.log.splitlines()[-1]
    assert timed.items(disk) == USERS
    assert disk.path(paths.CLOUD_CONFIG).read_text() == CLOUD_CONFIG
    variables = timed.environment(disk)
    assert variables.items() >= {**METADATA, STATUS_VARIABLE: "partial"}.items()


@dataclass
class Asked:
    """A ``ros`` that notes how long its answers are waited for, of each round.

    Args:
        run: starts programs, or answers in their place; it may raise.
        path: the executable.
    """

    run: Run = run_programs
    path: Path = Path("ros")
    seconds: list[float] = field(default_factory=list)

    def ros(self) -> Ros:
        def run(commands: Commands, seconds: float) -> list[Printed]:
            self.seconds.append(seconds)
            return self.run(commands, seconds)

        return Ros(str(self.path), run)


def script(folder: Path, text: str, interpreter: str = "/bin/sh") -> Path:
    """Return a ``ros`` that is a shell script in a folder, ``$here``, where it may leave things."""
    path = folder / "ros"
    path.write_text(f"#!{interpreter}\nhere={folder}\n{text}\n")
    path.chmod(0o755)
    return path


NO_INTERPRETER, NOT_EXECUTABLE, MISSING = "#", "# ", "#  "
NO_ANSWER = {
    "status-1": ("exit 1", "ended with status 1"),
    "keys-on-stderr": (f"echo '{KEY}' >&2; exit 3", "ended with status 3"),
    "killed": ("kill -9 $$", "ended with status -9"),
    "crashes": ("kill -SEGV $$", "ended with status -11"),
    "lines-without-end": ("exec yes", "printed more than 4 MiB"),
    "bytes-without-end": ("exec cat /dev/zero", "printed more than 4 MiB"),
    "no-text": (f"printf '\\377%s' '{KEY}'", "not answered in UTF-8"),
    "no-yaml": (f"printf '{{[%s' '{KEY}'", "not answered in YAML"),
    "deep": ("head -c 100000 /dev/zero | tr '\\0' '['", "not answered in YAML"),
    "deep-lists": ("yes -- '- ' | head -n 100000 | tr -d '\\n'", "not answered in YAML"),
    "another-type": (f"echo '[{KEY}]'", "not answered with a map"),
    "a-text": (f"echo '{KEY}'", "not answered with a map"),
    "no-interpreter": (NO_INTERPRETER, "could not be started, No such file or directory"),
    "not-executable": (NOT_EXECUTABLE, "could not be started, Permission denied"),
    "missing": (MISSING, "could not be started, No such file or directory"),
}


@pytest.mark.parametrize(("text", "why"), NO_ANSWER.values(), ids=NO_ANSWER)
@pytest.mark.parametrize("labelled", [False, True], ids=["first", "after-labels"])
def test_a_ros_that_gives_no_answer_costs_the_labels_and_is_not_asked_again(
    disk: MachineDisk, tmp_path: Path, text: str, why: str, *, labelled: bool
) -> None:
    if labelled:
        assert run(disk).status == 0
        disk.user_data("#cloud-config\nrancher: {docker: {extra_args: [--new]}}\n")
    path = script(tmp_path, text, "/does/not/exist" if text == NO_INTERPRETER else "/bin/sh")
    if text == NOT_EXECUTABLE:
        path.chmod(0o644)
    if text == MISSING:
        path.unlink()
    asked = Asked(path=path)
    ran = run(disk, asked.ros())
    check_no_label(disk, ran, why, "run it on the machine to see why")
    assert ran.status == 5
    assert (ran.rounds, asked.seconds) == (1, [10.0])


def test_without_ros_only_variables_are_set_and_the_mount_is_named(disk: MachineDisk) -> None:
    ran = run(disk, has_ros=False)
    check_no_label(disk, ran, "there is no ros to ask", "/usr/bin/ros:/usr/bin/ros:ro")
    assert ran.rounds == 0
    assert ran.status == 5


def mounted_at_the_old_place(disk: MachineDisk) -> None:
    link = disk.root / paths.CONF.lstrip("/")
    link.unlink()
    disk.path(paths.CONF).rename(link)
    shutil.rmtree(disk.root / "host")


def no_link(disk: MachineDisk) -> None:
    link = disk.root / paths.CONF.lstrip("/")
    link.unlink()
    link.mkdir()


def no_memory(disk: MachineDisk) -> None:
    (disk.root / "dev/shm").rmdir()
    (disk.root / "dev/shm").write_bytes(b"")


MOUNTS = {
    "old-place": (mounted_at_the_old_place, f"at the old place; write {paths.MOUNT}"),
    "no-link": (no_link, "use the image as it is"),
    "no-memory": (no_memory, "no copy can be made in /dev/shm/rancher-conf"),
}


@pytest.mark.parametrize(("change", "why"), MOUNTS.values(), ids=MOUNTS)
def test_where_ros_would_not_read_the_copy_it_is_not_asked(
    disk: MachineDisk, change: Callable[[MachineDisk], None], why: str
) -> None:
    change(disk)
    asked = Asked()
    ran = run(disk, asked.ros())
    check_no_label(disk, ran, why)
    assert asked.seconds == []


# What is said with our labels in the copy, in place of the truth.
LIES: dict[str, tuple[str, Lie, str]] = {
    "other-label": ("rancher", lambda x: x.replace(b"=web", b"=bew"), "extra_args is overridden"),
    "no-label": ("rancher", lambda x: x.replace(LABEL.encode(), b"x"), "extra_args is overridden"),
    "users-lost": ("rancher", lambda x: x.replace(b"--mine", b"-D"), "extra_args is overridden"),
    "map-lost": ("rancher", lambda x: x.replace(b"ecdsa", b"rsa"), "rancher.ssh.keys"),
    "more": (
        "rancher",
        lambda x: x.replace(b'  graph: ""', b"  graph: /x"),
        "docker.graph would be read",
    ),
    "nothing": ("rancher", lambda _: b"{}\n", "extra_args is overridden"),
    "files": ("write_files", lambda _: b"- path: /x\n", "write_files would be read otherwise"),
    "commands": ("runcmd", lambda _: b"- reboot\n", "runcmd would be read otherwise"),
    "name": ("hostname", lambda _: b"other\n", "hostname would be read otherwise"),
    "no-answer": ("runcmd", lambda _: b"{[", "runcmd was not answered in YAML"),
}


@pytest.mark.parametrize(("key", "lie", "why"), LIES.values(), ids=LIES)
def test_a_ros_that_reads_something_otherwise_with_us_costs_the_labels_and_no_more(
    disk: MachineDisk, key: str, lie: Lie, why: str
) -> None:
    truth = stand_in(disk.root, disk.release).run
    asked = Asked(lambda commands, _: [told(command) for command in commands])

    def told(command: Sequence[str]) -> Printed:
        (answer,) = truth([command], 10.0)
        copy = disk.root / paths.COPY.lstrip("/") / "cloud-config.yml"
        with_us = LABEL in copy.read_text()
        return Printed(0, lie(answer.output)) if with_us and command[-1] == key else answer

    ran = run(disk, asked.ros())
    check_no_label(disk, ran, why)
    # Without us, with us, and once more what is then written, without labels.
    assert ran.rounds == len(asked.seconds) == (2 if key == "runcmd" and "YAML" in why else 3)


def test_two_rounds_where_something_changes_and_one_where_nothing_does(
    disk: MachineDisk,
) -> None:
    ran = run(disk)
    assert (ran.status, ran.rounds) == (0, 2)
    assert timed.items(disk) == ["--mine", LABEL]
    there = disk.snapshot()
    ran = run(disk)
    assert (ran.status, ran.rounds, ran.changed) == (0, 1, {})
    assert disk.snapshot() == there
    assert in_process.run(disk.root, GivenEc2(found(DB))).rounds == 2
    assert in_process.run(disk.root, GivenEc2(in_process.elsewhere())).rounds == 1


def test_the_copy_is_for_root_alone_and_gone_with_each_answer(disk: MachineDisk) -> None:
    disk.write(paths.SAVED_METADATA, "hostname: mine\n")
    truth = stand_in(disk.root, disk.release).run
    copy = disk.root / paths.COPY.lstrip("/")
    seen = []

    def look(commands: Commands, seconds: float) -> list[Printed]:
        seen.append(
            {
                str(one.relative_to(copy)): stat.S_IMODE(one.stat().st_mode)
                for one in (copy, *copy.rglob("*"))
            }
        )
        assert KEY in (copy / "cloud-config.yml").read_text()
        return truth(commands, seconds)

    former = os.umask(0)
    try:
        assert run(disk, Asked(look).ros()).status == 0
    finally:
        os.umask(former)
    files = ("cloud-config.d/boot.yml", "cloud-config.yml", "metadata")
    without_us = {".": 0o700, "cloud-config.d": 0o700, **dict.fromkeys(files, 0o600)}
    assert seen == [without_us, {**without_us, f"cloud-config.d/{paths.DROP_IN_NAME}": 0o600}]


class StopError(BaseException):
    """A signal, or a bug."""


@pytest.mark.parametrize("end", [StopError(), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_the_copy_is_gone_where_the_run_ends_in_the_middle_of_a_question(
    disk: MachineDisk, end: BaseException
) -> None:
    def answer(_: Commands, __: float) -> list[Printed]:
        assert (disk.root / paths.COPY.lstrip("/")).is_dir()
        raise end

    with pytest.raises(type(end)):
        run(disk, Asked(answer).ros())
    assert list((disk.root / "dev/shm").iterdir()) == []


def processes(file: Path) -> list[int]:
    """Return the numbers that processes have left in a file: four are asked at once."""
    found = [int(number) for number in file.read_text().split()]
    assert found
    return found


def is_running(process: int) -> bool:
    """Tell whether a process is there and no zombie, giving a killed one a moment to go."""

    def runs() -> bool:
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    return until(runs, expected=False, seconds=5)


NEVER = "exec sleep 600"
HANGS = {
    "sleeps": f"echo $$ >>$here/self; {NEVER}",
    "ignores-signals": "trap '' TERM INT HUP; echo $$ >>$here/self; while :; do sleep 600; done",
    "closes-its-output": f"exec >&-; echo $$ >>$here/self; {NEVER}",
    "has-a-child": f"echo $$ >>$here/self; sleep 600 & echo $! >>$here/self; {NEVER}",
}


@pytest.mark.parametrize("text", HANGS.values(), ids=HANGS)
def test_a_ros_that_hangs_is_ended_with_all_that_it_has_started(
    disk: MachineDisk, tmp_path: Path, text: str
) -> None:
    def sooner(commands: Commands, seconds: float) -> list[Printed]:
        assert seconds == 10.0
        for shorter in (0.3, 1.0, 3.0, 9.0):  # until all of them have come as far as to hang
            printed = run_programs(commands, shorter)
            if (tmp_path / "self").exists():
                break
        return printed

    ran = run(disk, Ros(str(script(tmp_path, text)), sooner))
    check_no_label(disk, ran, "was not answered in time")
    assert (ran.status, ran.rounds) == (5, 1)
    assert not any(map(is_running, processes(tmp_path / "self")))


def test_children_that_a_ros_leaves_with_its_output_are_not_waited_for_and_are_ended(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    child = "sleep 600 & echo $! >>$here/child; env >>$here/environment"
    ros = script(tmp_path, f'{child}; exec {disk.ros()} "$@"')
    ran = program.run(disk, f"--ros={ros}", imds=imds)
    assert ran.status == 0
    assert timed.items(disk) == ["--mine", LABEL]
    assert len(processes(tmp_path / "child")) == 8
    assert not any(map(is_running, processes(tmp_path / "child")))
    # Nothing of ours is given to it.
    environment = (tmp_path / "environment").read_text()
    assert "PATH=" in environment
    assert "AWS_" not in environment


def test_a_run_that_a_signal_ends_ends_its_ros_too(
    disk: MachineDisk, imds: FakeImds, tmp_path: Path
) -> None:
    ran = stopped(disk, imds, script(tmp_path, f"{HANGS['has-a-child']}"))
    assert ran.status == 143  # 128 and the signal's number
    assert ran.line("error: ", "the run was stopped by signal 15")
    assert list((disk.root / "dev/shm").iterdir()) == []
    assert not any(map(is_running, processes(tmp_path / "self")))
    assert timed.items(disk) == USERS


def stopped(disk: MachineDisk, imds: FakeImds, ros: Path) -> program.Ran:
    """Run the program, and ask it to end once it has asked ``ros``."""
    argv = program.command(f"--ros={ros}", "--root", str(disk.root))
    variables = program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)
    with subprocess.Popen(argv, env=variables, stderr=subprocess.PIPE, text=True) as run:
        timed.wait_for((ros.parent / "self").exists)
        os.kill(run.pid, signal.SIGTERM)
        _, log = run.communicate(timeout=60)
    return program.Ran(run.returncode, "", log)
