"""A run ends by its deadline, whatever the metadata service, the API or ``ros`` do.

All runs of this module are made at once: what they do most is wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from e2e import program
from failures import timed
from failures.name_server import Silence
from failures.timed import IN_VAIN, SLACK, Timed
from hostile_imds import ALL_MODES, API_MODES, MODES, NEVER_ACCEPTS, SANE, HostileImds
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.rancheros import paths
from real_parts import requirements
from real_parts.ec2_instance import Ec2Instance
from real_parts.namespace import IMDS_IPV4, Namespace

NOWHERE = "http://127.0.0.1:1"


@dataclass(frozen=True)
class Case:
    """What goes wrong where: in all of the metadata service, in its tags, or in the API."""

    where: str
    mode: str

    def __str__(self) -> str:
        return f"{self.where}-{self.mode}"

    def ended(self, folder: Path) -> Timed:
        disk = timed.user_machine(folder)
        if self.mode in DRIPS:
            with FakeImds(SANE) as imds:
                sane = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
                assert timed.run(disk, deadline=60, variables=sane).ran.status == 0
        at = "/latest/meta-data/tags/*" if self.where == "tags" else "*"
        with (
            FakeImds(replace(SANE, tags_in_metadata=False)) as imds,
            HostileImds(self.mode, at=at) as url,
        ):
            of_imds, of_api = (imds.url, url) if self.where == "api" else (url, NOWHERE)
            variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": of_imds}
            variables["AWS_ENDPOINT_URL_EC2"] = of_api
            return timed.run(disk, deadline=IN_VAIN, variables=variables)


# No time-out of a socket sees these: only the deadline does.
DRIPS = ("one-byte-a-second", "one-byte-a-second-body")
WHOLE_IMDS = [Case("imds", mode) for mode in ALL_MODES if mode not in DRIPS]
TAGS = [Case("tags", mode) for mode in MODES if mode not in DRIPS]
API = [Case("api", mode) for mode in (NEVER_ACCEPTS, *MODES, *API_MODES) if mode not in DRIPS]
DRIPPING = [Case(where, mode) for where in ("imds", "tags", "api") for mode in DRIPS]
# Modes that do no harm to what an instance is: the metadata is there all the same.
STILL_AN_INSTANCE = ("100000-keys", "dotted-keys", "invalid-utf8", "nul-bytes")


@pytest.fixture(scope="module")
def ran(request: pytest.FixtureRequest) -> Iterator[Mapping[Case, Future[Timed]]]:
    """The runs of all cases that have been asked for."""
    request.getfixturevalue("stopped")  # they wait at the same time
    if requirements.missing() is None:
        request.getfixturevalue("unnamed")
    cases = (
        item.callspec.params.get("case")
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module
        if hasattr(item, "callspec")
    )
    asked = dict.fromkeys(case for case in cases if isinstance(case, Case))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(asked) or 1) as pool:
        found: dict[Case, Future[Timed]] = {}
        # Those that are given answers need the machine for themselves; the others only wait.
        for are_answered in (True, False):
            wait(found.values())
            for case in asked:
                if (case.mode in STILL_AN_INSTANCE) is are_answered:
                    found[case] = pool.submit(case.ended, Path(folder) / str(case))
        yield found


def ended_well(case: Case, ran: Mapping[Case, Future[Timed]]) -> Timed:
    """Return a run that ended by itself, with status 4, and left files that ``ros`` can load."""
    run = ran[case].result()
    assert run.ran.status == 4, run.ran.err
    assert run.ran.log[-1].endswith("exit 4")
    assert timed.items(run.disk)[:1] == ["--debug"]
    return run


@pytest.mark.parametrize("case", WHOLE_IMDS, ids=str)
def test_a_hostile_metadata_service_is_status_4_within_the_deadline(
    case: Case, ran: Mapping[Case, Future[Timed]]
) -> None:
    run = ended_well(case, ran)
    expected = "partial" if case.mode in STILL_AN_INSTANCE else "none"
    assert run.outcome == expected
    assert ("AWS_INSTANCE_TYPE" in run.disk.variables()) == (expected == "partial")


@pytest.mark.parametrize("case", TAGS, ids=str)
def test_hostile_tags_of_the_metadata_service_cost_neither_the_metadata_nor_the_deadline(
    case: Case, ran: Mapping[Case, Future[Timed]]
) -> None:
    run = ended_well(case, ran)
    assert run.outcome == "partial"
    assert run.disk.variables()["AWS_INSTANCE_TYPE"] == SANE.instance_type
    assert run.disk.extra_args() == []


@pytest.mark.parametrize("case", API, ids=str)
def test_a_hostile_api_is_status_4_with_the_metadata_written_and_not_status_7(
    case: Case, ran: Mapping[Case, Future[Timed]]
) -> None:
    run = ended_well(case, ran)
    assert run.outcome == "partial"
    assert run.disk.variables()["AWS_INSTANCE_TYPE"] == SANE.instance_type
    assert "the EC2 API is asked" in run.ran.err


@pytest.mark.parametrize("case", DRIPPING, ids=str)
def test_what_drips_is_ended_at_the_deadline_with_the_last_known_good_in_place(
    case: Case, ran: Mapping[Case, Future[Timed]]
) -> None:
    run = ran[case].result()
    assert run.ran.status == 7
    assert run.disk.extra_args() == ["--debug", "--label=docker.role=web"]
    assert run.disk.variables()["AWS_INSTANCE_TYPE"] == SANE.instance_type
    # The run has not come to another outcome than that of the one before.
    assert run.outcome == "complete"


@pytest.fixture(scope="module")
def unnamed(
    namespace: Namespace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[None]]]:
    """Runs that know the metadata service, or the API, by a name that nobody tells."""
    folder = tmp_path_factory.mktemp("unnamed")
    described = replace(SANE, tags_in_metadata=False)
    with (
        Ec2Instance.started(namespace, described, folder, [IMDS_IPV4]),
        Silence(namespace, folder) as silence,
        ThreadPoolExecutor() as pool,
    ):
        runs = {"metadata": _metadata_service_by_name, "api": _api_by_name}
        yield {one: pool.submit(run, silence, folder / one) for one, run in runs.items()}


@pytest.mark.real_parts
def test_a_metadata_service_by_name_ends_at_the_deadline_and_nothing_is_removed(
    unnamed: Mapping[str, Future[None]],
) -> None:
    unnamed["metadata"].result()


def _metadata_service_by_name(silence: Silence, folder: Path) -> None:
    disk = timed.user_machine(folder)
    before = disk.snapshot()
    # A run that has not even begun to ask by then must end likewise.
    ran = silence.run(disk, 5, AWS_EC2_METADATA_SERVICE_ENDPOINT="http://imds.example")
    assert ran.ran.status == 7
    assert disk.snapshot() == before


@pytest.mark.real_parts
def test_an_api_by_name_ends_at_the_deadline_with_the_metadata_written(
    unnamed: Mapping[str, Future[None]],
) -> None:
    unnamed["api"].result()


def _api_by_name(silence: Silence, folder: Path) -> None:
    disk = timed.user_machine(folder)
    ran = silence.run(disk, IN_VAIN, AWS_ENDPOINT_URL_EC2="http://ec2.eu-west-1.example")
    assert ran.ran.status == 7
    assert b"eu-west-1" in silence.asked()
    assert ran.outcome == "partial"
    assert disk.variables()["AWS_INSTANCE_TYPE"] == SANE.instance_type


COMMANDS = ("apply", "clean")
LOGS = ("closed", "full disk", "no reader", "reader stands still")


@pytest.fixture(scope="module")
def stopped() -> Iterator[Mapping[str, Future[str]]]:
    """Runs that are stopped while they wait for the lock, by command and by kind of log."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor() as pool:
        folder = Path(name)
        by_command = {one: pool.submit(_stands_still, folder / one, one) for one in COMMANDS}
        by_log = {one: pool.submit(_stands_still, folder / one, "apply", one) for one in LOGS}
        yield {**by_command, **by_log}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_boot_waits_for_is_ended_at_the_deadline_even_where_it_stands_still(
    stopped: Mapping[str, Future[str]], command: str
) -> None:
    """As on a disk that hangs: it looks at no clock of its own any more."""
    assert "each file is as it was or as planned" in stopped[command].result()


def _stands_still(folder: Path, command: str, log: str = "read") -> str:
    """Stop a run that waits for the lock, and return what it has written where that is read."""
    disk = timed.user_machine(folder)
    before = disk.snapshot()
    flags = program.machine_flags(disk, (command,))
    argv = program.command(command, f"--deadline={IN_VAIN:g}", *flags)
    if log == "closed":
        argv = ["sh", "-c", 'exec "$@" 2>&-', "sh", *argv]
    written = folder.with_suffix(".log")
    with (
        timed.locked(disk),  # so that it is still there to be stopped
        opened_log(log, written) as stderr,
        subprocess.Popen(argv, stderr=stderr, text=True) as run,
    ):
        try:
            timed.wait_for(lambda: timed.waits_for_lock(disk, run))
            os.kill(timed.child_of(run), signal.SIGSTOP)
            assert run.wait(IN_VAIN + SLACK) == 7
        finally:
            run.kill()
    assert disk.snapshot() == before
    return written.read_text() if written.exists() else ""


@pytest.mark.parametrize("log", LOGS)
def test_a_log_that_takes_nothing_does_not_hold_the_deadline_up(
    stopped: Mapping[str, Future[str]], log: str
) -> None:
    stopped[log].result()


def test_a_log_whose_reader_stands_still_costs_no_label(disk: MachineDisk, imds: FakeImds) -> None:
    with opened_log("reader stands still") as log:
        done = subprocess.run(
            program.command("--debug", "--deadline=60", *program.machine_flags(disk)),
            env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url),
            stderr=log,
            timeout=60 + SLACK,
            check=False,
        )
        assert done.returncode == 0
    assert "--label=docker.role=web" in disk.path(paths.CLOUD_CONFIG).read_text()


@contextlib.contextmanager
def opened_log(kind: str, file: Path = Path("/dev/full")) -> Iterator[int]:
    """Open a file descriptor that takes nothing, or a file; "closed" is not to be used."""
    if kind in ("read", "closed", "full disk"):
        with (file if kind == "read" else Path("/dev/full")).open("wb") as opened:
            yield opened.fileno()
        return
    read, written = os.pipe()
    if kind == "no reader":
        os.close(read)
    else:
        size = fcntl.fcntl(written, fcntl.F_GETPIPE_SZ)
        os.write(written, bytes(size))
    yield written
    os.close(written)
    if kind != "no reader":
        os.close(read)
