"""An instance on which the image runs as the service runs it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT

import yaml

from real_parts.dockerd import Dockerd
from real_parts.moto_ec2 import REGION, MotoEc2
from real_parts.namespace import IMDS_IPV4


@dataclass(frozen=True)
class Machine:
    """An instance whose tags only the API has, with a dockerd that has the image.

    Args:
        dockerd: runs containers where the metadata service and the API are.
        conf: its RancherOS configuration. options: of ``docker run``, as the service has them.
    """

    dockerd: Dockerd
    conf: Path
    options: list[str]

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
        instance_id = moto_ec2.launch(tags)
        conf, ros, data = folder / "conf", folder / "ros", folder / "imds.json"
        (conf / "cloud-config.d").mkdir(parents=True)
        ros.mkdir()
        (ros / "os-config.yml").write_text("rancher: {environment: {VERSION: v1.5.8}}\n")
        instance = {"instance_id": instance_id, "region": REGION, "role": "node"}
        data.write_text(json.dumps({**instance, "tags_in_metadata": False}))
        imds = ["run", "--detach", "--network=host", f"--volume={data}:/imds.json:ro", image]
        listen = f"--listen={IMDS_IPV4}:80"
        served = dockerd.docker(*imds, "fake-imds", listen, "--data=/imds.json").strip()
        _wait_for_line(dockerd, served)
        options = ["--rm", "--network=host", "--read-only", "--cap-drop=ALL"]
        options += [f"--volume={conf}:/var/lib/rancher/conf", f"--volume={ros}:/usr/share/ros:ro"]
        # The machine that runs the tests is, by its DMI, not on EC2: unless it is told so.
        options += [f"--env=AWS_EC2_METADATA_SERVICE_ENDPOINT=http://{IMDS_IPV4}"]
        options += [f"--env=AWS_ENDPOINT_URL_EC2={moto_ec2.endpoint}"]
        yield cls(dockerd, conf, options)
        dockerd.docker("rm", "--force", served)

    def docker_labels(self) -> dict[str, str]:
        """Start a dockerd with the arguments that were written; return the labels it reports."""
        drop_in = yaml.safe_load((self.conf / "cloud-config.d/zz-ec2-metadata.yml").read_text())
        items = drop_in["rancher"]["docker"]["extra_args"]
        with Dockerd.started(self.dockerd.namespace, items) as user_docker:
            return user_docker.labels()


def _wait_for_line(dockerd: Dockerd, container: str) -> None:
    """Wait until a container has logged its first line."""
    follow = [*dockerd.client, "logs", "--follow", container]
    with dockerd.namespace.start(follow, stdout=PIPE, stderr=STDOUT) as started:
        assert started.process.stdout is not None
        assert started.process.stdout.readline(), "it ended without a word"
