"""SIGKILL at every system call that touches the files: old or new, and mended by the next run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e import program
from failures import scenarios, timed
from failures.scenarios import LAST_CALL, OURS, SCENARIOS, Recorded, Scenario, contents_of
from machine import MachineDisk
from rancheros_ec2_metadata.rancheros import disk as paths

pytestmark = pytest.mark.real_parts

TMPFS = Path("/dev/shm")


@pytest.fixture(params=["disk", "tmpfs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder on this machine's disk, and one in memory."""
    if request.param == "disk":
        yield tmp_path
        return
    made = TMPFS / f"killed-{os.getpid()}"
    made.mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made)


class Killer:
    """Makes a scenario's run under ``strace``, and has it killed at one of its calls."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def started(cls, root: Path) -> Iterator[Killer]:
        watched = [f"--trace-path={path}" for path in scenarios.watched(root)]
        kill = f"--inject=all:signal=KILL:when={LAST_CALL}"
        # Calls are counted in each child for itself. Coverage would make it slow, and is killed.
        environment = program.unmeasured(os.environ)
        with subprocess.Popen(
            [
                *("strace", "--follow-forks", "--quiet=all", "--output=/dev/null"),
                *watched,
                kill,
                *(sys.executable, "-m", "failures.scenarios", str(root)),
            ],
            env=environment | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield cls(process)

    def kill(self, scenario: Scenario, number: int) -> bool:
        """Make the run, and have it killed at its ``number``th call; tell whether it was."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{scenario} {number}\n")
        self._process.stdin.flush()
        ended = int(self._process.stdout.readline())
        assert ended in (0, -signal.SIGKILL)
        return ended != 0


def replaced(root: Path, template: Path) -> MachineDisk:
    """Put a copy of ``template`` where the run is, in the very same folders."""
    for file in sorted((root / paths.CONF.lstrip("/")).rglob("*"), reverse=True):
        if not file.is_dir():
            file.unlink()
    shutil.copytree(template, root, dirs_exist_ok=True, symlinks=True)
    disk = MachineDisk.__new__(MachineDisk)
    disk.root = root
    return disk


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=str)
def test_a_run_killed_at_any_call_leaves_each_file_old_or_new_and_the_next_run_mends_it(
    scenario: Scenario, folder: Path
) -> None:
    template, root = folder / "template", folder / "disk"
    before = contents_of(scenario.prepare(template).root)
    shutil.copytree(template, root)
    store = Recorded(root)
    disk = replaced(root, template)
    scenario.run(root, store)
    after = contents_of(root)
    allowed = {path: {before[path], *store.contents.get(path, ())} for path in OURS}
    assert (before == after) == scenario.misread
    scenario.run_next(root)
    mended = contents_of(root)
    number = 0
    with Killer.started(root) as killer:
        while True:
            number += 1
            replaced(root, template)
            if not killer.kill(scenario, number):
                break
            left = contents_of(root)
            assert {p: left[p] in allowed[p] for p in OURS} == dict.fromkeys(OURS, True), number
            check_folders(disk, scenario)
            scenario.run_next(root)
            assert contents_of(root) == mended, number
            assert temporaries(disk) == []
    assert 20 < number < LAST_CALL
    assert contents_of(root) == after


def check_folders(disk: MachineDisk, scenario: Scenario) -> None:
    """Check that what a killed run left is loaded, whole, and readable by nobody else."""
    loaded = {
        file.name
        for file in disk.path(paths.CLOUD_CONFIG_D).iterdir()
        if not file.name.startswith(".")
    }
    assert loaded <= {"boot.yml", paths.DROP_IN_NAME}
    layers = timed.layers_of(disk)
    assert (layers.problems, layers.fatal) == ((), None)
    users = "--mine" if scenario.edits else "--debug"
    assert layers.docker_arguments("extra_args")[0] == users
    for file in [*temporaries(disk), *map(disk.path, (paths.STATE, paths.DROP_IN))]:
        assert not file.exists() or file.stat().st_mode & 0o777 in (0o600, 0o620)
    if scenario.edits:
        assert disk.path(paths.CLOUD_CONFIG).stat().st_mode & 0o777 == 0o620


def temporaries(disk: MachineDisk) -> list[Path]:
    return sorted(disk.path(paths.CONF).rglob(".ec2-metadata.tmp.*"))
