"""Other ways to a machine than a script in user-data."""

from __future__ import annotations

from pathlib import Path

import pytest

from real_parts.instance_imds import InstanceImds
from real_parts.polling import until
from systemd import installed
from systemd.booted import Booted
from systemd.installed import SERVICE

pytestmark = pytest.mark.systemd_host

WEB = {"docker.role": "web"}
INSTALL = "python3 /srv/ec2-docker-labels.pyz install -t docker."
BOOTHOOK = f"#cloud-boothook\n#!/bin/sh\n{INSTALL}\n"
RUNCMD = f"#cloud-config\nruncmd:\n- {INSTALL}\n- systemctl --no-block restart docker.service\n"
DOCKER = ("docker.service", "docker.socket")


@pytest.mark.parametrize("user_data", [BOOTHOOK, RUNCMD], ids=["boothook", "runcmd"])
def test_docker_is_labelled_without_a_reload(
    user_data: str, machine: Booted, tmp_path: Path
) -> None:
    machine.set_user_data(user_data)
    with InstanceImds.started(machine.namespace, {"tags": WEB}, tmp_path) as imds:
        machine.boot()
        assert until(machine.labels, WEB) == WEB
        assert "Reload" not in machine.journal("--unit=docker.service", "--boot")
        imds.show({"tags": {"docker.role": "db"}})
        machine.reboot()
        assert machine.labels() == {"docker.role": "db"}
    machine.power_off()


def test_labels_wait_for_docker_and_are_there_at_its_first_start(
    machine: Booted, tmp_path: Path
) -> None:
    root = machine.root
    aside = root / "srv/units"
    aside.mkdir()
    for name in DOCKER:
        (root / "usr/lib/systemd/system" / name).rename(aside / name)
    for script in root.glob("etc/init.d/docker"):
        script.rename(aside / "docker")
    with InstanceImds.started(machine.namespace, {"tags": WEB}, tmp_path):
        machine.boot()
        installed.install(machine)
        assert until(lambda: "exit 0" in machine.journal(f"--unit={SERVICE}"), expected=True)
        assert "labels wait: there is no docker.service yet" in machine.journal()
        assert not (root / "etc/docker/daemon.json").exists()
        assert 'EC2_METADATA_STATUS="complete"' in machine.run("cat", "/run/metadata/ec2")

        # As its package is installed.
        for name in DOCKER:
            (aside / name).rename(root / "usr/lib/systemd/system" / name)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", "docker.service")
        assert machine.labels() == WEB
    machine.power_off()
