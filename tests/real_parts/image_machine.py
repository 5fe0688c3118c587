"""An instance on which the image runs as service/ec2-metadata.yml runs it, beside a real ``ros``.

That is the stand-in for ``ros``, as one file: it reads what a real one in that container reads.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT, CompletedProcess
from typing import Any

import yaml

from machine import MachineDisk
from real_parts import ros_in_a_file, system_service
from real_parts.dockerd import Dockerd
from real_parts.moto_ec2 import REGION, MotoEc2
from real_parts.namespace import IMDS_IPV4
from ros_stand_in import in_effect

SERVICE_FILE = Path(__file__).parents[2] / "service/ec2-metadata.yml"
RELEASE = "v1.5.8"


@dataclass(frozen=True)
class Machine:
    """An instance whose tags only the API has, with a dockerd that has the image.

    Args:
        dockerd: runs containers where the metadata service and the API are.
        disk: the machine's own files.
        image: the name of the image.
        environment: ``rancher.environment``, of which the service takes what it names.
    """

    dockerd: Dockerd
    disk: MachineDisk
    image: str
    environment: Mapping[str, str]

    @classmethod
    @contextlib.contextmanager
    def started(
        cls, dockerd: Dockerd, image: str, moto_ec2: MotoEc2, tags: Mapping[str, str], folder: Path
    ) -> Iterator[Machine]:
        """Make an instance, and start its metadata service, which is the image too.

        Args:
            dockerd: has the image, in the namespace of ``moto_ec2``.
            image: its name. moto_ec2: the API. tags: of the instance. folder: for its files.
        """
        data = folder / "imds.json"
        instance = {"instance_id": moto_ec2.launch(tags), "region": REGION, "role": "node"}
        data.write_text(json.dumps({**instance, "tags_in_metadata": False}))
        imds = ["run", "--detach", "--network=host", f"--volume={data}:/imds.json:ro", image]
        listen = f"--listen={IMDS_IPV4}:80"
        served = dockerd.docker(*imds, "fake-imds", listen, "--data=/imds.json").strip()
        _wait_for_line(dockerd, served)
        environment = {
            # The machine that runs the tests is, by its DMI, not on EC2: unless it is told so.
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{IMDS_IPV4}",
            "AWS_ENDPOINT_URL_EC2": moto_ec2.endpoint,
        }
        yield cls(dockerd, make_disk(folder / "disk"), image, environment)
        dockerd.docker("rm", "--force", served)

    @property
    def service(self) -> dict[str, Any]:
        """The service's definition, to be changed by a test."""
        service: dict[str, Any] = yaml.safe_load(SERVICE_FILE.read_text())["ec2-metadata"]
        return service

    def run_arguments(self, service: Mapping[str, Any], *options: str) -> list[str]:
        """Return the arguments of ``docker`` that run a service, with more options of ``run``."""
        given = system_service.run_arguments(service, self.environment, self.disk.root, self.image)
        return [given[0], *options, *given[1:]]

    def run(self, service: Mapping[str, Any], *options: str) -> CompletedProcess[str]:
        """Run a service to its end."""
        argv = [*self.dockerd.client, *self.run_arguments(service, *options)]
        return self.dockerd.namespace.run(argv)

    def docker_labels(self) -> dict[str, str]:
        """Start a dockerd with the arguments that RancherOS reads; return the labels it reports."""
        items = in_effect.docker_arguments(self.disk.read(), RELEASE)
        with Dockerd.started(self.dockerd.namespace, items) as user_docker:
            return user_docker.labels()

    def variables(self) -> dict[str, str]:
        """Return the variables that RancherOS reads."""
        return in_effect.environment(self.disk.read(), RELEASE)


def make_disk(folder: Path) -> MachineDisk:
    """Return a machine's own files, ``ros`` among them."""
    disk = MachineDisk(folder, RELEASE, in_container=False)
    disk.path("/usr/bin").mkdir(parents=True)
    ros_in_a_file.make(disk.path("/usr/bin/ros"), RELEASE, folder.with_name("ros-parts"))
    return disk


def _wait_for_line(dockerd: Dockerd, container: str) -> None:
    """Wait until a container has logged its first line."""
    follow = [*dockerd.client, "logs", "--follow", container]
    with dockerd.namespace.start(follow, stdout=PIPE, stderr=STDOUT) as started:
        assert started.process.stdout is not None
        assert started.process.stdout.readline(), "it ended without a word"
