"""A real dockerd, started as RancherOS starts it: one line of bash."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from real_parts.namespace import Namespace, Started
from real_parts.requirements import DOCKER

READY_SECONDS = 90


class DockerdRefusedError(Exception):
    """dockerd ended, or was not ready in time; the message ends with what it wrote."""


class DockerError(Exception):
    """The docker client failed; the message ends with what it wrote to standard error."""


@dataclass(frozen=True)
class Dockerd:
    """A dockerd that answers.

    Args:
        namespace: where it runs. folder: its own, inside.
    """

    namespace: Namespace
    folder: Path

    @classmethod
    @contextlib.contextmanager
    def started(
        cls,
        namespace: Namespace,
        items: Sequence[str],
        *,
        sourced: Path | None = None,
        cwd: Path | None = None,
    ) -> Iterator[Dockerd]:
        """Start dockerd with RancherOS's Docker arguments, and stop it on leaving.

        From v0.6 on RancherOS joins the items by single spaces into one bash command, with
        ``conf/docker`` sourced before and ``$DOCKER_OPTS`` behind.

        Args:
            namespace: where it runs.
            items: the list of ``rancher.docker.extra_args``, in shell form.
            sourced: the file in the place of ``conf/docker``, if it exists.
            cwd: its working folder; None is this process's.

        Raises:
            DockerdRefusedError: it did not come up.
        """
        made = namespace.run(["mktemp", "--directory", namespace.folder / "dockerd-XXXXXX"])
        dockerd = cls(namespace, Path(made.stdout.strip()))
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log,
            namespace.start(
                ["bash", "-c", dockerd._command(items, sourced)],
                env={k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")},
                cwd=cwd,
                stdout=subprocess.DEVNULL,
                stderr=log,
            ) as process,
        ):
            if not dockerd._ready(process):
                log.seek(0)
                said = "".join(log.readlines()[-20:])
                raise DockerdRefusedError(f"status {process.process.poll()}: {said}")
            yield dockerd
        namespace.run(["rm", "-rf", dockerd.folder])

    def docker(self, *argv: str | Path) -> str:
        """Run the docker client against it and return what it prints.

        Raises:
            DockerError: it failed.
        """
        done = self.namespace.run([*self.client, *argv], seconds=120)
        if done.returncode != 0:
            raise DockerError(f"docker {argv}: status {done.returncode}: {done.stderr}")
        return done.stdout

    def import_busybox(self, name: str, folder: Path) -> None:
        """Make an image of busybox, by way of a file in a folder; a container of it sleeps."""
        archive = folder / "busybox.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add("/bin/busybox", "bin/busybox")
        sleep = '--change=CMD ["/bin/busybox", "sleep", "1000000"]'
        self.docker("import", sleep, archive, name)

    @property
    def client(self) -> list[str]:
        """The docker client's command, for programs inside; it reads no local settings."""
        return [str(DOCKER), f"--config={self.folder}/client", f"--host=unix://{self._socket}"]

    def labels(self) -> dict[str, str]:
        """Return the labels that it reports."""
        listed: list[str] = json.loads(self.docker("info", "--format", "{{json .Labels}}"))
        return {key: value for key, _, value in (label.partition("=") for label in listed)}

    @property
    def _socket(self) -> Path:
        return self.folder / "docker.sock"

    def _command(self, items: Sequence[str], sourced: Path | None) -> str:
        base = shlex.join(
            [
                "dockerd",
                f"--data-root={self.folder}/data",
                f"--exec-root={self.folder}/exec",
                f"--pidfile={self.folder}/pid",
                f"--host=unix://{self._socket}",
                "--iptables=false",
                "--ip-forward=false",
                "--bridge=none",
            ]
        )
        before = f"source {shlex.quote(str(sourced))}; " if sourced and sourced.exists() else ""
        return f"{before}exec {base} {' '.join(items)} $DOCKER_OPTS"

    def _ready(self, process: Started) -> bool:
        ends = time.monotonic() + READY_SECONDS
        while process.running() and time.monotonic() < ends:
            with contextlib.suppress(DockerError):
                self.docker("version")
                return True
            time.sleep(0.05)
        return False
