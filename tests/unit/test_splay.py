from __future__ import annotations

import io
import os
import signal
import statistics
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rancheros_ec2_metadata.rancheros import disk as paths

from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata import cli, splay
from rancheros_ec2_metadata.commands.call import Terminal
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

INSTANCE = "i-0123456789abcdef0"
# What of the splay this instance waits, by the SHA-256 of its id.
FRACTION = 0.34325332


def machine(instance_id: str | None = None, product_uuid: str | None = None) -> Machine:
    return Machine("yes", instance_id, product_uuid)


@given(st.floats(0, 1e6), st.from_regex(r"i-[0-9a-f]{17}", fullmatch=True))
def test_a_pause_is_within_the_splay_and_the_same_each_time(seconds: float, name: str) -> None:
    pause = splay.pause(seconds, machine(name))
    assert 0 <= pause <= seconds
    assert pause == splay.pause(seconds, machine(name, "another-uuid"))


def test_the_pauses_of_a_fleet_are_spread_evenly() -> None:
    pauses = [splay.pause(100, machine(f"i-{n:017x}")) for n in range(2000)]
    assert statistics.quantiles(pauses) == pytest.approx([25, 50, 75], abs=5)


def test_without_an_instance_id_the_uuid_counts_and_without_both_the_host_name() -> None:
    names = [machine(INSTANCE, "u"), machine(None, "u"), machine(None, "v"), machine()]
    assert len({splay.pause(100, name) for name in names}) == 4
    assert splay.pause(100, machine(None, os.uname().nodename)) == splay.pause(100, machine())


def test_the_wait_is_not_part_of_the_deadline(tmp_path: Path) -> None:
    disk = MachineDisk(tmp_path)
    program.on_ec2(disk, INSTANCE)
    with FakeImds() as imds:
        ran = program.run(disk, "--splay=6.5", "--deadline=2", imds=imds)
    assert ran.log[0] == f"waiting {6.5 * FRACTION:.1f} s of up to 6.5 s first (--splay)"
    assert ran.status == 0


def test_the_watchdog_is_told_of_the_wait(tmp_path: Path) -> None:
    disk = MachineDisk(tmp_path)
    program.on_ec2(disk, INSTANCE)
    disk.path(paths.CLOUD_CONFIG_D).rmdir()
    disk.path(paths.CONF).rmdir()  # so that there is nothing to do
    told: list[float] = []
    terminal = Terminal({}, io.StringIO(), io.StringIO(), told.append)
    arguments = ["--splay=0.1", "--deadline=50", f"--root={tmp_path}"]
    assert cli.main(arguments, terminal) == 5
    assert told == [pytest.approx(50 + 0.1 * FRACTION, abs=0.001)]
    assert cli.main(arguments[1:], terminal) == 5
    assert told[1] == 50


def test_the_wait_can_be_ended(tmp_path: Path) -> None:
    disk = MachineDisk(tmp_path)
    program.on_ec2(disk, INSTANCE)
    before = disk.snapshot()
    started = time.monotonic()
    with subprocess.Popen(
        program.command("--splay=1000", f"--root={tmp_path}"),
        env=program.environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stderr is not None
        assert "waiting 343.3 s" in run.stderr.readline()
        run.send_signal(signal.SIGTERM)
        assert run.wait(30) == 128 + signal.SIGTERM
    assert time.monotonic() - started < 30
    assert disk.snapshot() == before
