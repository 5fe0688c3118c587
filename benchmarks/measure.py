"""Measuring programs: one interleaved run of all cases, medians and ranges."""

from __future__ import annotations

import contextlib
import math
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_BY_CHANCE = 0.05
_FEWEST_ROUNDS = 6
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True)
class Sample:
    """One run of a program.

    Args:
        wall: seconds.
        user: seconds of CPU time in the program. system: in the kernel for it.
        memory: bytes of peak memory, of its largest process.
        status: its exit status.
    """

    wall: float
    user: float
    system: float
    memory: float
    status: int

    @property
    def cpu(self) -> float:
        """Return the seconds of CPU time."""
        return self.user + self.system


@dataclass(frozen=True)
class Case:
    """A program to measure.

    Args:
        name: in the table.
        argv: its arguments; the first is a path.
        environ: its whole environment.
        prepare: called before each run, not measured.
        status: the exit status with which it must end.
    """

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str]
    prepare: Callable[[], object] = lambda: None
    status: int = 0


@dataclass(frozen=True)
class Result:
    """What all runs of a case gave."""

    case: Case
    samples: tuple[Sample, ...]

    @property
    def wall(self) -> float:
        """Return the median wall time in seconds."""
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def wall_range(self) -> tuple[float, float]:
        """Return the shortest and the longest wall time in seconds."""
        walls = [sample.wall for sample in self.samples]
        return min(walls), max(walls)

    @property
    def cpu(self) -> float:
        """Return the median CPU time in seconds."""
        return statistics.median(sample.cpu for sample in self.samples)

    @property
    def memory(self) -> float:
        """Return the largest peak memory in bytes."""
        return max(sample.memory for sample in self.samples)


@dataclass(frozen=True)
class Ratio:
    """How long one case takes beside another, from the rounds that both were in.

    Args:
        median: of the rounds' ratios. low, high: the median of all rounds that there could be is
            between them, 19 times of 20.
    """

    median: float
    low: float
    high: float


def ratio(one: Result, other: Result) -> Ratio:
    """Return the ratio of two cases' wall times, each round by itself: a busy one hits both.

    Raises:
        ValueError: there are less than six rounds: no interval is that sure.
    """
    pairs = zip(one.samples, other.samples, strict=True)
    ratios = sorted(a.wall / b.wall for a, b in pairs)
    rounds = len(ratios)
    if rounds < _FEWEST_ROUNDS:
        raise ValueError(f"{rounds} rounds tell nothing")
    # The sign test: how many of the rounds may be on one side of the median by chance.
    below, aside = 0, 0.5**rounds
    while aside <= _BY_CHANCE / 2:
        below += 1
        aside += math.comb(rounds, below) * 0.5**rounds
    return Ratio(statistics.median(ratios), ratios[below - 1], ratios[rounds - below])


class Launcher:
    """The small process that starts the programs; see launch.py."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    @contextlib.contextmanager
    def started(cls) -> Iterator[Launcher]:
        """Start it."""
        argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py"))]
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdin=pipe, stdout=pipe) as process:
            yield cls(process)

    def run(self, argv: Sequence[str], environ: Mapping[str, str]) -> Sample:
        """Run a program to its end."""
        words = [*(f"{name}={value}" for name, value in environ.items()), "--", *argv, ""]
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the launcher has no pipes")
        stdin.write("".join(f"{word}\0" for word in words).encode())
        stdin.flush()
        wall, user, system, memory, status = stdout.readline().split()
        return Sample(float(wall), float(user), float(system), float(memory), int(status))


def can_drop_caches() -> bool:
    """Tell whether files can be put out of memory."""
    return os.access(_DROP_CACHES, os.W_OK)


def drop_caches() -> None:
    """Put all files out of memory, so that the next program reads them from the disk."""
    os.sync()
    _DROP_CACHES.write_text("3")


def interleaved(
    cases: Sequence[Case], rounds: int, launcher: Launcher, *, cold: bool = False
) -> list[Result]:
    """Run all cases in each round, in an order drawn for it, so that a busy minute hits all alike.

    Args:
        cases: to run.
        rounds: how often.
        launcher: starts them.
        cold: put all files out of memory before each run.

    Raises:
        RuntimeError: a program ended with another status.
    """
    draw = random.Random(rounds)
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    for number in range(rounds):
        for case in draw.sample(cases, len(cases)):
            case.prepare()
            if cold:
                drop_caches()
            sample = launcher.run(case.argv, case.environ)
            if sample.status != case.status:
                raise RuntimeError(f"{case.name} ended with {sample.status}: {' '.join(case.argv)}")
            samples[case.name].append(sample)
        sys.stderr.write(f"\r{'cold' if cold else 'warm'} round {number + 1} of {rounds} ")
        sys.stderr.flush()
    sys.stderr.write("\n")
    return [Result(case, tuple(samples[case.name])) for case in cases]
