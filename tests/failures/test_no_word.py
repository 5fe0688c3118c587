"""A run that comes to an end of which it cannot speak: its parent, or what starts it, does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from e2e import program
from failures import timed


@pytest.mark.parametrize("command", ["apply", "clean"])
def test_a_program_that_is_not_whole_says_so(tmp_path: Path, command: str) -> None:
    disk = timed.user_machine(tmp_path / "disk")
    before = disk.snapshot()
    (tmp_path / "yaml.py").write_text('raise ImportError("a " + "secret")\n')
    environ = program.environment(PYTHONPATH=os.pathsep.join((str(tmp_path), *sys.path)))
    done = program.ended(
        program.command(command, "--debug", "--root", str(disk.root)), env=environ, timeout=60
    )
    assert done.returncode == 1
    log = program.Ran.of(done).log
    assert log[0].startswith("error: this is a bug of rancheros-ec2-metadata")
    assert "ImportError" in log[0]
    assert log[-1].endswith("exit 1")
    assert "secret" not in done.stderr.replace('"a " + "secret"', "")
    assert disk.snapshot() == before
