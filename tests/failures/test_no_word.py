"""A run that comes to an end of which it cannot speak: its parent, or what starts it, does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from e2e import program
from failures import timed
from rancheros_ec2_metadata.rancheros import disk as paths

KILLED = (signal.SIGKILL, signal.SIGSEGV)


@pytest.mark.parametrize("command", ["apply", "clean"])
@pytest.mark.parametrize("number", KILLED)
def test_a_run_that_is_killed_has_a_last_line_all_the_same(
    tmp_path: Path, command: str, number: signal.Signals
) -> None:
    disk = timed.user_machine(tmp_path / "disk")
    before = disk.snapshot()
    argv = program.command(command, "--root", str(disk.root))
    with contextlib.ExitStack() as stack:
        conf = os.open(disk.path(paths.CONF), os.O_RDONLY)
        stack.callback(os.close, conf)
        fcntl.flock(conf, fcntl.LOCK_EX)  # so that it is still there to be killed
        run = stack.enter_context(subprocess.Popen(argv, stderr=subprocess.PIPE, text=True))
        assert run.stderr is not None
        assert "rancheros-ec2-metadata" in run.stderr.readline()
        (child,) = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        os.kill(int(child), number)
        _, log = run.communicate(timeout=20)
    assert run.returncode == 1
    said = program.Ran(run.returncode, "", log)
    assert f"signal {number.value}" in said.line("error: ", "every file is its old or its new self")
    assert said.log[-1] == "exit 1"
    assert disk.snapshot() == before


@pytest.mark.parametrize("command", ["apply", "clean"])
def test_a_program_that_is_not_whole_says_so(tmp_path: Path, command: str) -> None:
    disk = timed.user_machine(tmp_path / "disk")
    before = disk.snapshot()
    (tmp_path / "yaml.py").write_text('raise ImportError("a " + "secret")\n')
    environ = program.environment(PYTHONPATH=os.pathsep.join((str(tmp_path), *sys.path)))
    ran = {}
    for flags in ((), ("--debug",)):
        argv = program.command(command, *flags, "--root", str(disk.root))
        done = subprocess.run(
            argv, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        ran[flags] = program.Ran.of(done)
        assert ran[flags].line("error: ", "a bug of rancheros-ec2-metadata", "ImportError")
        assert ran[flags].log[-1] == "exit 1"
    assert len(ran[()].log) == 2
    assert any("yaml.py" in line for line in ran[("--debug",)].log)
    assert not any("a secret" in one.err for one in ran.values())
    assert disk.snapshot() == before


NO_FORK = """
import errno, os
def refuse():
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
os.fork = refuse
from rancheros_ec2_metadata.__main__ import console
console()
"""


@pytest.mark.parametrize("command", ["apply", "clean"])
def test_where_no_process_can_be_made_it_is_said(tmp_path: Path, command: str) -> None:
    disk = timed.user_machine(tmp_path / "disk")
    before = disk.snapshot()
    argv = [sys.executable, "-c", NO_FORK, command, "--root", str(disk.root)]
    done = subprocess.run(
        argv, env=program.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    ran = program.Ran.of(done)
    assert ran.status == 1
    assert ran.line("error: ", "no process can be made", "pids_limit")
    assert ran.log[-1] == "exit 1"
    assert disk.snapshot() == before
