"""A RancherOS disk in a temporary folder, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.release import Release
from ros_stand_in.os_config import os_config as whole_os_config

OS_CONFIG = """\
rancher:
  environment:
    VERSION: {version}
    SUFFIX: ""
    REGISTRY_DOMAIN: docker.io
  docker:
    {args}group: docker
"""
ARGS = """\
args: [daemon, --log-opt, max-size=25m, -s, overlay, -G, docker, -H, 'unix:///var/run/docker.sock']
    """


def os_config(version: str = "v1.5.8") -> str:
    """Return an os-config.yml as a release has it, as far as it matters here."""
    has_args = version.startswith(("v0.4", "v0.5", "v0.6"))
    if version.startswith(("v0.4", "v0.5")):
        image = f"rancher/os-console:{version}"
        services = f"  services:\n    console:\n      image: {image}\n"
        return "rancher:\n" + services + f"  docker:\n    {ARGS if has_args else ''}group: docker\n"
    return OS_CONFIG.format(version=version, args=ARGS if has_args else "")


def release_named(name: str) -> Release:
    """Return the release of this name, as the program finds it in an os-config.yml."""
    return releases.of(Disk({paths.OS_CONFIG: whole_os_config(name)}))


class MachineDisk:
    """A machine's files below a folder."""

    def __init__(self, root: Path, version: str | None = "v1.5.8") -> None:
        self.root = root
        self.path(paths.CLOUD_CONFIG_D).mkdir(parents=True)
        if version is not None:
            self.write(paths.OS_CONFIG, os_config(version))
        self.write(paths.COMMAND_LINE, "console=ttyS0\n")

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def write(self, path: str, content: str | bytes) -> Path:
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode() if isinstance(content, str) else content
        target.write_bytes(raw)
        return target

    def user_data(self, content: str) -> None:
        self.write(f"{paths.CLOUD_CONFIG_D}/boot.yml", content)

    def cloud_config(self, content: str) -> None:
        self.write(paths.CLOUD_CONFIG, content)

    def drop_in(self) -> dict[str, Any]:
        """Return our drop-in, as any JSON parser reads it; empty where there is none."""
        file = self.path(paths.DROP_IN)
        if not file.exists():
            return {}
        lines = file.read_text("ascii").splitlines()
        found: dict[str, Any] = json.loads("".join(x for x in lines if not x.startswith("#")))
        return found

    def extra_args(self) -> list[str]:
        found: list[str] = self.drop_in().get("rancher", {}).get("docker", {}).get("extra_args", [])
        return found

    def variables(self) -> dict[str, str]:
        found: dict[str, str] = self.drop_in().get("rancher", {}).get("environment", {})
        return found

    def snapshot(self) -> dict[str, tuple[int, bytes]]:
        """Return each file's inode and bytes, without the history, which every run writes."""
        runs = self.path(paths.RUNS)
        return {
            str(file.relative_to(self.root)): (file.stat().st_ino, file.read_bytes())
            for file in sorted(self.root.rglob("*"))
            if file.is_file() and file != runs
        }
