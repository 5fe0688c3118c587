"""A RancherOS machine in a temporary folder, as the service's container sees it, for tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.release import Release, find_release
from ros_stand_in import os_config as stand_in
from ros_stand_in import root_folder, served
from ros_stand_in.loading import Disk


def release_named(name: str) -> Release:
    """Return the release of this name, as its os-config.yml tells it."""
    return find_release(stand_in.os_config(name))


class MachineDisk:
    """A machine's files below a folder, with the mounts and the link that the service has.

    Args:
        root: the folder.
        version: what os-config.yml says; None where it is not mounted.
        in_container: False for the machine's own files, without mounts and link.
    """

    def __init__(
        self, root: Path, version: str | None = "v1.5.8", *, in_container: bool = True
    ) -> None:
        self.root = root
        self.release = version or "v1.5.8"
        mounted = "host" if in_container else ""
        for folder in (paths.CLOUD_CONFIG_D, paths.DOCKER_FOLDER):
            (root / f"{mounted}{folder}".lstrip("/")).mkdir(parents=True)
        if in_container:
            (root / "dev/shm").mkdir(parents=True)
            link = root / paths.CONF.lstrip("/")
            link.parent.mkdir(parents=True)
            link.symlink_to(f"../../..{paths.COPY}")
        if version is not None:
            self.write(paths.OS_CONFIG, stand_in.os_config(version))
        self.write(paths.COMMAND_LINE, "console=ttyS0\n")

    def read(self) -> Disk:
        """Return what ``ros`` reads on the machine itself, outside of the container."""
        seen, machine = root_folder.read_disk(self.root), self.root / "host"
        return (
            replace(seen, files=root_folder.read_disk(machine).files) if machine.is_dir() else seen
        )

    def ros(self) -> Path:
        """Return a stand-in for ``ros``, as a program, that reads what it finds below the root."""
        folder = self.root.with_name(f"{self.root.name}-programs")
        folder.mkdir(exist_ok=True)
        return served.executable(folder, self.root, self.release)

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
