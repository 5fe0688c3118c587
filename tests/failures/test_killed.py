"""SIGKILL at every system call that touches the files: old or new, and mended by the next run."""

from __future__ import annotations

import json
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
from failures import in_process, scenarios, timed
from failures.scenarios import (
    LAST_CALL,
    LEGACY,
    NULL,
    SCENARIOS,
    WRITTEN,
    Recorded,
    Scenario,
    contents_of,
)
from machine import MachineDisk
from rancheros_ec2_metadata.rancheros import disk as paths

pytestmark = pytest.mark.real_parts

TMPFS = Path("/dev/shm")
# A first run, a second and the way back, with and without an edit, there too.
ON_TMPFS = (
    "first",
    "first-with-edit",
    "retagged",
    "retagged-with-edit",
    "clean",
    "clean-with-edit",
)


@pytest.fixture(scope="module")
def ext4(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An ext4 of its own, whatever this machine's disk is: RancherOS's /var is one."""
    folder = tmp_path_factory.mktemp("ext4")
    image, mounted = folder / "image", folder / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    make, mount = ("mkfs.ext4", "-q", image), ("mount", "-o", "loop", image, mounted)
    for command in (make, mount):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no ext4 can be made here: {done.stderr}")
    yield mounted
    subprocess.run(["umount", mounted], check=True)


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder on a disk, or one in memory."""
    on = TMPFS if request.param == "tmpfs" else request.getfixturevalue("ext4")
    made = on / f"killed-{os.getpid()}"
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
    return disk_of(root)


def disk_of(root: Path) -> MachineDisk:
    """Return the disk that is below a folder."""
    disk = MachineDisk.__new__(MachineDisk)
    disk.root = root
    return disk


def cleaned(root: Path, copy: Path) -> dict[str, bytes | None]:
    """Return what ``clean`` would leave of a disk, on a copy of it."""
    shutil.copytree(root, copy, symlinks=True)
    in_process.clean(copy)
    left = contents_of(copy)
    assert temporaries(disk_of(copy)) == []
    shutil.rmtree(copy)
    return left


@pytest.mark.parametrize(
    ("scenario", "folder"),
    [
        pytest.param(scenario, on, id=f"{on}-{name}")
        for name, scenario in SCENARIOS.items()
        for on in ("ext4", *(("tmpfs",) if name in ON_TMPFS else ()))
    ],
    indirect=["folder"],
)
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
    allowed = {path: {before[path], *store.contents.get(path, ())} for path in WRITTEN}
    bare = cleaned(root, folder / "copy")
    users = None if scenario.edits is None else scenario.edits.encode()
    assert (bare == dict.fromkeys(WRITTEN) | {paths.CLOUD_CONFIG: users}) == (
        scenario.edits != LEGACY
    )
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
            assert [p for p in WRITTEN if left[p] not in allowed[p]] == [], number
            check_folders(disk, scenario)
            assert cleaned(root, folder / "copy") == bare, number
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
    # A null hides the user's own, before the edit and after it.
    users = {None: ["--debug"], NULL: []}.get(scenario.edits, ["--mine"])
    items = layers.docker_arguments("extra_args")
    assert [item for item in items if not item.startswith("--label=")] == users
    history = disk.path(paths.RUNS)
    if history.exists():
        json.loads(history.read_bytes())
    ours = (*(path for path in WRITTEN if path != paths.CLOUD_CONFIG), paths.RUNS)
    for file in [*temporaries(disk), *map(disk.path, ours)]:
        assert not file.exists() or file.stat().st_mode & 0o777 in (0o600, 0o620)
    if scenario.edits:
        assert disk.path(paths.CLOUD_CONFIG).stat().st_mode & 0o777 == 0o620


def temporaries(disk: MachineDisk) -> list[Path]:
    return sorted(disk.path(paths.CONF).rglob(".ec2-metadata.tmp.*"))
