"""A RancherOS machine on a fake EC2: its boots as far as this program is part of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs import definitions
from machine import MachineDisk
from rancheros_ec2_metadata.boot import boot
from rancheros_ec2_metadata.deadline import Clock
from rancheros_ec2_metadata.edges import Limits, edges
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.rancheros.store import Store
from ros_stand_in.in_effect import dockerd_argv, in_effect
from ros_stand_in.root_folder import executable

RELEASE = "v1.5.8"


@dataclass
class Machine:
    """An instance with RancherOS.

    Args:
        disk: its files.
        imds: its metadata service.
        log: of its last boot.
        status: the exit status of the service's last run.
    """

    disk: MachineDisk
    imds: FakeImds
    log: str = ""
    status: int = 0

    def in_effect(self) -> dict[str, Any]:
        """Return the whole configuration that RancherOS reads now."""
        return in_effect(self.disk.root, RELEASE)

    def variables(self) -> dict[str, str]:
        """Return rancher.environment."""
        return dict(self.in_effect()["rancher"]["environment"])

    @property
    def services(self) -> dict[str, Any]:
        """The services in force."""
        return dict(self.in_effect()["rancher"]["services"])

    def boot(self) -> None:
        """Run the service with the command that is in force."""
        self.run(self.services[definitions.NAME]["command"])

    def run(self, command: str | Sequence[str], *more: str) -> None:
        """Run the service with this command, and with more flags."""
        settings = definitions.settings(
            command,
            f"--root={self.disk.root}",
            f"--ros={executable(self.disk.root, self.disk.root, RELEASE)}",
            *more,
            environ={"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds.url},
        )
        lines = io.StringIO()
        log = Log(lines)
        limits = Limits.of(settings.deadline, 0, Clock())
        boot(settings, edges(settings, log, limits, Store(settings.root)))
        self.log, self.status = lines.getvalue(), log.status()

    def docker_labels(self) -> dict[str, str]:
        """Return the labels that reach dockerd, through a real bash."""
        folder = self.disk.root / "empty"
        folder.mkdir(exist_ok=True)
        argv = dockerd_argv(self.disk.root, RELEASE, folder) or []
        labels = (word.removeprefix("--label=") for word in argv if word.startswith("--label="))
        return dict(label.split("=", 1) for label in labels)

    def environment(self, service: str) -> dict[str, str]:
        """Return the variables that a service is started with after us.

        RancherOS looks up names without a value in rancher.environment, and leaves out those that
        are not there.
        """
        known = self.variables()
        found = {}
        for item in self.services[service].get("environment", []):
            name, equals, value = str(item).partition("=")
            if equals:
                found[name] = value
            elif name in known:
                found[name] = known[name]
        return found


@contextmanager
def machine(
    root: Path, user_data: str, tags: Mapping[str, str], **instance: Any
) -> Iterator[Machine]:
    """Make a machine with this user-data, in a new Auto Scaling group with these tags."""
    disk = MachineDisk(root, RELEASE)
    disk.user_data(user_data)
    launched = FakeInstance(
        tags=tags, role="node", autoscaling_group="group", **{"user_data": user_data, **instance}
    )
    with FakeImds(launched) as imds:
        yield Machine(disk, imds)
