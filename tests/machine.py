"""A RancherOS machine in a temporary folder, as the service's container sees it, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.release import Release, find_release
from ros_stand_in import os_config as stand_in


def release_named(name: str) -> Release:
    """Return the release of this name, as its os-config.yml tells it."""
    return find_release(stand_in.os_config(name))


class MachineDisk:
    """A machine's files below a folder, with the mounts and the link that the service has."""

    def __init__(self, root: Path, version: str | None = "v1.5.8") -> None:
        self.root = root
        (root / f"host{paths.CLOUD_CONFIG_D}").mkdir(parents=True)
        (root / "dev/shm").mkdir(parents=True)
        link = root / paths.CONF.lstrip("/")
        link.parent.mkdir(parents=True)
        link.symlink_to(f"../../..{paths.COPY}")
        if version is not None:
            self.write(paths.OS_CONFIG, stand_in.os_config(version))
        self.write(paths.COMMAND_LINE, "console=ttyS0\n")

    def path(self, path: str) -> Path:
        return paths.locate(self.root, path)

    def write(self, path: str, content: str | bytes) -> Path:
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
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
        """Return each file's inode and bytes, but the state's, which every run writes."""
        return {
            str(file.relative_to(self.root)): (file.stat().st_ino, file.read_bytes())
            for file in sorted(self.root.rglob("*"))
            if file.is_file() and file != self.path(paths.STATE)
        }
