"""The real parts hold what the tests that stand on them take for granted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from real_parts.dockerd import Dockerd, DockerdRefusedError
from real_parts.namespace import Namespace

pytestmark = pytest.mark.real_parts


def test_nothing_outside_can_be_reached_from_inside(namespace: Namespace) -> None:
    done = namespace.run(["ip", "-brief", "link", "show", "up"])
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["lo"]


def test_a_program_inside_that_runs_too_long_is_killed(namespace: Namespace) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        namespace.run(["sleep", "1234.5"], seconds=0.2)
    assert "1234.5" not in namespace.run(["ps", "ax"]).stdout


def test_a_killed_test_run_leaves_nothing_behind(tmp_path: Path) -> None:
    script = (
        "import os; from real_parts.namespace import Namespace\n"
        "with Namespace.opened() as namespace:\n"
        "    namespace.start(['setsid', 'sleep', '4321.5'])\n"
        "    print('up', namespace.run(['pgrep', '-f', 'sleep 4321.5']).stdout, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(tests), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.startswith("up ")
    ends = time.monotonic() + 10
    sleeping = ["pgrep", "-f", "sleep 4321.5"]
    while subprocess.run(sleeping, check=False).returncode == 0 or any(tmp_path.iterdir()):
        assert time.monotonic() < ends, "still there"
        time.sleep(0.02)


def test_the_items_are_evaluated_by_a_real_bash(namespace: Namespace, tmp_path: Path) -> None:
    proof = tmp_path / "pwned"
    with Dockerd.started(namespace, [f"--label=x=$(touch {proof})"]) as dockerd:
        assert dockerd.labels() == {"x": ""}
    assert proof.exists()


def test_a_dockerd_that_refuses_to_start_says_why(namespace: Namespace) -> None:
    twice = ["--label=a=1", "--label=a=2"]
    with (
        pytest.raises(DockerdRefusedError, match="conflict labels"),
        Dockerd.started(namespace, twice),
    ):
        pass
