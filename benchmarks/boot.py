"""How long a run at boot takes, beside what it is made of and what else does the same.

``make bench``, or ``PYTHONPATH=tests python -m benchmarks.boot --rounds 40``. The rehearsal is part
of each run; see `scenario.Disk` for its ``ros``.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import places
from benchmarks.measure import Launcher, Result, can_drop_caches, interleaved
from benchmarks.measure import ratio as ratio_of_rounds
from benchmarks.scenario import DELAYS, NO_ROS, Servers, World

MB = 1024 * 1024


def main(arguments: Sequence[str]) -> None:
    """Measure, and print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="with files in memory")
    parser.add_argument("--cold-rounds", type=int, default=20, help="with dropped caches")
    parser.add_argument("--python", type=Path, default=places.base_interpreter())
    asked = parser.parse_args(arguments)
    installed = (places.image_place(asked.python), places.pip_place(asked.python))
    others = places.others(asked.python)
    _print(_machine(asked.python))
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Servers.started() as servers,
        Launcher.started() as launcher,
    ):
        cases = World(servers, installed, others, Path(folder)).cases()
        warm = interleaved(cases, asked.rounds, launcher)
        _print(_table(f"Files in memory, {asked.rounds} rounds", warm))
        _print(goals(warm))
        if asked.cold_rounds and can_drop_caches():
            # Seconds of disk: what a millisecond a request adds would not show.
            some = [case for case in cases if ", 1 ms" not in case.name and "5 ms" not in case.name]
            cold = interleaved(some, asked.cold_rounds, launcher, cold=True)
            _print(_table(f"Caches dropped before each run, {asked.cold_rounds} rounds", cold))


def _machine(python: Path) -> Iterator[str]:
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    version = subprocess.check_output([python, "--version"], text=True).strip()
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    yield f"{time.strftime('%Y-%m-%d')}; {cpu}, {os.cpu_count()} CPUs; Linux {platform.release()};"
    yield f"{version}; load at the start {load}"


def _table(title: str, results: Sequence[Result]) -> Iterator[str]:
    yield f"\n{title}. Times in ms, medians; memory in MB, the peak.\n"
    yield "| | wall | from, to | CPU | memory |"
    yield "|---|---|---|---|---|"
    for result in results:
        low, high = result.wall_range
        yield (
            f"| {result.case.name} | {result.wall * 1000:.0f}"
            f" | {low * 1000:.0f}, {high * 1000:.0f}"
            f" | {result.cpu * 1000:.0f} | {result.memory / MB:.1f} |"
        )


def goals(results: Sequence[Result]) -> Iterator[str]:
    """Yield the goals of docs/evidence/performance.md, and what was reached."""
    by_name = {result.case.name: result for result in results}

    def ratio(name: str, to: str) -> float:
        return by_name[name].wall / by_name[to].wall

    def second(run: str, first: str) -> str:
        paired = ratio_of_rounds(by_name[run], by_name[first])
        slower = paired.low > 1
        reached = f"{paired.median:.2f} ({paired.low:.2f} to {paired.high:.2f})"
        return f"| {run} / first run | {reached} | no slower | {'**no**' if slower else 'yes'} |"

    def imports(way: str, ms: int, libraries: str, goal: float) -> Iterator[str]:
        to = f"import {libraries}"
        for run in (f"{NO_ROS}, {ms} ms", f"first run, {ms} ms"):
            reached = ratio(f"{way}, {run}", f"{way.partition(',')[0]}, {to}")
            yield _line(f"{way}, {run} / {to}", reached, goal)

    yield "\n| goal | reached | at most | |"
    yield "|---|---|---|---|"
    for place in ("image", "pip"):  # the goals are for the first
        imds, api = f"{place}, IMDS tags", f"{place}, API tags"
        for ms in DELAYS:
            if ms <= 1:
                yield from imports(imds, ms, "requests, yaml", 1.4)
                yield from imports(api, ms, "boto3", 1.5)
                first = f"{api}, first run, {ms} ms"
                yield _line(f"{first} / aws", ratio(first, "aws ec2 describe-tags, 0 ms"), 1)
            for way in (imds, api):
                yield second(f"{way}, second run, {ms} ms", f"{way}, first run, {ms} ms")
        for way, goal in ((imds, 35), (api, 50)):
            most = max(r.memory for name, r in by_name.items() if name.startswith(way))
            yield _line(f"{way}: memory", most / MB, goal, " MB")


def _line(what: str, reached: float, goal: float, unit: str = "") -> str:
    verdict = "yes" if reached <= goal else "**no**"
    return f"| {what} | {reached:.2f}{unit} | {goal:g}{unit} | {verdict} |"


def _print(lines: Iterator[str]) -> None:
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
