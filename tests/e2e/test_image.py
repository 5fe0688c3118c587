"""The image: small, readable, complete, and at work as the service runs it.

Its base is a stand-in made of this machine's Python (glibc): no registry is needed. With
``BASE_IMAGE_ARCHIVE`` it is another, as `docker export` makes it.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e import program
from rancheros_ec2_metadata import __version__
from real_parts import image, old_seccomp
from real_parts.dockerd import Dockerd
from real_parts.image_machine import Machine
from real_parts.moto_ec2 import MotoEc2
from real_parts.namespace import Namespace

pytestmark = pytest.mark.real_parts

MAKEFILE = (image.ROOT / "Makefile").read_text()
TAGS = {"docker.role": "web", "docker.motto": "café $(id)"}
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----"
CLOUD_CONFIG = f"""\
rancher:
  ssh: {{keys: {{rsa: "{KEY}"}}}}
  docker: {{extra_args: [--debug]}}
"""


@pytest.fixture(scope="module")
def dockerd(
    image_archive: Path, image_dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory
) -> Dockerd:
    image.load(image_dockerd, image_archive, tmp_path_factory.mktemp("base"))
    return image_dockerd


def inspected(dockerd: Dockerd, name: str) -> dict[str, Any]:
    (found,) = json.loads(dockerd.docker("image", "inspect", name))
    return dict(found)


def in_image(dockerd: Dockerd, script: str) -> list[str]:
    run = ["run", "--rm", "--network=host", "--entrypoint=sh", image.IMAGE, "-c", script]
    return dockerd.docker(*run).splitlines()


def test_what_is_added_to_the_base_is_at_most_12_mb(dockerd: Dockerd) -> None:
    added = inspected(dockerd, image.IMAGE)["Size"] - inspected(dockerd, image.BASE)["Size"]
    assert 0 < added <= 12_000_000


def test_the_image_says_what_it_is(dockerd: Dockerd) -> None:
    labels = inspected(dockerd, image.IMAGE)["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert labels["org.opencontainers.image.base.name"] == image.BASE


def test_no_build_tool_test_or_source_of_a_wheel_is_left(dockerd: Dockerd) -> None:
    tools = "-name pip -o -name 'pip-*' -o -name 'setuptools*' -o -name ensurepip"
    assert in_image(dockerd, f"find / -xdev {tools}") == []
    leftovers = "-name '*.py' -o -name __pycache__ -o -name tests -o -name RECORD -o -name '*.whl'"
    assert in_image(dockerd, f"find /app {leftovers}") == []


def test_any_user_can_read_and_run_it(dockerd: Dockerd) -> None:
    assert in_image(dockerd, "find /app ! -perm -a+r") == []
    run = ["run", "--rm", "--user=65534:65534", "--read-only", "--cap-drop=ALL", "--network=host"]
    assert dockerd.docker(*run, image.IMAGE, "--version").split()[-1] == __version__


def test_nothing_outside_the_image_is_imported(dockerd: Dockerd, tmp_path: Path) -> None:
    planted = tmp_path / "yaml.py"
    planted.write_text("raise SystemExit('planted')")
    run = ["run", "--rm", "--network=host", f"--volume={tmp_path}:/mnt", "--workdir=/mnt"]
    printed = dockerd.docker(*run, "--env=PYTHONPATH=/mnt", image.IMAGE, "--version")
    assert printed.split()[-1] == __version__


@pytest.fixture(scope="module")
def system_docker(namespace: Namespace, image_archive: Path) -> Iterator[Dockerd]:
    """A dockerd on the instances' network that has the image."""
    with Dockerd.started(namespace, []) as dockerd:
        dockerd.docker("load", "--input", image_archive)
        yield dockerd


@pytest.fixture
def machine(system_docker: Dockerd, moto_ec2: MotoEc2, tmp_path: Path) -> Iterator[Machine]:
    with Machine.started(system_docker, image.IMAGE, moto_ec2, TAGS, tmp_path) as machine:
        yield machine


def test_it_sets_labels_and_variables_with_the_rights_that_the_service_has(
    machine: Machine,
) -> None:
    machine.disk.user_data("rancher: {docker: {extra_args: [--debug, '--label=mine=1']}}\n")
    done = machine.run(machine.service)
    assert done.returncode == 0, done.stderr
    assert machine.docker_labels() == {**TAGS, "mine": "1"}
    assert machine.variables()["EC2_METADATA_STATUS"] == "complete"
    # Unchanged, nothing is asked twice and nothing is written.
    before = machine.disk.snapshot()
    again = machine.run(machine.service)
    assert again.stderr.endswith("wrote no file; exit 0\n"), again.stderr
    assert machine.disk.snapshot() == before


def test_it_labels_docker_under_the_seccomp_profile_of_docker_17_06(
    machine: Machine, tmp_path: Path
) -> None:
    profile = tmp_path / "seccomp.json"
    profile.write_text(json.dumps(old_seccomp.profile()))
    option = f"--security-opt=seccomp={profile}"
    newer = ["--entrypoint=python3", image.IMAGE, "-c", "import os; os.pidfd_open(1)"]
    # Refused as it was then: ENOSYS instead would lead glibc to an older call.
    refused = machine.dockerd.namespace.run([*machine.dockerd.client, "run", option, *newer])
    assert "PermissionError" in refused.stderr
    done = machine.run(machine.service, option)
    assert done.returncode == 0, done.stderr
    assert machine.docker_labels() == TAGS


@pytest.mark.parametrize(
    ("then", "status"),
    [
        ("kill -STOP $PPID", 7),
        ("kill -KILL $PPID", 1),
        ("kill -TERM $(awk '/^PPid/ {print $2}' /proc/$PPID/status)", 143),
    ],
)
def test_the_copy_with_the_keys_is_gone_where_a_run_is_ended_while_it_asks(
    machine: Machine, tmp_path: Path, then: str, status: int
) -> None:
    machine.disk.cloud_config(CLOUD_CONFIG)
    memory = tmp_path / "memory"
    memory.mkdir()
    ros = machine.disk.path("/usr/bin/ros")
    ros.write_text(f"#!/bin/sh\nls /dev/shm/rancher-conf >/dev/shm/asked\n{then}\nsleep 60\n")
    ros.chmod(0o755)
    service = {**machine.service, "command": "-m --deadline 8"}
    done = machine.run(service, f"--volume={memory}:/dev/shm", "--init")
    assert done.returncode == status, done.stderr
    assert "cloud-config.yml" in (memory / "asked").read_text()
    assert not (memory / "rancher-conf").exists()
    assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("mount", "named", "sets_variables"),
    [
        # As the service of an earlier version had it.
        ("/var/lib/rancher/conf:/var/lib/rancher/conf", "is mounted at the old place", True),
        (None, "is not there", False),
    ],
)
def test_a_conf_that_is_not_mounted_where_it_should_be_is_named_with_the_line_to_write(
    machine: Machine, mount: str | None, named: str, sets_variables: bool
) -> None:
    right = "/var/lib/rancher/conf:/host/var/lib/rancher/conf"
    volumes = [volume for volume in machine.service["volumes"] if volume != right]
    service = {**machine.service, "volumes": [*volumes, *([mount] if mount else [])]}
    done = machine.run(service)
    assert done.returncode == 5, done.stderr
    assert named in done.stderr
    assert right in done.stderr
    assert machine.docker_labels() == {}
    assert ("AWS_INSTANCE_ID" in machine.variables()) == sets_variables, done.stderr


def test_no_module_is_compiled_at_boot_and_no_library_complains(machine: Machine) -> None:
    python, *flags = inspected(machine.dockerd, image.IMAGE)["Config"]["Entrypoint"]
    verbose = {**machine.service, "command": shlex.join(["-v", *flags])}
    done = machine.run(verbose, f"--entrypoint={python}")
    assert done.returncode == 0, done.stderr
    loaded = re.findall(r"^# code object from '?([^'\n]+)'?$", done.stderr, re.MULTILINE)
    assert any("botocore" in name for name in loaded)
    assert [name for name in loaded if not name.endswith(".pyc")] == []
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("machine_type", ["x86_64", "aarch64"])
def test_all_that_is_locked_has_wheels_for_the_default_base(
    machine_type: str, tmp_path: Path
) -> None:
    python = re.findall(r"^BASE_IMAGE \?= python:(\d\.\d+)-alpine$", MAKEFILE, re.MULTILINE)
    of_base = [f"--platform=musllinux_1_2_{machine_type}", f"--python-version={python[0]}"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    found = [*pip, "--dry-run", "--ignore-installed", f"--target={tmp_path}", *of_base]
    exact = ["--require-hashes", "--only-binary=:all:", "--implementation=cp"]
    lock = f"--requirement={image.ROOT / 'requirements.lock'}"
    done = program.ended([*found, *exact, lock])
    assert done.returncode == 0, done.stderr


def test_buildkit_builds_the_same_files(dockerd: Dockerd) -> None:
    listing = "find /app -type f | sort"
    by_classic_builder = in_image(dockerd, listing)
    image.make(dockerd, "image", "IMAGE=by-buildkit", buildkit=True)
    run = ["run", "--rm", "--network=host", "--entrypoint=sh", f"by-buildkit:{__version__}"]
    assert dockerd.docker(*run, "-c", listing).splitlines() == by_classic_builder
