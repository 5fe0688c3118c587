"""What a run costs, counted: requests, questions to ros, files written, modules imported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from e2e import program
from e2e.answering_api import AnsweringApi, tags
from faulty_imds import FaultyImds
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.hosts.rancheros import paths

# Of the tags of the README's group two become labels, two variables, and one is not used.
TAGS = {
    "Name": "web-1",
    "docker.environment": "production",
    "docker.role": "web",
    "example.db.host": "db.internal",
    "example.queue.host": "queue.internal",
}
FLAGS = ("-l", "example.db.host:DB_HOST", "-l", "example.queue.host:QUEUE_HOST")
USED = 4

LONE = FakeInstance(tags=TAGS)
GROUPED = replace(LONE, role="node", autoscaling_group="web")
WITHOUT_TAGS = replace(GROUPED, tags_in_metadata=False)
ROUND = Counter(f"config get {key}" for key in ("hostname", "rancher", "runcmd", "write_files"))

# The program, telling of each file that it opens to write or renames, and of the modules that it
# ends up with, in both of its processes.
TOLD = """
import os, runpy, sys
def tell(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        if arguments[2] & (os.O_WRONLY | os.O_RDWR):
            os.write(TELL, f"write {arguments[0]}\\n".encode())
    elif event == "os.rename":
        os.write(TELL, f"rename {arguments[1]}\\n".encode())
sys.addaudithook(tell)
leave = os._exit
def tell_modules():
    names = [name for name, module in sys.modules.items() if module]
    os.write(TELL, "".join(f"module {name}\\n" for name in names).encode())
def told(status):
    tell_modules()
    leave(status)
os._exit = told
try:
    runpy.run_module("rancheros_ec2_metadata", run_name="__main__", alter_sys=True)
finally:
    tell_modules()
"""


@dataclass(frozen=True)
class Counted:
    """What a run did.

    Args:
        opened: files that it opened to write.
        renamed: how often a new file took the place of each path.
        modules: what it had imported in the end.
        err: its log.
    """

    opened: frozenset[str]
    renamed: Counter[str]
    modules: frozenset[str]
    err: str


def counted(arguments: Sequence[str], **variables: str) -> Counted:
    """Run the program to a good end."""
    reads, writes = os.pipe()
    with os.fdopen(reads, encoding="utf-8") as told:
        process = subprocess.Popen(
            [sys.executable, "-c", TOLD.replace("TELL", str(writes)), *arguments],
            env=program.environment(**variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[writes],
            text=True,
        )
        os.close(writes)
        lines = [line.split(" ", 1) for line in told.read().splitlines()]
    with process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors

    def of(kind: str) -> list[str]:
        return [rest for word, rest in lines if word == kind]

    return Counted(frozenset(of("write")), Counter(of("rename")), frozenset(of("module")), errors)


@pytest.fixture
def imds() -> Iterator[FaultyImds]:
    with FaultyImds(GROUPED) as fake:
        yield fake


@pytest.fixture
def api() -> Iterator[AnsweringApi]:
    with AnsweringApi(tags(GROUPED.instance_id, GROUPED.all_tags)) as answering:
        yield answering


@pytest.fixture
def endpoints(imds: FaultyImds, api: AnsweringApi) -> dict[str, str]:
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url, "AWS_ENDPOINT_URL_EC2": api.url}


def requests(disk: MachineDisk, imds: FaultyImds, *flags: str, **variables: str) -> list[str]:
    """Run the program, and return the paths that it asked for, each of them once."""
    imds.requests.clear()
    ran = program.run(disk, *flags, imds=imds, **variables)
    assert ran.status == 0, ran.err
    asked = [request.path for request in imds.requests]
    assert len(set(asked)) == len(asked)
    return asked


@pytest.mark.parametrize(
    ("instance", "flags", "count"),
    [
        pytest.param(LONE, FLAGS, 16 + USED, id="no role, no group"),
        pytest.param(GROUPED, FLAGS, 18 + USED + 1, id="a role, and a group with its tag"),
        pytest.param(GROUPED, ("-t", "none."), 18 + 1, id="no tag is used but the group's"),
        pytest.param(
            replace(GROUPED, public_ipv4="203.0.113.25", ipv6="2001:db8::1"),
            FLAGS,
            18 + 3 + USED + 1,
            id="public, and IPv6",
        ),
        pytest.param(
            replace(GROUPED, extra={"ancestor-ami-ids": "ami-1"}),
            FLAGS,
            19 + USED + 1,
            id="ancestors",
        ),
        pytest.param(GROUPED, ("--tags=none",), 17, id="no tags wanted"),
        pytest.param(GROUPED, (*FLAGS, "--no-metadata"), 3 + USED, id="no metadata"),
    ],
)
def test_the_requests_of_a_run_are_so_many(
    disk: MachineDisk, imds: FaultyImds, instance: FakeInstance, flags: Sequence[str], count: int
) -> None:
    imds.instance = instance
    variables = {"AWS_METADATA_LOAD": "false"} if "--no-metadata" in flags else {}
    given = [flag for flag in flags if flag != "--no-metadata"]
    first = requests(disk, imds, *given, **variables)
    assert len(first) == count, first
    if instance is LONE:  # the next run asks the same
        assert sorted(requests(disk, imds, *given, **variables)) == sorted(first)


@pytest.mark.parametrize("instance", [GROUPED, WITHOUT_TAGS], ids=["tags in IMDS", "API"])
def test_ros_is_asked_twice_where_something_changes_and_once_where_nothing_does(
    disk: MachineDisk, imds: FaultyImds, api: AnsweringApi, instance: FakeInstance
) -> None:
    imds.instance = instance
    real = disk.ros()
    asked, counting = (real.with_name(name) for name in ("asked", "counting-ros"))
    counting.write_text(f'#!/bin/sh\necho "$*" >>"{asked}"\nexec "{real}" "$@"\n')
    counting.chmod(0o755)
    expected = [ROUND + ROUND, ROUND]
    if instance is WITHOUT_TAGS:
        expected[0] += ROUND  # the metadata was written before the API was asked
    for rounds in expected:
        asked.write_text("")
        flags = (*FLAGS, f"--ros={counting}")
        ran = program.run(disk, *flags, imds=imds, AWS_ENDPOINT_URL_EC2=api.url)
        assert (ran.status, Counter(asked.read_text().splitlines())) == (0, rounds), ran.err


@pytest.mark.parametrize("instance", [GROUPED, WITHOUT_TAGS], ids=["tags in IMDS", "API"])
def test_what_is_written_is_our_files_each_once_a_change_and_nothing_outside(
    disk: MachineDisk,
    imds: FaultyImds,
    endpoints: dict[str, str],
    instance: FakeInstance,
) -> None:
    imds.instance = instance
    flags = (*FLAGS, *program.machine_flags(disk))
    state, drop_in = (str(disk.path(path)) for path in (paths.STATE, paths.DROP_IN))
    # The plan's state before its drop-in, and how the run ended after both.
    plans = 2 if instance is WITHOUT_TAGS else 1
    first = counted(flags, **endpoints)
    assert first.renamed == {state: plans + 1, drop_in: plans}, first.err
    second = counted(flags, **endpoints)
    assert second.renamed == {state: 1}, second.err
    conf, copy = disk.path(paths.CONF), disk.root / paths.COPY.lstrip("/")
    devices = [Path(one) for one in ("/dev/null", "/dev/kmsg", "/proc/self/fd/2")]
    for path in map(Path, first.opened | second.opened):
        ours = path.is_relative_to(conf) and path.name.startswith(".ec2-metadata")
        assert ours or path.is_relative_to(copy) or path in devices, path
    assert not copy.exists()


@pytest.mark.parametrize("instance", [GROUPED, WITHOUT_TAGS], ids=["tags in IMDS", "API"])
def test_boto3_is_imported_where_the_api_is_asked_and_nowhere_else(
    disk: MachineDisk, imds: FaultyImds, endpoints: dict[str, str], instance: FakeInstance
) -> None:
    imds.instance = instance
    modules = counted((*FLAGS, *program.machine_flags(disk)), **endpoints).modules
    assert {"boto3", "rancheros_ec2_metadata.ec2.api"} & modules == (
        {"boto3", "rancheros_ec2_metadata.ec2.api"} if instance is WITHOUT_TAGS else set()
    )
    # Each takes 10 milliseconds or more, and no run at boot needs it.
    assert {"asyncio", "difflib", "tenacity"} & modules == set()
    unused = ("fake_ec2", "report", "show", "status", "ec2.described")
    assert {f"rancheros_ec2_metadata.{name}" for name in unused} & modules == set()


def test_help_waits_for_nothing_of_a_run() -> None:
    modules = counted(["--help"]).modules
    assert "rancheros_ec2_metadata.cli" in modules
    assert {"requests", "yaml", "rancheros_ec2_metadata.apply"} & modules == set()


def test_on_a_host_with_systemd_nothing_of_rancheros_and_no_yaml_is_imported(
    tmp_path: Path,
) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "run/metadata").mkdir()
    with FaultyImds(FakeInstance(tags={"host": "web-1"})) as imds:
        endpoint = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
        ran = counted([f"--root={tmp_path}", "-l", "host:HOST"], **endpoint)
    assert "wrote /run/metadata/ec2; exit 0" in ran.err
    parts = {".".join(name.split(".")[:3]) for name in ran.modules}
    assert "rancheros_ec2_metadata.hosts.systemd" in parts
    assert parts & {"rancheros_ec2_metadata.hosts.rancheros", "yaml", "boto3", "botocore"} == set()
