"""An EC2 instance that boots RancherOS: its metadata service at the real addresses, its disk."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from real_parts.dockerd import Dockerd
from real_parts.namespace import IMDS_IPV4, IMDS_IPV6, Namespace
from ros_stand_in import in_effect


@dataclass(frozen=True)
class Ec2Instance:
    """A machine whose metadata service runs.

    Args:
        namespace: where its addresses are.
        disk: its files, those of the firmware among them.
        folder: in which the program and dockerd run.
    """

    namespace: Namespace
    disk: MachineDisk
    folder: Path

    @classmethod
    @contextlib.contextmanager
    def started(
        cls,
        namespace: Namespace,
        described: FakeInstance,
        folder: Path,
        addresses: Sequence[str] = (IMDS_IPV4, IMDS_IPV6),
    ) -> Iterator[Ec2Instance]:
        """Start the metadata service at port 80 of its addresses, stop it on leaving."""
        data = folder / "instance.json"
        data.write_text(json.dumps(asdict(described)))
        disk = MachineDisk(folder / "disk")
        program.on_ec2(disk, described.instance_id)
        working = folder / "working"
        working.mkdir()
        with contextlib.ExitStack() as stopped:
            served = [
                stopped.enter_context(
                    namespace.start(
                        program.command("fake-imds", "--listen", listen, "--data", str(data)),
                        env=program.environment(),
                        stderr=subprocess.PIPE,
                    )
                )
                for listen in map(_port_80, addresses)
            ]
            for started in served:
                assert started.process.stderr is not None
                line = started.process.stderr.readline()
                assert line.startswith("the metadata of"), line
            yield cls(namespace, disk, working)

    def boot(self, *flags: str, **variables: str) -> program.Ran:
        """Run the program as at a boot: no endpoint of the metadata service is set."""
        argv = program.command(*flags, *program.machine_flags(self.disk))
        environment = program.environment(**variables)
        return program.Ran.of(self.namespace.run(argv, env=environment, cwd=self.folder))

    def docker_arguments(self) -> list[str]:
        """Return what ``ros`` on the machine reads as Docker's arguments."""
        return in_effect.docker_arguments(self.disk.read(), self.disk.release)

    def environment(self) -> dict[str, str]:
        """Return what ``ros`` on the machine reads as the variables of services."""
        return in_effect.environment(self.disk.read(), self.disk.release)

    def docker_labels(self) -> Mapping[str, str]:
        """Start dockerd through bash with its arguments, return the labels it reports."""
        items = self.docker_arguments()
        with Dockerd.started(self.namespace, items, cwd=self.folder) as dockerd:
            return dockerd.labels()


def _port_80(address: str) -> str:
    return f"[{address}]:80" if ":" in address else f"{address}:80"
