"""What a run keeps of itself, and what it counts where not all was written."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from failures import in_process
from failures.in_process import GivenEc2, elsewhere, found
from failures.scenarios import CLOUD_CONFIG
from machine import MachineDisk
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, error, warning
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import runs
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.ros import Answer, Ros
from rancheros_ec2_metadata.rancheros.runs import Runs
from rancheros_ec2_metadata.rancheros.store import Store

WEB, DB = {"docker.role": "web"}, {"docker.role": "db", "docker.disk": "ssd"}


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    return MachineDisk(tmp_path)


def history(disk: MachineDisk) -> Runs:
    return runs.parse(disk.path(paths.RUNS).read_bytes())


def run(disk: MachineDisk, tags: dict[str, str], store: Store | None = None) -> str:
    return in_process.run(disk.root, GivenEc2(found(tags)), store=store).log


class Refusing(Store):
    """A store that cannot write one file."""

    refused = paths.DROP_IN

    def write(self, change: FileChange) -> None:
        if change.path == self.refused:
            raise FilesError(f"{change.path} could not be written")
        super().write(change)


def test_each_run_is_kept_with_what_it_said_and_left(disk: MachineDisk) -> None:
    log = run(disk, WEB)
    (kept,) = history(disk).runs
    assert (kept.time, kept.instance_id) == ("2026-01-05T08:00:00Z", in_process.INSTANCE)
    assert (kept.outcome, kept.exit_status, kept.release) == ("complete", 0, "v1.5.8")
    assert [f"ec2-metadata: {line}" for line in kept.summary] == log.splitlines()[-3:-1]
    assert kept.files == {
        path: hashlib.sha256(disk.path(path).read_bytes()).hexdigest()
        for path in (paths.STATE, paths.DROP_IN)
    }
    assert disk.path(paths.RUNS).stat().st_mode & 0o777 == 0o600


def test_its_warnings_and_errors_are_kept_and_its_status(disk: MachineDisk) -> None:
    findings = found(WEB, notes=(warning("one"), error(ExitStatus.INCOMPLETE, "two")))
    in_process.run(disk.root, GivenEc2(findings))
    (kept,) = history(disk).runs
    assert kept.notes == ("warning: one", "error: two")
    assert kept.exit_status == 4


def test_the_time_of_the_last_change_of_labels_is_kept(disk: MachineDisk) -> None:
    run(disk, WEB)
    first = disk.path(paths.RUNS).read_bytes().replace(b"2026-01-05", b"2025-12-31")
    disk.path(paths.RUNS).write_bytes(first)
    run(disk, WEB)
    changed = history(disk).labels_changed
    assert changed is not None
    assert changed.time.startswith("2025-12-31")
    run(disk, DB)
    changed = history(disk).labels_changed
    assert changed is not None
    assert changed.time.startswith("2026-01-05")


def test_labels_that_were_put_back_have_not_changed(disk: MachineDisk) -> None:
    blind = Ros("ros", lambda command, _: Answer(0, b"[]\n" if "args" in command[-1] else b"{}\n"))
    booted = in_process.run(disk.root, GivenEc2(found(WEB)), ros=blind)
    assert booted.status is ExitStatus.FILES
    assert history(disk).labels_changed is None
    assert "0 labels, 0 variables" in booted.log.splitlines()[-1]
    assert history(disk).runs[0].files[paths.DROP_IN] is None


def test_elsewhere_than_on_ec2_the_run_is_kept_too(disk: MachineDisk) -> None:
    run(disk, WEB)
    in_process.run(disk.root, GivenEc2(elsewhere()))
    latest = history(disk).runs[0]
    assert latest.exit_status == 3
    assert latest.files == {paths.STATE: None, paths.DROP_IN: None}


def test_where_a_write_fails_what_is_in_force_is_counted_not_what_was_planned(
    disk: MachineDisk,
) -> None:
    run(disk, WEB)
    log = run(disk, DB, Refusing(disk.root))
    assert "complete: 1 labels, 4 variables" in log.splitlines()[-1]
    disk.cloud_config(CLOUD_CONFIG)
    disk.path(paths.DROP_IN).unlink()
    last = run(disk, WEB, Refusing(disk.root)).splitlines()[-1]
    assert "complete: 0 labels, 0 variables" in last


@pytest.mark.parametrize("there", [b"not json", b"[]", b"{}", b"\0" * 5_000_000])
def test_a_damaged_history_is_begun_anew_or_left(disk: MachineDisk, there: bytes) -> None:
    disk.write(paths.RUNS, there)
    assert "exit 0" in run(disk, WEB).splitlines()[-1]
    left = disk.path(paths.RUNS).read_bytes()
    assert left == there if len(there) > paths.SIZE_LIMIT else len(history(disk).runs) == 1


@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "dangling"])
def test_what_stands_in_its_way_is_a_warning_and_never_the_runs_failure(
    disk: MachineDisk, kind: str
) -> None:
    victim = disk.write("/etc/victim", "{}")
    file = disk.path(paths.RUNS)
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to("/etc/victim" if kind == "link" else "/gone")
    log = run(disk, WEB)
    assert log.splitlines()[-1].endswith("exit 0")
    assert "warning: this run will not be in `status`" in log
    assert victim.read_bytes() == b"{}"
    assert disk.variables()["EC2_METADATA_STATUS"] == "complete"


def test_no_value_of_a_tag_is_in_it(disk: MachineDisk) -> None:
    run(disk, {"docker.role": "the-value-of-a-tag"})
    text = json.dumps(json.loads(disk.path(paths.RUNS).read_bytes()))
    assert "the-value-of-a-tag" not in text
