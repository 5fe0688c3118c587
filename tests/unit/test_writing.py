from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from machine import MachineDisk
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import DeadlineError, ExitStatus
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.plan import local
from rancheros_ec2_metadata.plan.local import Local
from rancheros_ec2_metadata.plan.mapping import NOTHING, Desired
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.disk import read_disk
from rancheros_ec2_metadata.rancheros.ros import Answer, Ros
from rancheros_ec2_metadata.rancheros.state import State
from rancheros_ec2_metadata.rancheros.store import Store
from rancheros_ec2_metadata.writing import Writer, state_of

ITEM = "--label=docker.role=web"
DESIRED = Desired({"docker.role": "web"}, {"A": "b"}, {})
BOOT = f"{paths.CLOUD_CONFIG_D}/boot.yml"


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    disk = MachineDisk(tmp_path)
    disk.cloud_config("rancher: {docker: {extra_args: [--mine]}}\n")
    return disk


@pytest.fixture
def log() -> Log:
    return Log(io.StringIO())


def said(log: Log) -> str:
    assert isinstance(log.stream, io.StringIO)
    return log.stream.getvalue()


class DisturbedStore(Store):
    """A store before whose writing of one path something else happens to the machine."""

    def __init__(self, root: Path, path: str, disturb: Callable[[], object]) -> None:
        super().__init__(root)
        self._path = path
        self._disturb = disturb

    def write(self, change: FileChange) -> None:
        if change.path == self._path:
            self._disturb()
        super().write(change)


def writer_of(
    disk: MachineDisk, log: Log, store: Store | None = None, may_go: Local = local.NOTHING
) -> Writer:
    release = releases.of(read_disk(disk.root))
    return Writer(disk.root, release, store or Store(disk.root), log, may_go)


def wanted(desired: Desired = DESIRED) -> Callable[[State], tuple[Desired, State]]:
    return lambda _: (desired, State(status="complete"))


def contents(disk: MachineDisk) -> dict[str, bytes]:
    return {name: raw for name, (_, raw) in disk.snapshot().items()}


def cloud_config(disk: MachineDisk) -> str:
    return disk.path(paths.CLOUD_CONFIG).read_text()


def ros_that_reads(disk: MachineDisk, *without_us: str, failing: bool = False) -> Ros:
    """Return a ``ros`` that reads ``without_us`` as Docker's arguments, whatever we write."""

    def run(command: Sequence[str], _: Limit) -> Answer:
        asked = command[-1]
        answer: Any = list(without_us) if asked.endswith("_args") else {}
        return Answer(int(failing), json.dumps(answer).encode() + b"\n")

    return Ros("ros", run)


def in_time(seconds: float = 60) -> Limit:
    return Limit.after(seconds, Clock())


def test_what_differs_is_written_and_remembered(disk: MachineDisk, log: Log) -> None:
    writer = writer_of(disk, log)
    writer.write(wanted())
    assert list(writer.written) == [paths.STATE, paths.DROP_IN, paths.CLOUD_CONFIG]
    assert ITEM in cloud_config(disk)
    assert disk.variables() == {"A": "b"}
    assert writer.plan is not None
    assert writer.plan.labels == DESIRED.labels


def test_a_plan_is_made_from_what_the_last_one_left(disk: MachineDisk, log: Log) -> None:
    before = contents(disk)
    writer_of(disk, log).write(wanted())
    states: list[State] = []

    def then(state: State) -> tuple[Desired, State]:
        states.append(state)
        return NOTHING, State()

    writer_of(disk, log).write(then)
    assert [state.items for state in states] == [(ITEM,)]
    assert contents(disk) == before


def test_a_file_that_changes_meanwhile_is_planned_for_again(disk: MachineDisk, log: Log) -> None:
    changes = iter(["rancher: {docker: {extra_args: [--mine, --more]}, console: x}\n"])

    def change() -> None:
        for text in changes:
            disk.cloud_config(text)

    writer = writer_of(disk, log, DisturbedStore(disk.root, paths.CLOUD_CONFIG, change))
    writer.write(wanted())
    assert "--more" in cloud_config(disk)
    assert "console: x" in cloud_config(disk)
    assert ITEM in cloud_config(disk)
    assert "cloud-config.yml has changed while this program ran; planned again" in said(log)
    assert log.status() is ExitStatus.OK


def test_a_file_that_keeps_changing_is_given_up_and_left_as_it_is(
    disk: MachineDisk, log: Log
) -> None:
    texts: list[str] = []

    def change() -> None:
        texts.append(f"rancher: {{docker: {{extra_args: [--mine, --v={len(texts)}]}}}}\n")
        disk.cloud_config(texts[-1])

    writer_of(disk, log, DisturbedStore(disk.root, paths.CLOUD_CONFIG, change)).write(wanted())
    assert log.status() is ExitStatus.FILES
    assert "files kept changing" in said(log)
    assert len(texts) == 5
    assert cloud_config(disk) == texts[-1]


@pytest.mark.parametrize(
    "docker",
    ["config_file: /etc/docker/own.json", "extra_args: [--config-file=/etc/docker/own.json]"],
)
def test_labels_count_in_the_file_that_docker_is_told_to_read(
    disk: MachineDisk, log: Log, docker: str
) -> None:
    disk.path(paths.CLOUD_CONFIG).unlink()
    disk.user_data(f"rancher: {{docker: {{{docker}}}}}\n")
    disk.write("/etc/docker/own.json", '{"labels": ["a=b"]}')
    writer = writer_of(disk, log)
    writer.write(wanted())
    assert writer.plan is not None
    assert writer.plan.labels == {}
    assert "/etc/docker/own.json" in said(log)


def test_a_file_of_dockers_that_only_bash_can_name_is_no_obstacle(
    disk: MachineDisk, log: Log
) -> None:
    disk.cloud_config("rancher: {docker: {extra_args: ['--config-file=$HOME/d.json']}}\n")
    writer_of(disk, log).write(wanted())
    assert ITEM in cloud_config(disk)


def test_a_file_that_cannot_be_written_is_named(disk: MachineDisk, log: Log) -> None:
    before = cloud_config(disk)
    disk.path(paths.CLOUD_CONFIG_D).rmdir()
    disk.path(paths.CLOUD_CONFIG_D).symlink_to(disk.root)
    writer_of(disk, log).write(wanted())
    assert log.status() is ExitStatus.FILES
    assert paths.CLOUD_CONFIG_D in said(log)
    assert cloud_config(disk) == before


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"items": 1}', b"\xff", b'{"schema": "x"}'])
def test_a_state_that_does_not_read_is_said_and_written_anew(
    disk: MachineDisk, log: Log, raw: bytes
) -> None:
    disk.write(paths.STATE, raw)
    assert state_of(read_disk(disk.root), log) == State()
    assert f"warning: {paths.STATE} is of no use" in said(log)
    writer_of(disk, log).write(wanted())
    assert json.loads(disk.path(paths.STATE).read_bytes())["variables"] == {"A": "b"}


def test_no_state_is_an_empty_one_and_no_note(disk: MachineDisk, log: Log) -> None:
    assert state_of(read_disk(disk.root), log) == State()
    assert said(log) == ""


def test_after_a_difference_all_former_files_are_back(disk: MachineDisk, log: Log) -> None:
    writer_of(disk, log).write(wanted(Desired({"docker.old": "1"}, {"OLD": "1"}, {})))
    before = contents(disk)
    writer = writer_of(disk, log)
    writer.write(wanted())
    assert contents(disk) != before

    def run(command: Sequence[str], _: Limit) -> Answer:
        # It reads the former files well, and does not see what is new in them.
        answer: Any = {"OLD": "1"}
        if command[-1].endswith("_args"):
            answer = ["--mine", "--label=docker.old=1"]
        return Answer(0, json.dumps(answer).encode() + b"\n")

    writer.read_back(Ros("ros", run), in_time())
    assert contents(disk) == before
    assert log.status() is ExitStatus.FILES
    assert "the former files are back" in said(log)


def test_files_that_were_not_there_before_are_gone_again(disk: MachineDisk, log: Log) -> None:
    before = contents(disk)
    writer = writer_of(disk, log)
    writer.write(wanted())
    writer.read_back(ros_that_reads(disk, "--mine"), in_time())
    assert contents(disk) == before


def test_what_the_user_wrote_after_us_is_not_put_back(disk: MachineDisk, log: Log) -> None:
    writer = writer_of(disk, log)
    writer.write(wanted())
    theirs = "rancher: {docker: {extra_args: [--theirs]}}\n"
    disk.cloud_config(theirs)
    writer.read_back(ros_that_reads(disk, "--theirs"), in_time())
    assert cloud_config(disk) == theirs
    assert not disk.path(paths.DROP_IN).exists()
    assert "cloud-config.yml has changed while this program ran" in said(log)


def test_our_drop_in_stays_while_it_stands_in_for_a_variable_of_the_users(
    disk: MachineDisk, log: Log
) -> None:
    disk.cloud_config("rancher: {environment: {A: theirs}}\n")
    writer = writer_of(disk, log, may_go=Local(override=True))
    writer.write(wanted())
    anew = cloud_config(disk) + "console: default\n"
    disk.cloud_config(anew)
    writer.read_back(ros_that_reads(disk), in_time())
    assert cloud_config(disk) == anew
    assert disk.variables() == {"A": "b"}


def test_what_the_system_wrote_while_we_planned_is_put_back_too(
    disk: MachineDisk, log: Log
) -> None:
    theirs = "rancher: {docker: {extra_args: [--mine]}, ssh: {keys: {rsa: key-of-the-host}}}\n"
    once = iter([theirs])

    def change() -> None:
        for text in once:
            disk.cloud_config(text)

    writer = writer_of(disk, log, DisturbedStore(disk.root, paths.CLOUD_CONFIG, change))
    writer.write(wanted())
    writer.read_back(ros_that_reads(disk, "--mine"), in_time())
    assert cloud_config(disk) == theirs


def test_what_the_system_wrote_between_two_plans_is_put_back_too(
    disk: MachineDisk, log: Log
) -> None:
    writer = writer_of(disk, log)
    writer.write(wanted(Desired({"docker.role": "db"}, {}, {})))
    theirs = "rancher: {docker: {extra_args: [--theirs]}, ssh: {keys: {rsa: key-of-the-host}}}\n"
    disk.cloud_config(theirs)
    writer.write(wanted())
    assert ITEM in cloud_config(disk)
    writer.read_back(ros_that_reads(disk, "--theirs"), in_time())
    assert cloud_config(disk) == theirs


def test_an_earlier_plan_of_the_same_run_is_not_what_is_put_back(
    disk: MachineDisk, log: Log
) -> None:
    before = contents(disk)
    writer = writer_of(disk, log)
    writer.write(wanted(Desired({"docker.role": "db"}, {}, {})))
    writer.write(wanted())
    writer.read_back(ros_that_reads(disk, "--mine"), in_time())
    assert contents(disk) == before


def test_the_state_goes_last_and_comes_first(disk: MachineDisk, log: Log) -> None:
    written: list[str] = []

    class Recording(Store):
        def write(self, change: FileChange) -> None:
            written.append(change.path)
            super().write(change)

    writer = writer_of(disk, log, Recording(disk.root))
    writer.write(wanted())
    writer.read_back(ros_that_reads(disk, failing=True), in_time())
    order = [paths.STATE, paths.DROP_IN, paths.CLOUD_CONFIG]
    # Last again: from then on a list as it was before is one that the user has made so.
    assert written == [*order, paths.STATE, *order[::-1], *order]


@pytest.mark.parametrize("failing", [True, False])
def test_a_ros_that_is_as_wrong_without_us_leaves_our_files_in_place(
    disk: MachineDisk, log: Log, failing: bool
) -> None:
    writer = writer_of(disk, log)
    writer.write(wanted())
    written = contents(disk)
    writer.read_back(ros_that_reads(disk, "--what-is-this", failing=failing), in_time())
    assert contents(disk) == written
    assert log.status() is ExitStatus.OK
    assert "warning: " in said(log)
    assert "as wrong without our files; they are left in place" in said(log)


def test_what_was_not_written_is_not_read_back(disk: MachineDisk, log: Log) -> None:
    writer_of(disk, log).write(wanted())
    writer = writer_of(disk, log)
    writer.write(wanted())

    def run(command: Sequence[str], _: Limit) -> Answer:
        raise AssertionError(command)

    writer.read_back(Ros("ros", run), in_time())
    writer.read_back(None, in_time())
    assert "read back" not in said(log)


def test_a_deadline_in_the_middle_of_reading_back_leaves_whole_files(
    disk: MachineDisk, log: Log
) -> None:
    before = contents(disk)
    writer = writer_of(disk, log)
    writer.write(wanted())
    after = contents(disk)
    with pytest.raises(DeadlineError):
        writer.read_back(ros_that_reads(disk), in_time(0))
    assert contents(disk).items() <= before.items() | after.items()
