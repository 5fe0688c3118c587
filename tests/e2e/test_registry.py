"""The image from a real registry: what ``docker push`` puts there, and another dockerd pulls."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from rancheros_ec2_metadata import __version__
from real_parts import image
from real_parts.dockerd import Dockerd
from real_parts.image_machine import Machine
from real_parts.moto_ec2 import MotoEc2
from real_parts.namespace import Namespace
from real_parts.registry import LAYER, MANIFEST, Registry

pytestmark = pytest.mark.real_parts

NAME = "rancheros-ec2-metadata"
TAGS = {"docker.role": "web"}


@dataclass(frozen=True)
class Pushed:
    """An image in a registry: its folder, which can be served again, and its port."""

    data: Path
    port: int

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}/{NAME}:{__version__}"


@pytest.fixture(scope="module")
def pushed(
    image_archive: Path, image_dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory
) -> Pushed:
    data = tmp_path_factory.mktemp("registry")
    image.load(image_dockerd, image_archive, data)
    with Registry.started(image_dockerd.namespace, data) as registry:
        pushed = Pushed(data, registry.port)
        image_dockerd.docker("tag", image.IMAGE, pushed.name)
        image_dockerd.docker("push", pushed.name)
    return pushed


def test_docker_push_pushes_what_system_docker_pulls(pushed: Pushed, namespace: Namespace) -> None:
    with Namespace.opened("host") as host, Registry.started(host, pushed.data) as registry:
        media_type, body = registry.get(f"{NAME}/manifests/{__version__}")
        manifest = json.loads(body)
        layers = {layer["mediaType"] for layer in manifest["layers"]}
        assert (media_type, manifest["mediaType"], layers) == (MANIFEST, MANIFEST, {LAYER})
        for layer in manifest["layers"]:
            _, blob = registry.get(f"{NAME}/blobs/{layer['digest']}")
            assert blob.startswith(b"\x1f\x8b\x08"), "no gzip"


def test_a_dockerd_that_has_to_pull_it_runs_it_with_the_rights_that_the_service_has(
    pushed: Pushed, namespace: Namespace, moto_ec2: MotoEc2, tmp_path: Path
) -> None:
    with (
        Registry.started(namespace, pushed.data, pushed.port),
        Dockerd.started(namespace, []) as dockerd,
    ):
        assert dockerd.docker("images", "--quiet") == ""
        # `docker run` pulls what is not there, as system-docker does for a service.
        with Machine.started(dockerd, pushed.name, moto_ec2, TAGS, tmp_path) as machine:
            done = machine.run(machine.service)
            assert done.returncode == 0, done.stderr
            assert machine.docker_labels() == TAGS
