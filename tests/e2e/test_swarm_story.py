"""The story of the README: the tags of an Auto Scaling group decide where Swarm runs a service.

docs/swarm-story.md shows what a run of this test shows; ``RECORD_STORY=1`` writes it anew.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.definitions import TAGS
from machine import MachineDisk
from real_parts import image, system_service
from real_parts.dockerd import Dockerd
from real_parts.image_machine import RELEASE, SERVICE_FILE, make_disk
from real_parts.moto_ec2 import MotoEc2
from real_parts.namespace import IMDS_IPV4, Namespace
from real_parts.polling import until
from real_parts.scaling_group import ScalingGroup
from real_parts.transcript import Transcript
from ros_stand_in.answers import answer

README = image.ROOT / "README.md"
STORY = image.ROOT / "docs/swarm-story.md"
FENCE = "```text\n"

# With an argument of the operator's own: if that is lost, Docker forgets its swarm at a restart.
USER_DATA = f"""\
#cloud-config
rancher:
  environment:
    AWS_METADATA_TAG_VARIABLES: example.db.host:DB_HOST;example.queue.host:QUEUE_HOST
    AWS_EC2_METADATA_SERVICE_ENDPOINT: http://{IMDS_IPV4}
  docker:
    extra_args: [--data-root=DISK/docker]
"""

TASK_IMAGE = "localhost/busybox:1"
TASKS = ["service", "ps", "web", "db", "--filter=desired-state=running", "--no-trunc"]
TASKS += ['--format={{.Name}} {{index (split .CurrentState " ") 0}} {{.Error}}']
NO_NODE = "no suitable node (scheduling constraints not satisfied on 1 node)"


@dataclass(frozen=True)
class Machine:
    """A RancherOS machine: its disk, and the Docker that runs the system's services."""

    disk: MachineDisk
    system_docker: Dockerd
    transcript: Transcript

    @contextlib.contextmanager
    def booted(self) -> Iterator[Dockerd]:
        """Run the service to its end, then the user's Docker as the system starts it."""
        service = yaml.safe_load(SERVICE_FILE.read_text())["ec2-metadata"]
        environment = self.configured("rancher.environment")
        run = system_service.run_arguments(service, environment, self.disk.root, image.IMAGE)
        done = self.system_docker.namespace.run([*self.system_docker.client, *run])
        self.transcript.ran("system-docker", run, done.stdout + done.stderr)
        assert done.returncode == 0, done.stderr
        items = self.configured("rancher.docker.extra_args", show=True)
        with Dockerd.started(self.system_docker.namespace, items) as docker:
            yield docker

    def configured(self, key: str, *, show: bool = False) -> Any:
        """Return what RancherOS reads at a key of its configuration."""
        ask = ["config", "get", key]
        printed = answer(self.disk.read(), RELEASE, ask).stdout.rstrip()
        if show:
            self.transcript.ran("ros", ask, printed)
        return yaml.load(printed, yaml.BaseLoader)


@pytest.fixture
def own_namespace() -> Iterator[Namespace]:
    # Not the shared one: a swarm may leave a bridge behind.
    with Namespace.opened() as opened:
        yield opened


@pytest.fixture
def group(moto_ec2: MotoEc2, own_namespace: Namespace, tmp_path: Path) -> Iterator[ScalingGroup]:
    with ScalingGroup.launched(moto_ec2, TAGS, own_namespace, tmp_path) as group:
        yield group


@pytest.fixture
def machine(own_namespace: Namespace, image_archive: Path, tmp_path: Path) -> Iterator[Machine]:
    disk = make_disk(tmp_path / "disk")
    disk.user_data(USER_DATA.replace("DISK", str(own_namespace.folder)))
    transcript = Transcript({str(disk.root): "", str(own_namespace.folder): "/mnt"})
    with Dockerd.started(own_namespace, []) as system_docker:
        system_docker.docker("load", "--input", image_archive)
        yield Machine(disk, system_docker, transcript)


def make_swarm(docker: Dockerd, transcript: Transcript, folder: Path) -> None:
    """Make a swarm of one Docker, and in it a service for the role ``web`` and one for ``db``."""
    docker.import_busybox(TASK_IMAGE, folder)
    init = ["swarm", "init", "--advertise-addr=127.0.0.1"]
    first_line, _, _with_a_token = docker.docker(*init).partition("\n")
    transcript.ran("docker", init, first_line)
    for role in ("web", "db"):
        create = ["service", "create", "--detach", f"--name={role}"]
        create += [f"--constraint=engine.labels.docker.role=={role}"]
        # No overlay network, no registry; the first process of a container ignores SIGTERM.
        create += ["--network=host", "--no-resolve-image", "--stop-signal=KILL", TASK_IMAGE]
        docker.docker(*create)
        transcript.ran("docker", create, "")


def assert_tasks(docker: Dockerd, transcript: Transcript, web: str, db: str) -> None:
    """Wait until the tasks of the two services are in these states."""
    expected = [f"db.1 {db}", f"web.1 {web}"]
    seen = until(lambda: sorted(map(str.strip, docker.docker(*TASKS).splitlines())), expected)
    transcript.ran("docker", TASKS, "\n".join(seen))
    assert seen == expected


@pytest.mark.real_parts
def test_a_tag_of_the_group_decides_where_swarm_runs_a_service(
    group: ScalingGroup, machine: Machine, tmp_path: Path
) -> None:
    transcript = machine.transcript
    transcript.told("An Auto Scaling group starts an instance. It has the group's tags:")
    transcript.seen(f"{key} = {value}" for key, value in sorted(group.of_instance().items()))

    transcript.told("It boots. Before the user's Docker starts, the system runs the service:")
    with machine.booted() as docker:
        assert machine.configured("rancher.environment.DB_HOST", show=True) == "db.internal"
        assert machine.configured("rancher.environment.QUEUE_HOST", show=True) == "mq.internal"
        transcript.told("Docker starts with these arguments. Swarm places services by its labels:")
        assert docker.labels() == {"docker.environment": "production", "docker.role": "web"}
        make_swarm(docker, transcript, tmp_path)
        assert_tasks(docker, transcript, web="Running", db=f'Pending "{NO_NODE}"')

    group.retag("docker.role", "db")
    transcript.told("docker.role becomes db, on the group and on its instance. The next boot:")
    with machine.booted() as docker:
        transcript.told(
            "It is in the swarm as before, with another label. Now the other service runs:"
        )
        assert docker.labels() == {"docker.environment": "production", "docker.role": "db"}
        assert_tasks(docker, transcript, web=f'Pending "{NO_NODE}"', db="Running")

    compare_with_record("\n".join(transcript.lines) + "\n")


def compare_with_record(run: str) -> None:
    before, recorded, after = parts(STORY)
    if os.environ.get("RECORD_STORY") == "1":
        STORY.write_text(f"{before}{FENCE}{run}```{after}")
    else:
        assert run == recorded, f"RECORD_STORY=1 with this test writes {STORY.name} anew"


def parts(page: Path) -> tuple[str, str, str]:
    """Return a page's text before its console, in it, and after it."""
    before, _, rest = page.read_text().partition(FENCE)
    console, _, after = rest.partition("```")
    return before, console, after


def test_what_the_readme_shows_of_the_story_is_in_its_record() -> None:
    section = README.read_text().partition("\n## The story\n")[2].partition("\n## ")[0]
    excerpt = section.partition(FENCE)[2].partition("```")[0].splitlines()
    recorded = iter(parts(STORY)[1].splitlines())
    assert excerpt
    assert [line for line in excerpt if line not in ("", "…") and line not in recorded] == []
