"""What a run at boot does not wait for when it imports its libraries."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from e2e import program
from rancheros_ec2_metadata import lean

# How many patterns are compiled until a program has what a run at boot imports.
COMPILED = """
import re, sys
compiled = []
compile_pattern = re._compiler.compile
re._compiler.compile = lambda *arguments: (compiled.append(1), compile_pattern(*arguments))[1]
from rancheros_ec2_metadata import lean
if sys.argv[1] == "lean":
    lean.prepare()
    lean.load("rancheros_ec2_metadata.commands.apply")
else:
    import rancheros_ec2_metadata.commands.apply
print(len(compiled))
"""


def compiled(how: str) -> int:
    argv = [sys.executable, "-c", COMPILED, how]
    environ = program.environment()
    return int(subprocess.run(argv, env=environ, capture_output=True, check=True).stdout)


def test_most_patterns_are_not_compiled_before_they_are_used() -> None:
    assert compiled("lean") < compiled("plain") / 3


def test_afterwards_patterns_are_compiled_at_once() -> None:
    usual = re.compile
    with pytest.raises(ImportError):
        lean.load("rancheros_ec2_metadata.nowhere")
    assert re.compile is usual


def test_a_pattern_that_waits_is_like_any_other() -> None:
    with lean.patterns_compiled_when_used():
        waits = re.compile("(a+)B", flags=re.IGNORECASE)
        spaced = re.compile("a b", re.VERBOSE)
    found = waits.fullmatch("aAb")
    assert found is not None
    assert found[1] == "aA"
    assert (waits.pattern, waits.groups) == ("(a+)B", 1)
    assert spaced.sub("x", "ab") == "x"
    assert spaced.sub("x", "a b") == "a b"
