"""What a run costs, counted: requests, modules, files. More of any is a slower boot."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from rancheros_ec2_metadata.rancheros import disk as paths

from e2e import program
from e2e.answering_api import AnsweringApi, tags
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

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

# The program as it is run, telling of each file that it opens and each module that it ends
# up with, in both of its processes.
TOLD = """
import os, sys
def tell(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        os.write(TELL, f"open {arguments[0]}\\n".encode())
sys.addaudithook(tell)
leave = os._exit
def tell_modules():
    names = [name for name, module in sys.modules.items() if module]
    os.write(TELL, "".join(f"module {name}\\n" for name in names).encode())
def told(status):
    tell_modules()
    leave(status)
os._exit = told
from rancheros_ec2_metadata.__main__ import console
try:
    console()
finally:
    tell_modules()
"""


@dataclass(frozen=True)
class Counted:
    """What a run did.

    Args:
        files: how often it opened each file of the machine.
        modules: what it had imported in the end.
    """

    files: Counter[str]
    modules: frozenset[str]

    def packages(self) -> set[str]:
        """Return the packages that are not of the standard library, nor of Python's packager."""
        tops = {name.partition(".")[0] for name in self.modules if not name.startswith("_")}
        return tops - sys.stdlib_module_names - {"cython_runtime", "sitecustomize"}


def counted(root: Path, *arguments: str, **variables: str) -> Counted:
    """Run the program, and return what it opened and imported."""
    reads, writes = os.pipe()
    with os.fdopen(reads, encoding="utf-8") as told:
        code = TOLD.replace("TELL", str(writes))
        process = subprocess.Popen(
            [sys.executable, "-c", code, "--root", str(root), *arguments],
            env=program.environment(**variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[writes],
        )
        os.close(writes)
        lines = told.read().splitlines()
    with process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    words = [line.split(" ", 1) for line in lines]
    opened = [path for kind, path in words if kind == "open" and path.startswith(f"{root}/")]
    return Counted(
        Counter(path.removeprefix(str(root)) for path in opened),
        frozenset(name for kind, name in words if kind == "module"),
    )


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    made = MachineDisk(tmp_path)
    made.user_data("#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n")
    return made


@pytest.fixture
def imds() -> Iterator[FakeImds]:
    with FakeImds(GROUPED) as fake:
        yield fake


@pytest.fixture
def api() -> Iterator[AnsweringApi]:
    with AnsweringApi(tags(GROUPED.instance_id, GROUPED.all_tags)) as answering:
        yield answering


def requests(disk: MachineDisk, imds: FakeImds, *flags: str, **variables: str) -> list[str]:
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
            replace(GROUPED, public_ipv4="203.0.113.25"), FLAGS, 18 + 2 + USED + 1, id="public"
        ),
        pytest.param(
            replace(GROUPED, public_ipv4="203.0.113.25", ipv6="2001:db8::1"),
            FLAGS,
            18 + 3 + USED + 1,
            id="public, and IPv6",
        ),
        pytest.param(
            replace(GROUPED, ancestor_ami_ids=("ami-1",)), FLAGS, 19 + USED + 1, id="ancestors"
        ),
        pytest.param(GROUPED, ("--tags=none",), 17, id="no tags wanted"),
    ],
)
def test_the_requests_of_a_run_are_so_many(
    disk: MachineDisk, imds: FakeImds, instance: FakeInstance, flags: Sequence[str], count: int
) -> None:
    imds.instance = instance
    first = requests(disk, imds, *flags)
    assert len(first) == count, first
    assert sorted(requests(disk, imds, *flags)) == sorted(first)


def test_without_metadata_only_the_tags_are_asked_for(disk: MachineDisk, imds: FakeImds) -> None:
    asked = requests(disk, imds, *FLAGS, AWS_METADATA_LOAD="false")
    assert len(asked) == len(["token", "document", "list"]) + USED


def test_where_the_metadata_service_has_the_tags_the_api_is_not_called(
    disk: MachineDisk, imds: FakeImds, api: AnsweringApi
) -> None:
    requests(disk, imds, *FLAGS, AWS_ENDPOINT_URL_EC2=api.url)
    assert api.authorizations == []


def test_where_it_has_not_the_api_is_called_once(
    disk: MachineDisk, imds: FakeImds, api: AnsweringApi
) -> None:
    imds.instance = replace(GROUPED, tags_in_metadata=False)
    asked = requests(disk, imds, *FLAGS, AWS_ENDPOINT_URL_EC2=api.url)
    # The list of tags, which is not served, and the role's credentials.
    assert len(asked) == 19
    assert len(api.authorizations) == 1
    again = program.run(disk, *FLAGS, imds=imds, AWS_ENDPOINT_URL_EC2=api.url)
    assert again.line("IMDS requests").startswith("19 IMDS requests, 1 API calls; EC2 ")


OURS = {"rancheros_ec2_metadata", "requests", "urllib3", "idna", "certifi", "yaml"}
OURS.add("charset_normalizer")  # of requests
BOTO3 = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six"}
# Each takes 10 milliseconds or more to import, and none is needed.
NOT_NEEDED = {"asyncio", "boto3", "tenacity", "multiprocessing"}


def test_with_tags_from_the_metadata_service_these_packages_are_imported_and_no_others(
    disk: MachineDisk, imds: FakeImds
) -> None:
    found = counted(disk.root, *FLAGS, AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)
    assert found.packages() == OURS
    assert NOT_NEEDED & {name.partition(".")[0] for name in found.modules} == set()
    ours = {name for name in found.modules if name.startswith("rancheros_ec2_metadata.")}
    unused = {"fake_ec2", "ec2.api", "ec2.api_errors", "diff", "plan_report", "show"}
    unused.add("status")
    assert {f"rancheros_ec2_metadata.{name}" for name in unused} & ours == set()


def test_with_tags_from_the_api_boto3_is_imported_too(
    disk: MachineDisk, imds: FakeImds, api: AnsweringApi
) -> None:
    imds.instance = replace(GROUPED, tags_in_metadata=False)
    endpoints = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url, "AWS_ENDPOINT_URL_EC2": api.url}
    found = counted(disk.root, *FLAGS, **endpoints)
    assert found.packages() == OURS | BOTO3
    assert {"asyncio", "tenacity"} & found.modules == set()


def test_a_run_opens_these_files_of_the_machine_and_no_others(
    disk: MachineDisk, imds: FakeImds
) -> None:
    endpoint = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
    boot_yml = f"{paths.CLOUD_CONFIG_D}/boot.yml"
    temporary = f"{paths.CLOUD_CONFIG_D}/.ec2-metadata.tmp.{paths.DROP_IN_NAME}"
    read = (paths.OS_CONFIG, paths.OEM_CONFIG, paths.CLOUD_CONFIG, paths.DOCKER_OPTS, boot_yml)
    looked_for = Counter((*read, paths.DAEMON_JSON, paths.COMMAND_LINE))
    # Once more, for the first line of the log.
    release = Counter([paths.OS_CONFIG])
    # How the run ended is kept for `status`, at each run: that file, and what the others are now.
    history = {
        paths.RUNS: 3,
        f"{paths.CONF}/.ec2-metadata.tmp.ec2-metadata-runs.json": 1,
    }
    first = counted(disk.root, *FLAGS, **endpoint).files
    firmware = {path: n for path, n in first.items() if path.startswith("/sys/")}
    assert set(firmware.values()) == {1}
    assert first - Counter(firmware) == Counter(
        {
            **(looked_for + release),
            **history,
            paths.STATE: 5,
            paths.DROP_IN: 3,
            paths.CONF: 3,
            "/proc/sys/kernel/random/boot_id": 1,
            f"{paths.CONF}/.ec2-metadata.tmp.ec2-metadata.json": 1,
            paths.CLOUD_CONFIG_D: 1,
            temporary: 1,
        }
    )
    second = counted(disk.root, *FLAGS, **endpoint).files
    assert second - Counter(firmware) == Counter(
        {
            **(looked_for + looked_for + release),
            **history,
            paths.STATE: 4,
            paths.DROP_IN: 3,
            paths.CONF: 2,
            "/proc/sys/kernel/random/boot_id": 1,
        }
    )


def test_help_waits_for_nothing_of_a_run(disk: MachineDisk) -> None:
    modules = counted(disk.root, "--help").modules
    assert "rancheros_ec2_metadata.cli" in modules
    assert {"requests", "rancheros_ec2_metadata.boot"} & modules == set()
