"""Thousands of whole runs on random machines; ``make fuzz`` for more of them.

FUZZ_RUNS says how many, FUZZ_SEED of which chance.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from e2e import program
from fuzz import shells

RUNS = int(os.environ.get("FUZZ_RUNS", "2000"))
SEED = os.environ.get("FUZZ_SEED", "0")


def test_whatever_happens_the_files_the_users_things_and_docker_are_as_they_should_be() -> None:
    workers = len(os.sched_getaffinity(0))
    # Outside of coverage, which would take most of the time: other tests cover these lines.
    environment = program.unmeasured(os.environ)
    share = -(-RUNS // workers)
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "fuzz", SEED, str(share), str(first), str(workers)],
            cwd=Path(__file__).parents[1],
            env=environment | {"PYTHONPATH": ".:.."},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in range(workers)
    ]
    ended = [process.communicate() for process in started]
    failures = [err for _, err in ended if err]
    assert not failures, failures[0]
    assert sum(int(out.split()[0]) for out, _ in ended) >= RUNS


@pytest.mark.parametrize(
    ("items", "argv"),
    [
        ([], []),
        (["--label=a=b c"], ["--label=a=b", "c"]),
        (["--label=$'a=\\xc3\\xa9\\n'", "''"], ["--label=a=é\n", ""]),
        (["'open"], None),
        (["a;", "true"], ["a"]),
        (["*"], ["*"]),
    ],
)
def test_the_bash_that_evaluates_many_lists_evaluates_each_by_itself(
    items: list[str], argv: list[str] | None
) -> None:
    assert shells.evaluated([["x"], items, ["y"]]) == [["x"], argv, ["y"]]


def test_a_command_that_runs_in_a_list_is_seen() -> None:
    with pytest.raises(shells.CommandRanError, match="pwned"):
        shells.evaluated([["--label=a=$(touch pwned)"]])
