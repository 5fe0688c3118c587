"""docker-compose.test.yml plays a boot, as its first lines say to run it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from real_parts import image, stand_in_image
from real_parts.dockerd import Dockerd
from real_parts.namespace import Namespace

pytestmark = pytest.mark.real_parts

FILE = image.ROOT / "docker-compose.test.yml"
COMMAND = next(line for line in FILE.read_text().splitlines() if line.startswith("#   docker-"))
SERVICE_IMAGE = "rancheros-ec2-metadata:test"


@pytest.fixture(scope="module")
def dockerd(image_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    moto = yaml.safe_load(FILE.read_text())["services"]["ec2"]["image"]
    name = moto.partition(":-")[2].rstrip("}")
    # The network has the metadata service's address in it: it must not be on lo as well.
    with Namespace.opened("empty") as namespace, Dockerd.started(namespace, []) as started:
        started.docker("load", "--input", image_archive)
        started.docker("tag", image.IMAGE, SERVICE_IMAGE)
        folder = tmp_path_factory.mktemp("moto")
        # Of moto's server only what these services need: its extra brings 100 MB more.
        stand_in_image.make(started, name, folder, "moto[ec2,autoscaling]", "flask-cors")
        yield started


def test_a_boot_ends_well_and_shows_what_it_did(dockerd: Dockerd) -> None:
    command = [*COMMAND.lstrip("# ").split(), "--no-color"]
    env = {**os.environ, "DOCKER_HOST": dockerd.client[-1].removeprefix("--host=")}
    up = dockerd.namespace.run(command, env=env, cwd=image.ROOT, seconds=180)
    assert up.returncode == 0, up.stdout + up.stderr
    assert re.search(r"complete; 2 labels, \d+ variables; .*exit 0$", up.stdout, re.MULTILINE)


def test_the_moto_of_the_file_is_the_one_that_is_tested() -> None:
    assert f"motoserver/moto:{version('moto')}" in FILE.read_text()
