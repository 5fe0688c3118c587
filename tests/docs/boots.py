"""A RancherOS machine on a fake EC2: its boots as far as this program is part of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs import definitions
from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from ros_stand_in import in_effect

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
        return in_effect.in_effect(self.disk.read(), RELEASE)

    def variables(self) -> dict[str, str]:
        """Return rancher.environment."""
        return in_effect.environment(self.disk.read(), RELEASE)

    @property
    def services(self) -> dict[str, Any]:
        """The services in effect."""
        return dict(self.in_effect()["rancher"]["services"])

    def boot(self) -> None:
        """Run the service with the command that is in effect."""
        self.run(self.services[definitions.NAME]["command"])

    def run(self, command: str | Sequence[str], *more: str) -> None:
        """Run the service with this command, and with more flags."""
        ran = program.run(self.disk, *definitions.words(command), *more, imds=self.imds)
        self.log, self.status = ran.err, ran.status

    def docker_labels(self) -> dict[str, str]:
        """Return the labels that reach dockerd, through a real bash."""
        folder = self.disk.root / "empty"
        folder.mkdir(exist_ok=True)
        argv = in_effect.dockerd_argv(self.disk.read(), RELEASE, folder) or []
        labels = (word.removeprefix("--label=") for word in argv if word.startswith("--label="))
        return dict(label.split("=", 1) for label in labels)

    def environment(self, service: str) -> dict[str, str]:
        """Return the variables that a service is started with after us.

        RancherOS looks up names without a value in rancher.environment, and leaves out those that
        are not there.
        """
        found, variables = {}, self.variables()
        for item in self.services[service].get("environment", []):
            name, equals, value = str(item).partition("=")
            if equals:
                found[name] = value
            elif name in variables:
                found[name] = variables[name]
        return found


@contextmanager
def machine(
    root: Path, user_data: str, tags: Mapping[str, str], **instance: Any
) -> Iterator[Machine]:
    """Make a machine with this user-data, in a new Auto Scaling group with these tags."""
    disk = MachineDisk(root / "machine", RELEASE)
    disk.user_data(user_data)
    launched = FakeInstance(
        tags=tags, role="node", autoscaling_group="group", **{"user_data": user_data, **instance}
    )
    with FakeImds(launched) as imds:
        yield Machine(disk, imds)
