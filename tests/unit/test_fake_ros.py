"""What other tests rely on in the fake ``ros`` that the vectors do not show."""

from __future__ import annotations

import stat
from pathlib import Path

import yaml

import fake_ros
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.ros import Ros

CONF = paths.CLOUD_CONFIG.lstrip("/")


def test_the_system_writes_cloud_config_anew(tmp_path: Path) -> None:
    text = "# mine\nrancher:\n  docker: {extra_args: [--host=$private_ipv4, 0123]}\n"
    fake_ros.machine(tmp_path, "v1.5.8", {"cloud-config.yml": text})
    fake_ros.reserialised(tmp_path, {"rancher": {"docker": {"tls": True}, "console": "x"}})
    file = tmp_path / CONF
    assert file.read_text() == (
        "rancher:\n  console: x\n  docker:\n    extra_args:\n    - --host=$private_ipv4\n    - 83\n"
        "    tls: true\n"
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o620
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_system_makes_cloud_config_where_there_is_none(tmp_path: Path) -> None:
    fake_ros.machine(tmp_path, "v1.5.8", {"cloud-config.d/boot.yml": "{}"})
    fake_ros.reserialised(tmp_path, {"rancher": {"ssh": {"keys": {"rsa": "a\nb\n"}}, "x": [[1]]}})
    read = yaml.safe_load((tmp_path / CONF).read_text())
    assert read == {"rancher": {"ssh": {"keys": {"rsa": "a\nb\n"}}, "x": [[1]]}}


def test_the_fake_knows_the_machines_addresses(tmp_path: Path) -> None:
    boot = "rancher:\n  environment: {A: '$private_ipv4:80'}\n"
    fake_ros.machine(tmp_path, "v1.5.8", {"cloud-config.d/boot.yml": boot})
    path = fake_ros.executable(tmp_path, tmp_path, "v1.5.8", {"$private_ipv4": "10.0.0.1"})
    environment = Ros(str(path)).map("rancher.environment", Limit.after(60, Clock()))
    assert environment["A"] == "10.0.0.1:80"
