"""SIGKILL at every system call that changes the files: old or new, and the next run completes."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from e2e import program
from failures import in_process, plain_scenarios, scenarios, timed
from failures.scenarios import CLOUD_CONFIG, LAST_CALL, SCENARIOS, WRITTEN, Recorded, contents_of
from machine import MachineDisk
from plain_machine import PlainMachine
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.state import State, parse_state
from rancheros_ec2_metadata.hosts.systemd.found_machine import DAEMON_JSON, STATE

pytestmark = pytest.mark.real_parts

TMPFS = Path("/dev/shm")
# What a kill at a call that only reads leaves, the next of these finds.
CALLS = ("mkdir", "write", "fchmod", "fsync", "rename", "unlink", "unlinkat", "rmdir")
# What a killed process leaves is in memory on any disk: one run on a real one is enough.
CASES = [*(("tmpfs", name) for name in SCENARIOS), ("ext4", "edited-again")]


@pytest.fixture(scope="module")
def ext4(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An ext4 of its own, whatever this machine's disk is: RancherOS's /var is one."""
    mounted = tmp_path_factory.mktemp("ext4")
    # Its image is in memory: to wait for this machine's disk would show nothing more.
    image = TMPFS / f"ext4-{os.getpid()}"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    make, mount = ("mkfs.ext4", "-q", image), ("mount", "-o", "loop", image, mounted)
    for command in (make, mount):
        done = program.ended(command)
        if done.returncode:
            pytest.skip(f"no ext4 can be made here: {done.stderr}")
    yield mounted
    subprocess.run(["umount", mounted], check=True)
    image.unlink()


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
    def started(
        cls, root: Path, paths: Iterable[str], module: str = scenarios.__name__
    ) -> Iterator[Killer]:
        watched = [f"--trace-path={path}" for path in paths]
        kills = [f"--inject={call}:signal=KILL:when={LAST_CALL}" for call in CALLS]
        # Each kind is counted for itself, in each child. Coverage would be slow, and is killed.
        environment = program.unmeasured(os.environ)
        with subprocess.Popen(
            [
                *("strace", "--follow-forks", "--quiet=all", "--output=/dev/null"),
                *watched,
                *kills,
                *(sys.executable, "-m", module, str(root)),
            ],
            env=environment | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield cls(process)

    def kill(self, name: str, call: str, number: int) -> bool:
        """Make the run, killed as it makes its ``number``th ``call``; tell whether it was."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name} {call} {number}\n")
        self._process.stdin.flush()
        ended = int(self._process.stdout.readline())
        assert ended in (0, -signal.SIGKILL)
        return ended != 0

    def ends(
        self, name: str, restore: Callable[[], object], look: Callable[[], object]
    ) -> Iterator[str]:
        """Kill a run at each of its calls, and yield each call that leaves what none before has.

        Args:
            name: of the scenario.
            restore: puts the disk as it is before the run.
            look: returns what is on it.
        """
        seen: set[object] = set()
        for call in CALLS:
            for number in range(1, LAST_CALL):
                restore()
                if not self.kill(name, call, number):
                    break
                if (there := look()) not in seen:
                    seen.add(there)
                    yield f"{call} {number}"
            assert number < LAST_CALL - 1
        assert len(seen) > 6


def replaced(root: Path, template: Path) -> MachineDisk:
    """Put a copy of ``template`` where the run is, in the very same folders."""
    copy = root / paths.COPY.lstrip("/")
    shutil.rmtree(copy, ignore_errors=True)
    for file in sorted(paths.locate(root, paths.CONF).rglob("*"), reverse=True):
        if not file.is_dir():
            file.unlink()
    shutil.copytree(template / "host", root / "host", dirs_exist_ok=True)
    return disk_of(root)


def comparable(contents: Mapping[str, bytes | None]) -> dict[str, Any]:
    """Return files with the state parsed; when a killed run has removed labels is not known."""
    raw = contents[paths.STATE]
    state = parse_state(raw) if raw is not None else State()
    if not state.labels:
        state = state._replace(labels_changed=())
    return {**contents, paths.STATE: state}


def disk_of(root: Path) -> MachineDisk:
    """Return the disk that is below a folder."""
    disk = MachineDisk.__new__(MachineDisk)
    disk.root = root
    return disk


def tree(root: Path) -> tuple[tuple[str, int, bytes], ...]:
    """Return all of a machine that a run may change: name, mode and content."""
    folders = (paths.locate(root, paths.CONF), root / "dev/shm")
    entries = sorted(entry for folder in folders for entry in folder.rglob("*"))
    return tuple(
        (str(one), one.stat().st_mode, one.read_bytes() if one.is_file() else b"")
        for one in entries
    )


def cleaned(root: Path, copy: Path) -> dict[str, bytes | None]:
    """Return what ``clean`` would leave of a disk, on a copy of it."""
    shutil.copytree(root, copy, symlinks=True)
    in_process.clean(copy)
    left = contents_of(copy)
    assert temporaries(disk_of(copy)) == []
    shutil.rmtree(copy)
    return left


@pytest.mark.parametrize(
    ("folder", "name"),
    [pytest.param(*case, id="-".join(case)) for case in CASES],
    indirect=["folder"],
)
def test_a_run_killed_at_any_call_leaves_each_file_old_or_new_and_the_next_run_completes_it(
    folder: Path, name: str
) -> None:
    scenario = SCENARIOS[name]
    template, root = folder / "template", folder / "disk"
    before = contents_of(scenario.prepare(template).root)
    users = dict.fromkeys(WRITTEN) | {
        paths.CLOUD_CONFIG: CLOUD_CONFIG.encode() if scenario.edits else None
    }
    shutil.copytree(template, root, symlinks=True)
    disk = replaced(root, template)
    disk.release = scenario.release
    recorded = Recorded(root)
    scenario.run(root, recorded)
    after = contents_of(root)
    assert after != before
    allowed = {path: {before[path], *recorded.contents.get(path, ())} for path in WRITTEN}
    scenario.run(root)
    completed = contents_of(root)
    with Killer.started(root, scenarios.watched(root)) as killer:
        for at in killer.ends(name, partial(replaced, root, template), partial(tree, root)):
            left = contents_of(root)
            assert [p for p in WRITTEN if left[p] not in allowed[p]] == [], at
            check_folders(disk, edits=scenario.edits)
            assert cleaned(root, folder / "copy") == users, at
            scenario.run(root)
            files = contents_of(root)
            assert {**files, paths.STATE: None} == {**completed, paths.STATE: None}, at
            if files != completed:
                scenario.run(root)
            assert comparable(contents_of(root)) == comparable(completed), at
            assert temporaries(disk) == []
            assert scenario.clean or list((root / "dev/shm").iterdir()) == []
    assert contents_of(root) == after


def check_folders(disk: MachineDisk, *, edits: bool) -> None:
    """Check that what a killed run left is loaded, whole, and readable by nobody else."""
    loaded = {
        file.name
        for file in disk.path(paths.CLOUD_CONFIG_D).iterdir()
        if not file.name.startswith(".")
    }
    assert loaded <= {"boot.yml", paths.DROP_IN_NAME}
    users = ["--mine"] if edits else ["--debug"]
    assert [one for one in timed.items(disk) if not one.startswith("--label=")] == users
    ours = [disk.path(path) for path in WRITTEN if path != paths.CLOUD_CONFIG]
    for file in (*temporaries(disk), *ours):
        assert not file.exists() or stat.S_IMODE(file.stat().st_mode) in (0o600, 0o620)
    if edits:
        assert stat.S_IMODE(disk.path(paths.CLOUD_CONFIG).stat().st_mode) == 0o620
    for entry in (disk.root / "dev/shm").rglob("*"):
        mode = stat.S_IMODE(entry.stat().st_mode)
        assert mode == (0o700 if entry.is_dir() else 0o600), entry


def temporaries(disk: MachineDisk) -> list[Path]:
    return sorted(disk.path(paths.CONF).rglob(".ec2-metadata.tmp.*"))


@pytest.mark.parametrize(
    ("folder", "name"),
    [pytest.param("ext4", name, id=name) for name in plain_scenarios.SCENARIOS],
    indirect=["folder"],
)
def test_on_a_host_with_systemd_too_and_docker_starts_with_what_is_left(
    folder: Path, name: str
) -> None:
    scenario = plain_scenarios.SCENARIOS[name]
    template, root, copy = folder / "template", folder / "disk", folder / "copy"
    before = scenario.prepare(template).contents()
    written: dict[str, set[str | None]] = {path: {text} for path, text in before.items()}

    def restore() -> PlainMachine:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(template, root)
        return PlainMachine(root, is_made=True)

    machine = restore()
    scenario.run(root, after=lambda change: written[change.path].add(machine.read(change.path)))
    scenario.run(root)
    completed = machine.contents()
    assert completed != before

    def files() -> tuple[tuple[Path, bytes], ...]:
        return tuple(sorted((one, one.read_bytes()) for one in root.rglob("*") if one.is_file()))

    with Killer.started(root, plain_scenarios.watched(root), plain_scenarios.__name__) as killer:
        for at in killer.ends(name, restore, files):
            left = machine.contents()
            assert [path for path in left if left[path] not in written[path]] == [], at
            assert scenario.stays <= {*(machine.labels or ())}, at
            shutil.copytree(root, copy)
            PlainMachine(copy, is_made=True).clean()
            assert PlainMachine(copy, is_made=True).contents() == {
                **dict.fromkeys(left),
                DAEMON_JSON: scenario.users,
            }, at
            shutil.rmtree(copy)
            scenario.run(root)
            scenario.run(root)
            again = machine.contents()
            assert {**again, STATE: None} == {**completed, STATE: None}, at
            assert list(root.rglob(".ec2-metadata.tmp.*")) == [], at
