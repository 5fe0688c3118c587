"""A boot is a real one: user-data writes a unit, which comes before Docker at each boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from real_parts.instance_imds import InstanceImds
from systemd.booted import Booted

pytestmark = pytest.mark.systemd_host

# Docker's restart waits for the unit. It is not waited for: the boot would wait for itself.
USER_DATA = """\
#cloud-config
write_files:
- path: /usr/local/bin/label
  permissions: "0755"
  content: |
    #!/bin/sh
    set -eu
    role=$(busybox wget -qO- http://169.254.169.254/latest/meta-data/tags/instance/docker.role)
    mkdir -p /etc/docker
    echo "{\\"labels\\": [\\"docker.role=$role\\"]}" >/etc/docker/daemon.json
- path: /etc/systemd/system/label.service
  content: |
    [Unit]
    Before=docker.service
    [Service]
    Type=oneshot
    ExecStart=/usr/local/bin/label
    [Install]
    WantedBy=docker.service
runcmd:
- systemctl daemon-reload
- systemctl enable label.service
- systemctl --no-block restart docker.service
"""


def test_a_unit_from_user_data_labels_docker_with_a_tag_at_boot_1_and_boot_2(
    machine: Booted, tmp_path: Path
) -> None:
    machine.set_user_data(USER_DATA)
    with InstanceImds.started(machine.namespace, tagged("web"), tmp_path) as imds:
        machine.boot()
        assert machine.labels() == {"docker.role": "web"}
        imds.show(tagged("db"))
        machine.reboot()
        assert machine.labels() == {"docker.role": "db"}
    machine.power_off()


def tagged(role: str) -> dict[str, object]:
    return {"tags": {"docker.role": role}, "imds": {"tokens": "optional"}}
