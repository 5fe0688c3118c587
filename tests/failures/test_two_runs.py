"""Two runs at once take turns, and the second finds nothing to do."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from e2e import program
from failures import timed
from faulty_imds import Fault, FaultyImds
from machine import MachineDisk

LABEL = "--label=docker.role=web"


def start(disk: MachineDisk, imds: FaultyImds, *flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        program.command(*flags, "--root", str(disk.root)),
        env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url),
        stderr=subprocess.PIPE,
        text=True,
    )


def until_asked(imds: FaultyImds) -> None:
    """Wait until a run, which then holds the lock, has asked the metadata service."""
    ends = time.monotonic() + 20
    while not imds.requests and time.monotonic() < ends:
        time.sleep(0.01)
    assert imds.requests


def ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    _, log = run.communicate(timeout=30)
    return run.returncode, log.splitlines()[-1]


def test_of_two_runs_at_once_the_second_waits_and_writes_nothing(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    imds.faults = [Fault("*/instance-identity/document", delay=1.5)]
    with start(disk, imds) as first:
        until_asked(imds)
        with start(disk, imds) as second:
            status, line = ended(first)
            assert (status, "zz-ec2-metadata.yml" in line) == (0, True)
            written = disk.snapshot()
            status, line = ended(second)
    assert (status, "wrote no file" in line) == (0, True)
    assert disk.snapshot() == written
    assert timed.layers_of(disk).docker_arguments("extra_args") == ("--mine", LABEL)


def test_of_many_runs_at_once_one_writes_and_all_are_content(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    runs = [start(disk, imds) for _ in range(5)]
    ends = [ended(run) for run in runs]
    assert [status for status, _ in ends] == [0] * 5
    assert sorted("wrote no file" in line for _, line in ends) == [False, True, True, True, True]
    assert timed.layers_of(disk).docker_arguments("extra_args") == ("--mine", LABEL)


def test_a_run_that_is_killed_holds_no_lock(disk: MachineDisk, imds: FaultyImds) -> None:
    imds.faults = [Fault("*/instance-identity/document", delay=60, times=None)]
    with start(disk, imds) as first:
        until_asked(imds)
        (child,) = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        for process in (first.pid, int(child)):
            os.kill(process, signal.SIGKILL)
        first.communicate(timeout=20)
    imds.faults = []
    ran = timed.run(disk, deadline=10, variables={"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    assert ran.ran.status == 0
    assert ran.seconds < 5


def test_a_run_that_never_gets_its_turn_ends_at_the_deadline_and_touches_nothing(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    imds.faults = [Fault("*/instance-identity/document", delay=60, times=None)]
    with start(disk, imds, "--deadline=60") as first:
        until_asked(imds)
        before = disk.snapshot()
        variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
        second = timed.run(disk, deadline=2, variables=variables)
        assert second.seconds < 2 + timed.SLACK
        assert second.ran.status == 7
        assert disk.snapshot() == before
        first.terminate()
        first.communicate(timeout=20)
