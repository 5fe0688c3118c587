from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from machine import MachineDisk
from rancheros_ec2_metadata import __version__
from rancheros_ec2_metadata.boot import Edges, boot
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.ec2.instance import Identity
from rancheros_ec2_metadata.errors import DeadlineError, ExitStatus, error
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.ros import Answer, Ros
from rancheros_ec2_metadata.rancheros.store import Store
from rancheros_ec2_metadata.settings import Settings, TagMapping

HERE = Machine("yes", "i-0123456789abcdef0", "ec2-here")
ELSEWHERE = Machine("yes", "i-00000000000000000", "ec2-elsewhere")
NAMELESS = Machine("unclear")
IDENTITY = Identity("i-0123456789abcdef0", "eu-west-1", pending_time="2026-01-05T08:00:00Z")
LABEL = "--label=docker.role=web"


def found(**more: Any) -> Facts:
    """Return what EC2 says where it says everything; ``more`` says otherwise."""
    everything: dict[str, Any] = {
        "on_ec2": True,
        "identity": IDENTITY,
        "variables": {"AWS_REGION": "eu-west-1"},
        "variables_complete": True,
        "tags": {"docker.role": "web", "db": "db.internal"},
        "tags_complete": True,
    }
    return Facts(**everything | more)


NOTHING = found(
    identity=None, variables={}, variables_complete=False, tags=None, tags_complete=False
)
NO_TAGS = found(tags=None, tags_complete=False)


class Ec2:
    """Answers as it is told.

    Args:
        findings: what it says.
        meanwhile: called when it is asked, with what it could be asked to write at once.
    """

    def __init__(
        self,
        findings: Facts,
        meanwhile: Callable[[Callable[[Facts], None]], object] = lambda _: None,
    ) -> None:
        self._findings = findings
        self._meanwhile = meanwhile
        self.kept: list[bool] = []

    def read(self, *, kept: bool, so_far: Callable[[Facts], None]) -> Facts:
        self.kept.append(kept)
        self._meanwhile(so_far)
        return self._findings


def edges(
    disk: MachineDisk, ec2: Ec2, log: Log, machine: Machine = HERE, ros: Ros | None = None
) -> Edges:
    return Edges(
        log=log,
        now=datetime(2026, 1, 5, 8, 1, 2, tzinfo=UTC),
        machine=machine,
        ec2=ec2,
        store=Store(disk.root),
        ros=ros,
        deadline=Limit.after(60, Clock()),
    )


class Booted:
    """One boot of a disk, and what it left.

    Attributes:
        lines: of the log.
        status: the exit status.
    """

    def __init__(
        self,
        disk: MachineDisk,
        ec2: Ec2 | Facts,
        machine: Machine = HERE,
        ros: Ros | None = None,
        **settings: Any,
    ) -> None:
        stream = io.StringIO()
        log = Log(stream)
        asked = Ec2(ec2) if isinstance(ec2, Facts) else ec2
        mapping = TagMapping("db", "DB_HOST")
        boot(
            Settings(root=disk.root, mappings=(mapping,), **settings),
            edges(disk, asked, log, machine, ros),
        )
        self.status = log.status()
        self.lines = [
            line.removeprefix("ec2-metadata: ") for line in stream.getvalue().splitlines()
        ]


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    disk = MachineDisk(tmp_path)
    disk.user_data("rancher: {docker: {extra_args: [--debug]}}\n")
    return disk


def outcome(disk: MachineDisk) -> str | None:
    return disk.variables().get("EC2_METADATA_STATUS")


def test_the_first_and_the_last_line_frame_the_log(disk: MachineDisk) -> None:
    booted = Booted(disk, found())
    head = f"rancheros-ec2-metadata {__version__}, 2026-01-05T08:01:02Z"
    assert booted.lines[0] == f"{head}, i-0123456789abcdef0, v1.5.8"
    assert booted.lines[-1] == (
        "complete: 1 labels, 3 variables; wrote .ec2-metadata.json, zz-ec2-metadata.yml; exit 0"
    )
    assert "instance 'i-0123456789abcdef0'" in booted.lines


def test_the_first_line_says_what_is_not_known(disk: MachineDisk) -> None:
    disk.path(paths.OS_CONFIG).unlink()
    first = Booted(disk, found(), NAMELESS).lines[0]
    assert first.endswith(", instance not known yet, release not known")


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        (found(), "complete"),
        (found(tags={}), "complete"),
        (NO_TAGS, "partial"),
        (found(variables={}, variables_complete=False), "partial"),
        (NOTHING, "none"),
    ],
)
def test_the_outcome_of_a_first_boot_is_a_variable(
    disk: MachineDisk, findings: Facts, status: str
) -> None:
    last = Booted(disk, findings).lines[-1]
    assert outcome(disk) == status
    assert last.startswith(f"{status}: ")


def test_the_outcome_is_a_label_where_that_is_asked_for(disk: MachineDisk) -> None:
    Booted(disk, NO_TAGS, status_label=True)
    assert disk.extra_args() == ["--debug", "--label=ec2-metadata.status=partial"]


def test_what_is_kept_from_the_last_boot_shows_in_the_outcome(disk: MachineDisk) -> None:
    Booted(disk, found())
    ec2 = Ec2(NO_TAGS)
    Booted(disk, ec2)
    assert ec2.kept == [True]
    assert outcome(disk) == "kept"
    assert disk.extra_args() == ["--debug", LABEL]
    assert disk.variables()["DB_HOST"] == "db.internal"


def test_a_second_boot_touches_nothing(disk: MachineDisk) -> None:
    Booted(disk, found())
    before = disk.snapshot()
    booted = Booted(disk, found())
    assert disk.snapshot() == before
    assert "wrote no file" in booted.lines[-1]


def test_labels_and_variables_that_are_gone_from_the_tags_are_gone(disk: MachineDisk) -> None:
    Booted(disk, found())
    Booted(disk, found(tags={}))
    assert disk.extra_args() == []
    assert disk.variables() == {"AWS_REGION": "eu-west-1", "EC2_METADATA_STATUS": "complete"}


def test_nothing_is_written_before_ec2_is_asked_on_a_first_boot(disk: MachineDisk) -> None:
    before = disk.snapshot()
    seen: list[object] = []
    Booted(disk, Ec2(found(), lambda _: seen.append(disk.snapshot())))
    assert seen == [before]


def test_the_users_change_is_merged_before_ec2_is_asked(disk: MachineDisk) -> None:
    Booted(disk, found())
    disk.user_data("rancher: {docker: {extra_args: [--new]}}\n")
    seen: list[list[str]] = []
    Booted(disk, Ec2(NOTHING, lambda _: seen.append(disk.extra_args())))
    assert seen == [["--new", LABEL]]
    assert disk.extra_args() == ["--new", LABEL]


def test_another_machines_values_are_gone_before_ec2_is_asked(disk: MachineDisk) -> None:
    Booted(disk, found(identity=Identity("i-00000000000000000")), ELSEWHERE)
    seen: list[object] = []
    ec2 = Ec2(NOTHING, lambda _: seen.append((disk.extra_args(), disk.variables())))
    Booted(disk, ec2, HERE)
    assert seen == [([], {"EC2_METADATA_STATUS": "none"})]
    assert ec2.kept == [False]
    assert outcome(disk) == "none"


def test_values_of_a_machine_that_nothing_names_stay_until_ec2_has_answered(
    disk: MachineDisk,
) -> None:
    Booted(disk, found(), NAMELESS)
    before = disk.snapshot()
    seen: list[object] = []
    Booted(disk, Ec2(NOTHING, lambda _: seen.append(disk.snapshot())), NAMELESS)
    assert seen == [before]
    assert disk.variables() == {"EC2_METADATA_STATUS": "none"}


def test_what_is_known_so_far_is_written_before_the_api_is_asked(disk: MachineDisk) -> None:
    seen: list[object] = []

    def meanwhile(so_far: Callable[[Facts], None]) -> None:
        so_far(NO_TAGS)
        seen.append((disk.extra_args(), disk.variables()["AWS_REGION"], outcome(disk)))

    Booted(disk, Ec2(found(), meanwhile))
    assert seen == [([], "eu-west-1", "partial")]
    assert (disk.extra_args(), outcome(disk)) == (["--debug", LABEL], "complete")


def test_what_is_known_so_far_keeps_the_tags_of_the_last_boot(disk: MachineDisk) -> None:
    Booted(disk, found())
    Booted(disk, Ec2(NO_TAGS, lambda so_far: so_far(NO_TAGS)))
    assert disk.extra_args() == ["--debug", LABEL]


def test_what_ec2_found_wrong_is_the_exit_status(disk: MachineDisk) -> None:
    stream = io.StringIO()
    log = Log(stream)
    ec2 = Ec2(NO_TAGS, lambda _: log.note(error(ExitStatus.INCOMPLETE, "no tags")))
    boot(Settings(root=disk.root), edges(disk, ec2, log))
    assert log.status() is ExitStatus.INCOMPLETE
    assert stream.getvalue().endswith("exit 4\n")


def test_elsewhere_than_on_ec2_all_of_ours_is_taken_out(disk: MachineDisk) -> None:
    disk.cloud_config("rancher: {docker: {extra_args: [--mine]}}  # by hand\n")
    before = {name: raw for name, (_, raw) in disk.snapshot().items()}
    Booted(disk, found())
    booted = Booted(disk, found(on_ec2=False))
    assert {name: raw for name, (_, raw) in disk.snapshot().items()} == before
    assert booted.lines[-1].startswith("nothing: 0 labels, 0 variables; wrote cloud-config.yml, ")


@pytest.mark.parametrize(
    ("version", "item"),
    [
        ("version v1.5.8 from os image rancher/os:v1.5.8", "--label='docker.role=a b'"),
        ("ros version v0.4.5", "--label=docker.role=a b"),
    ],
)
def test_where_the_files_do_not_tell_ros_is_asked_for_the_release(
    disk: MachineDisk, version: str, item: str
) -> None:
    disk.path(paths.OS_CONFIG).unlink()

    def run(command: Sequence[str], _: Limit) -> Answer:
        return Answer(int(command[-1] != "--version"), f"{version}\n".encode())

    booted = Booted(disk, found(tags={"docker.role": "a b"}), ros=Ros("ros", run))
    assert disk.extra_args() == ["--debug", item]
    assert booted.status is ExitStatus.OK


@pytest.mark.parametrize("with_ros", [True, False])
def test_a_release_that_nothing_tells_gets_plain_labels_only(
    disk: MachineDisk, with_ros: bool
) -> None:
    disk.path(paths.OS_CONFIG).unlink()
    ros = Ros("ros", lambda _command, _limit: Answer(1, b"")) if with_ros else None
    booted = Booted(disk, found(tags={"docker.role": "web", "docker.motto": "a b"}), ros=ros)
    assert booted.status is ExitStatus.FILES
    assert disk.extra_args() == ["--debug", LABEL]
    (named,) = (line for line in booted.lines if line.startswith("warning: label"))
    assert "'docker.motto'" in named
    assert any("mount /usr/share/ros" in line for line in booted.lines)


def test_what_was_written_is_read_back(disk: MachineDisk) -> None:
    before = disk.snapshot()

    def run(command: Sequence[str], _: Limit) -> Answer:
        return Answer(0, b"[--debug]\n" if command[-1].endswith("_args") else b"{}\n")

    booted = Booted(disk, found(), ros=Ros("ros", run))
    assert booted.status is ExitStatus.FILES
    assert disk.snapshot() == before
    assert booted.lines[-1].endswith("exit 5")


def test_a_boot_waits_for_one_that_is_under_way(disk: MachineDisk) -> None:
    with ExitStack() as other:
        other.enter_context(Store(disk.root).locked(Limit.after(60, Clock())))
        # The other ends while this one sleeps.
        limit = Limit.after(60, Clock(sleep=lambda _: other.close()))
        log = Log(io.StringIO())
        boot(Settings(root=disk.root), replace(edges(disk, Ec2(found()), log), deadline=limit))
    assert disk.extra_args() == ["--debug", LABEL]


def test_a_boot_that_waits_in_vain_touches_nothing(disk: MachineDisk) -> None:
    before = disk.snapshot()
    stream = io.StringIO()
    short = replace(edges(disk, Ec2(found()), Log(stream)), deadline=Limit.after(0.05, Clock()))
    with Store(disk.root).locked(Limit.after(60, Clock())), pytest.raises(DeadlineError):
        boot(Settings(root=disk.root), short)
    assert disk.snapshot() == before
    assert "i-0123456789abcdef0, v1.5.8" in stream.getvalue()


def test_what_another_run_wrote_while_ours_waited_is_known(disk: MachineDisk) -> None:
    class Late(Store):
        """Gets the lock when another run has just ended."""

        @contextmanager
        def locked(self, limit: Limit) -> Iterator[None]:
            Booted(disk, found())
            with super().locked(limit):
                yield

    ec2 = Ec2(NO_TAGS)
    late = replace(edges(disk, ec2, Log(io.StringIO())), store=Late(disk.root))
    boot(Settings(root=disk.root), late)
    assert ec2.kept == [True]
