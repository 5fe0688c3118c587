"""The benchmark's EC2 and its machine are what the program takes them for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.boot import goals
from benchmarks.measure import Case, Result, Sample
from benchmarks.places import Place
from benchmarks.scenario import (
    DELAYS,
    FLAGS,
    INSTANCE,
    Disk,
    Servers,
    World,
)
from e2e import program

PLACES = tuple(Place(name, ["/bin/true"], []) for name in ("image", "pip"))


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with Servers.started() as started:
        yield started


@pytest.mark.parametrize("source", ["imds", "api"])
def test_a_run_labels_the_machine_from_either_source_of_tags(
    servers: Servers, tmp_path: Path, source: str
) -> None:
    disk = Disk(tmp_path / "disk")
    imds = servers.imds[0] if source == "imds" else servers.imds_without_tags[1]
    endpoints = {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds,
        "AWS_ENDPOINT_URL_EC2": servers.api[1],
    }
    argv = program.command(*disk.flags, *FLAGS)
    answers = []
    for _ in range(2):
        machine = disk.first_boot()
        subprocess.run(argv, env=program.environment(**endpoints), check=True, capture_output=True)
        assert machine.extra_args() == [
            "--debug",
            "--label=docker.environment=production",
            "--label=docker.role=web",
        ]
        assert machine.variables()["QUEUE_HOST"] == INSTANCE["tags"]["example.queue.host"]
        given = tmp_path.glob("*.ros/answers/*")
        answers.append({one.name: one.stat().st_mtime_ns for one in given})
    # The first run has had all the answers that the others get.
    assert answers[0] == answers[1] != {}


def test_every_case_that_the_goals_name_is_measured(tmp_path: Path) -> None:
    addresses = {ms: f"http://127.0.0.1:{ms}" for ms in DELAYS}
    world = World(Servers(addresses, addresses, addresses), PLACES, Path("/bin"), tmp_path)
    results = [_result(case, 2.0 if " run, " in case.name else 1.0) for case in world.cases()]
    assert len({result.case.name for result in results}) == len(results)
    lines = set(goals(results))
    assert "| image, API tags, no ros, 1 ms / import boto3 | 1.00 | 1.5 | yes |" in lines
    imds = "| image, IMDS tags, first run, 1 ms / import requests, yaml | 2.00 | 1.4 | **no** |"
    assert imds in lines
    second = "| image, IMDS tags, second run, 5 ms / first run |"
    assert f"{second} 1.00 (1.00 to 1.00) | no slower | yes |" in lines
    slower = [_result(r.case, 3.0 if "second" in r.case.name else 2.0) for r in results]
    assert f"{second} 1.50 (1.50 to 1.50) | no slower | **no** |" in set(goals(slower))
    assert "| image, API tags: memory | 20.00 MB | 50 MB | yes |" in lines


def _result(case: Case, wall: float) -> Result:
    return Result(case, (Sample(wall, 0, 0, 20 * 1024 * 1024, 0),) * 6)
