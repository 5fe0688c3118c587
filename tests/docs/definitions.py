"""Every definition of our service that is offered for pasting, and what it must be."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from docs.pages import ROOT, blocks
from rancheros_ec2_metadata import command_line
from rancheros_ec2_metadata.settings import Settings

SERVICE_FILE = ROOT / "service/ec2-metadata.yml"
NAME = "ec2-metadata"
IMAGE = "rancheros-ec2-metadata"
# Tags of the README's group, and the labels that come of them.
TAGS = {
    "docker.environment": "production",
    "docker.role": "web",
    "example.db.host": "db.internal",
    "example.queue.host": "mq.internal",
}
LABELS = {key: value for key, value in TAGS.items() if key.startswith("docker.")}


@dataclass(frozen=True)
class CloudConfig:
    """A cloud-config, from a page or a file."""

    source: str
    text: str

    def __str__(self) -> str:
        return self.source

    @property
    def services(self) -> dict[str, Any]:
        """The services in it."""
        rancher = yaml.safe_load(self.text).get("rancher", {})
        found: dict[str, Any] = rancher.get("services", {})
        return found


@dataclass(frozen=True)
class Definition:
    """One definition of a service of ours, whole."""

    source: str
    service: Mapping[str, Any]

    def __str__(self) -> str:
        return self.source

    @property
    def by_cron(self) -> bool:
        """Whether it is run by RancherOS's cron, not at boot."""
        return "cron.schedule" in self.service["labels"]


def cloud_configs() -> Iterator[CloudConfig]:
    """Yield the cloud-configs of the pages and the examples."""
    for block in blocks("yaml"):
        if block.text.startswith("#cloud-config\n"):
            yield CloudConfig(str(block), block.text)
    for file in sorted((ROOT / "examples").glob("*/user-data*.yml")):
        yield CloudConfig(str(file.relative_to(ROOT)), file.read_text("utf-8"))


def from_page(name: str) -> CloudConfig:
    """Return the one cloud-config of a page."""
    (config,) = (one for one in cloud_configs() if one.source.startswith(f"{name}:"))
    return config


def definitions() -> Iterator[Definition]:
    """Yield the service file's definition and those in the cloud-configs."""
    file = yaml.safe_load(SERVICE_FILE.read_text("utf-8"))
    yield Definition(str(SERVICE_FILE.relative_to(ROOT)), file[NAME])
    for config in cloud_configs():
        for service in config.services.values():
            if f"/{IMAGE}:" in service["image"]:
                yield Definition(config.source, service)


def words(command: str | Sequence[str]) -> list[str]:
    """Return the words of a service's command, as libcompose splits it."""
    return shlex.split(command) if isinstance(command, str) else list(command)


def settings(
    command: str | Sequence[str],
    *more: str,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings that a service's command gives, as the program reads it.

    Raises:
        UsageError: the program would not take it.
    """
    return command_line.parse([*words(command), *more], environ or {}).settings
