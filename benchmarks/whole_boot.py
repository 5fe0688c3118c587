"""What a boot waits for besides the run: the files that it reads, and the container's start.

``PYTHONPATH=tests python -m benchmarks.whole_boot``; with ``--docker 'docker -H unix:///…'`` and
``--image NAME:VERSION`` also how long a container of the image takes to start. Needs strace. What
the stand-in for ``ros`` does is counted too.
"""

from __future__ import annotations

import argparse
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import places
from benchmarks.places import Place
from benchmarks.scenario import FLAGS, Disk, Servers

_OPENED = re.compile(r'open(?:at)?\((?:AT_FDCWD, )?"([^"]+)"[^)]*\) = \d+')


def main(arguments: Sequence[str]) -> None:
    """Count and measure, and print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=places.base_interpreter())
    parser.add_argument("--docker", type=shlex.split, help="the docker command")
    parser.add_argument("--image", help="an image that `make image` has built there")
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args(arguments)
    place = places.image_place(asked.python)
    print("\n".join(files(place)), flush=True)
    print("\n".join(system_calls(place)), flush=True)
    if asked.docker and asked.image:
        print("\n".join(starts(asked.docker, asked.image, asked.rounds)), flush=True)


def files(place: Place) -> Iterator[str]:
    """Yield how many files a first run reads, and how large they are."""
    yield "\n| read by a first run | files | MB |"
    yield "|---|---|---|"
    for way, tags_in_imds in (("tags from the metadata service", True), ("from the API", False)):
        opened = set(_OPENED.findall(_traced(place, tags_in_imds=tags_in_imds)))
        kinds: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for path in (Path(name) for name in opened):
            if path.is_file() and not str(path).startswith(("/proc/", "/sys/", "/dev/")):
                kind = _kind(path, place)
                kinds[kind] += 1
                sizes[kind] += path.stat().st_size
        for kind in sorted(kinds):
            yield f"| {way}: {kind} | {kinds[kind]} | {sizes[kind] / 1e6:.1f} |"


def system_calls(place: Place) -> Iterator[str]:
    """Yield the most frequent system calls of a first run."""
    traced = _traced(place, tags_in_imds=True)
    counted = Counter(re.findall(r"^\d+ +(\w+)\(", traced, re.MULTILINE))
    yield "\n| system call | times |"
    yield "|---|---|"
    for name, times in counted.most_common(8):
        yield f"| {name} | {times} |"
    yield f"| all | {counted.total()} |"


def starts(docker: Sequence[str], image: str, rounds: int) -> Iterator[str]:
    """Yield how long a container takes to start and to end, with nothing and with Python in it."""
    yield "\n| a container, in ms | median | from, to |"
    yield "|---|---|---|"
    run = [*docker, "run", "--rm", "--network=host", "--read-only", "--cap-drop=ALL"]
    for what, command in (
        ("that does nothing", [*run, "--entrypoint=true", image]),
        ("of the program, --version", [*run, image, "--version"]),
    ):
        times = [_seconds(command) * 1000 for _ in range(rounds)]
        middle = statistics.median(times)
        yield f"| {what} | {middle:.0f} | {min(times):.0f}, {max(times):.0f} |"


def _traced(place: Place, *, tags_in_imds: bool) -> str:
    """Return what strace says of a first run."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Servers.started() as servers:
        disk = Disk(Path(folder) / "disk")
        disk.first_boot()
        imds = servers.imds if tags_in_imds else servers.imds_without_tags
        environ = {
            "PATH": "/usr/bin:/bin",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds[0],
            "AWS_ENDPOINT_URL_EC2": servers.api[0],
        }
        log = Path(folder) / "strace"
        command = place.command(*disk.flags, *FLAGS)
        subprocess.run(command, env=environ, check=True, stderr=subprocess.DEVNULL)
        disk.first_boot()
        tracer = ["strace", "--follow-forks", f"--output={log}"]
        subprocess.run([*tracer, *command], env=environ, check=True, stderr=subprocess.DEVNULL)
        return log.read_text(errors="replace")


def _kind(path: Path, place: Place) -> str:
    if str(path).startswith(place.program[0]):
        return "of the program"
    if path.suffix in (".so", ".py", ".pyc") or ".so." in path.name:
        return "of Python and the system"
    return "others"


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main(sys.argv[1:])
