"""Labels from elsewhere, beside which a real dockerd refuses ours: it starts all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.rancheros import paths
from real_parts.dockerd import Dockerd, DockerdRefusedError
from real_parts.namespace import Namespace
from ros_stand_in import in_effect

OURS = {"docker.role": "web", "docker.x": "y"}


def booted(disk: MachineDisk) -> tuple[int, list[str]]:
    """Run the program, and return its status and Docker's arguments."""
    with FakeImds(FakeInstance(tags=OURS)) as imds:
        status = program.run(disk, imds=imds).status
    return status, in_effect.docker_arguments(disk.read(), disk.release)


@pytest.mark.real_parts
def test_labels_in_daemon_json_that_user_data_will_write_cost_ours_and_docker_starts(
    namespace: Namespace, tmp_path: Path
) -> None:
    file = tmp_path / "daemon.json"
    content = json.dumps({"labels": ["mine=1"]})
    file.write_text(content)
    item = f"--config-file={file}"
    with (
        pytest.raises(DockerdRefusedError, match="labels"),
        Dockerd.started(namespace, [item, "--label=docker.role=web"]),
    ):
        pass
    disk = MachineDisk(tmp_path / "disk")
    written = [{"path": str(file), "content": content}]
    docker = {"rancher": {"docker": {"extra_args": [item]}}, "write_files": written}
    disk.user_data(json.dumps(docker))
    status, items = booted(disk)
    assert status == 5
    with Dockerd.started(namespace, items) as dockerd:
        assert dockerd.labels() == {"mine": "1"}


@pytest.mark.real_parts
def test_a_label_in_docker_opts_costs_ours_of_that_key_alone_and_docker_starts(
    namespace: Namespace, tmp_path: Path
) -> None:
    disk = MachineDisk(tmp_path / "disk")
    sourced = disk.write(paths.DOCKER_OPTS, 'DOCKER_OPTS="--label=docker.role=db"\n')
    with (
        pytest.raises(DockerdRefusedError, match=r"docker\.role"),
        Dockerd.started(namespace, ["--label=docker.role=web"], sourced=sourced),
    ):
        pass
    status, items = booted(disk)
    assert status == 5
    with Dockerd.started(namespace, items, sourced=sourced) as dockerd:
        assert dockerd.labels() == {"docker.role": "db", "docker.x": "y"}
