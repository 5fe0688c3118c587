from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks.measure import Case, Launcher, Result, Sample, interleaved, ratio

PYTHON = [sys.executable, "-I", "-S", "-c"]


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher.started() as started:
        yield started


def run(launcher: Launcher, code: str, **environ: str) -> Sample:
    return launcher.run([*PYTHON, code], environ)


def test_time_and_memory_are_the_programs_own_with_its_childrens(launcher: Launcher) -> None:
    waiting = run(launcher, "import time; time.sleep(0.5)")
    assert waiting.wall >= 0.5
    assert waiting.cpu < 0.3
    work = "import os, time\nif os.fork(): os.wait()\nwhile time.process_time() < 0.2: pass"
    assert run(launcher, work).cpu >= 0.4
    large = run(launcher, "b = bytearray(50_000_000); del b")
    assert waiting.memory < 20_000_000
    assert 50_000_000 < large.memory < 90_000_000


def test_the_status_and_the_environment_are_the_programs(launcher: Launcher) -> None:
    assert run(launcher, "raise SystemExit(7)").status == 7
    check = "import os; raise SystemExit(os.environ['A'] != 'b=\\n' or os.environ['C'] != '')"
    assert run(launcher, check, A="b=\n", C="").status == 0
    assert run(launcher, "import os; raise SystemExit('HOME' in os.environ)").status == 0


def test_cases_run_as_often_in_another_order_each_round_and_are_prepared(
    launcher: Launcher, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    def note(text: str) -> None:
        with log.open("a") as file:
            file.write(text)

    cases = [
        Case(
            name,
            [*PYTHON, f"open({str(log)!r}, 'a').write({name!r})"],
            {},
            partial(note, name.upper()),
        )
        for name in "abcd"
    ]
    results = interleaved(cases, 5, launcher)
    assert [len(result.samples) for result in results] == [5, 5, 5, 5]
    pairs = [log.read_text()[n : n + 2] for n in range(0, 40, 2)]
    rounds = [tuple(pairs[n : n + 4]) for n in range(0, 20, 4)]
    assert all(sorted(one) == ["Aa", "Bb", "Cc", "Dd"] for one in rounds)
    assert len(set(rounds)) > 1


def test_a_program_that_fails_ends_the_measurement(launcher: Launcher) -> None:
    with pytest.raises(RuntimeError, match="wrong ended with 3"):
        interleaved([Case("wrong", [*PYTHON, "raise SystemExit(3)"], {})], 1, launcher)


def walls(*seconds: float) -> Result:
    samples = tuple(Sample(wall, wall / 2, wall / 4, wall * 10, 0) for wall in seconds)
    return Result(Case("x", [], {}), samples)


def test_a_result_is_medians_and_the_range() -> None:
    result = walls(5.0, 1.0, 3.0)
    assert (result.wall, result.wall_range, result.cpu, result.memory) == (3, (1, 5), 2.25, 50)


def test_rounds_are_compared_each_by_itself_with_what_is_sure_of_it() -> None:
    # One round was busy, for both.
    ones = [2.0, 2.2, 1.8, 2.0, 20.0, 2.0, 2.1, 1.9, 2.0, 2.0]
    found = ratio(walls(*ones), walls(*[1.0] * 4, 10.0, *[1.0] * 5))
    # Of ten rounds one or none on a side is chance enough: 2 * 11 of 1024, but not 2 * 56.
    assert (found.low, found.median, found.high) == (1.9, 2.0, 2.1)


def test_too_few_rounds_are_no_answer() -> None:
    with pytest.raises(ValueError, match="5 rounds"):
        ratio(walls(*[1.0] * 5), walls(*[1.0] * 5))
    assert ratio(walls(*range(1, 7)), walls(*[1.0] * 6)).low == 1
