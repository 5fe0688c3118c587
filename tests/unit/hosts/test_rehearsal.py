from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from machine import MachineDisk
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.hosts.files import take_lock
from rancheros_ec2_metadata.hosts.rancheros import paths, rehearsal
from rancheros_ec2_metadata.hosts.rancheros.rehearsal import Rehearsal, find_difference
from rancheros_ec2_metadata.hosts.rancheros.ros import Answers, NoAnswerError, Printed, Ros
from unit.ec2.metadata_server import FakeClock

BOOT = f"{paths.CLOUD_CONFIG_D}/boot.yml"
FILES = {BOOT: b"boot", paths.CLOUD_CONFIG: b"private key", paths.DOCKER_OPTS: b"x"}
SOON = Limit.after(600, Clock(lambda: 0.0))


class Asked:
    """A ``ros`` that counts how often it is asked."""

    def __init__(self, root: Path) -> None:
        self.root = MachineDisk(root).root
        self.copy = root / paths.COPY.lstrip("/")
        self.printed = Printed(0, b"{}\n")
        self.rounds = 0

    def run(self, commands: Sequence[Sequence[str]], _: float) -> list[Printed]:
        self.rounds += 1
        answers = {"rancher": self.printed.output, "hostname": b"\n"}
        return [Printed(self.printed.status, answers.get(one[-1], b"[]\n")) for one in commands]

    def rehearsal(self, limit: Limit = SOON) -> Rehearsal:
        return Rehearsal(self.root, Ros("ros", self.run), limit)


@pytest.fixture
def ros(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def test_the_same_files_are_asked_about_once_and_nothing_after_no_answer(ros: Asked) -> None:
    ros.copy.parent.rmdir()  # it is made
    made = ros.rehearsal()
    assert made.ask(FILES) is made.ask(dict(FILES))
    ros.printed = Printed(1, b"private key")
    for _ in range(2):
        with pytest.raises(NoAnswerError, match="'config get rancher' ended with status 1") as why:
            made.ask({**FILES, BOOT: b"other"})
        assert "private" not in str(why.value)
    with pytest.raises(NoAnswerError):
        made.ask(FILES)
    assert made.rounds == ros.rounds == 2
    assert not ros.copy.exists()


def test_without_time_ros_is_not_asked(ros: Asked) -> None:
    with pytest.raises(NoAnswerError, match="no time was left"):
        ros.rehearsal(Limit.after(0, Clock())).ask(FILES)


def test_the_copy_of_another_run_is_left_alone(ros: Asked) -> None:
    ros.copy.mkdir()
    lock = take_lock(ros.copy.parent, SOON)
    with pytest.raises(NoAnswerError, match="another run in this container asks ros"):
        ros.rehearsal(FakeClock().limit(5)).ask(FILES)
    rehearsal.remove_copy(ros.root)
    assert ros.copy.is_dir()
    os.close(lock)
    ros.rehearsal(FakeClock().limit(5)).ask(FILES)
    assert ros.rounds == 1


def test_the_digest_knows_all_that_ros_reads_and_nothing_else() -> None:
    known = rehearsal.digest(FILES)
    assert known == rehearsal.digest({**FILES, paths.DOCKER_OPTS: b"y"})
    for path in (BOOT, paths.CLOUD_CONFIG, paths.SAVED_METADATA, paths.COMMAND_LINE):
        assert known != rehearsal.digest({**FILES, path: b"other"})
    for path in (paths.OS_CONFIG, paths.OEM_CONFIG, f"{paths.CLOUD_CONFIG_D}/a"):
        assert known != rehearsal.digest({**FILES, path: b"other"})
    moved = {f"{paths.CLOUD_CONFIG_D}/a": b"boot", paths.CLOUD_CONFIG: b"private key"}
    assert known != rehearsal.digest(moved)


@pytest.mark.parametrize("path", [BOOT, paths.CLOUD_CONFIG, paths.CLOUD_CONFIG_D])
def test_a_file_that_only_ros_can_read_is_named(path: str) -> None:
    with pytest.raises(NoAnswerError, match="cannot be read: Permission denied"):
        rehearsal.check_readable({path: "Permission denied"})
    rehearsal.check_readable({paths.DROP_IN: "x", "/etc/y": "z"})


def answers(rancher: Any) -> Answers:
    return Answers(rancher, [], [], "")


OURS = [
    ("rancher", "docker", "extra_args"),
    ("rancher", "environment", "A"),
    ("rancher", "sysctl", "a.b"),
]


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        ({}, {"docker": {"extra_args": ["x"]}, "environment": {"A": "a"}}, None),
        ({"docker": {"tls": "x"}}, {"docker": {"tls": "x", "extra_args": []}}, None),
        ({"docker": "null"}, {"docker": {"extra_args": []}}, None),
        ({"sysctl": {}}, {"sysctl": {"a.b": "1"}}, None),
        ({"docker": {"extra_args": []}}, {}, None),
        ({"docker": {}}, {"docker": {"graph": "/x"}}, "rancher.docker.graph"),
        ({"docker": {"tls": "a"}}, {"docker": {"tls": "b"}}, "rancher.docker.tls"),
        ({"docker": {"tls": "a"}}, {"docker": {}}, "rancher.docker.tls"),
        ({}, {"environment": {"A": "a", "B": "b"}}, "rancher.environment.B"),
        ({"environment": {"B": "b"}}, {"environment": {"B": ""}}, "rancher.environment.B"),
        ({"services": {"a": ["x"]}}, {"services": {"a": ["y"]}}, "rancher.services.a"),
        ({"debug": "true"}, {"debug": "false"}, "rancher.debug"),
        ({"services": "null"}, {"services": {"a": ""}}, "rancher.services"),
        # `ros` prints them in random order where a service gives them as a map.
        (
            {"services": {"a": {"links": ["x", "y"]}}},
            {"services": {"a": {"links": ["y", "x"]}}},
            None,
        ),
        (
            {"services": {"a": {"links": ["x"]}}},
            {"services": {"a": {"links": []}}},
            "rancher.services.a.links",
        ),
    ],
)
def test_whatever_is_not_ours_must_read_as_before(
    before: Any, after: Any, difference: str | None
) -> None:
    assert find_difference(answers(before), answers(after), OURS) == difference


@pytest.mark.parametrize(
    ("after", "difference"),
    [
        ({"docker": {"graph": "/mine", "tls": "true", "group": "docker"}, "services": {}}, None),
        ({"docker": {"graph": "/mine", "tls": "false"}}, None),
        ({"docker": {"graph": "/mnt", "tls": "true"}}, "rancher.docker.graph"),
        ({"docker": {"tls": "false"}}, "rancher.docker.graph"),
    ],
)
def test_what_a_null_had_hidden_may_be_there_again_and_what_was_there_stays(
    after: Any, difference: str | None
) -> None:
    before = answers({"docker": {"graph": "/mine", "tls": "false"}})
    assert find_difference(before, answers(after), OURS, unhidden=True) == difference


def test_the_copy_is_not_mistaken_for_a_mount(ros: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    ros.copy.mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == ros.copy)
    with pytest.raises(NoAnswerError, match=f"write {paths.MOUNT}"):
        ros.rehearsal().ask(FILES)
    rehearsal.remove_copy(ros.root)
    assert ros.copy.is_dir()
