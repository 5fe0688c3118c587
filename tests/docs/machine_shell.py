"""A shell on a RancherOS machine made of stand-ins, where the commands of the pages are run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from docs import stand_ins
from docs.pages import ROOT
from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

# Paths belong to the machine, not to the one who runs the tests; the stand-ins know that.
SUDO = """\
#!/bin/sh
case $1 in ros | system-docker | reboot) exec "$@" ;; esac
for word; do
    case $word in /var/* | /etc/docker* | /usr/share/ros*) word=$MACHINE$word ;; esac
    set -- "$@" "$word"
    shift
done
exec "$@"
"""


class Shell:
    """A login on a machine.

    Args:
        folder: an empty one.
        imds: the machine's metadata service.
        user_data: what it has come up with; None: it has none.
    """

    def __init__(self, folder: Path, imds: FakeImds, user_data: str | None) -> None:
        self.disk = MachineDisk(folder / "machine", stand_ins.RELEASE, in_container=False)
        if user_data is not None:
            self.disk.user_data(user_data)
        self.home = folder / "home"
        self._beside = folder / "beside"
        programs = folder / "programs"
        for made in (self.home, self._beside, programs):
            made.mkdir()
        shutil.copy(ROOT / "service/ec2-metadata.yml", self.home)
        self._env = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}",
            "MACHINE": str(self.disk.root),
            "MACHINE_BESIDE": str(self._beside),
            "MACHINE_IMDS": imds.url,
        }
        (programs / "sudo").write_text(SUDO)
        (programs / "sudo").chmod(0o755)
        for name in stand_ins.COMMANDS:
            self._program(programs / name, f"{sys.executable} {stand_ins.__file__} {name}")
        # The program calls ros with an environment of its own.
        settings = " ".join(f"{k}={v}" for k, v in self._env.items() if k != "PATH")
        self.disk.path("/usr/bin").mkdir(parents=True)
        ros = f"env {settings} {sys.executable} {stand_ins.__file__} ros"
        self._program(self.disk.path("/usr/bin/ros"), ros)

    def _program(self, file: Path, command: str) -> None:
        file.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        file.chmod(0o755)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run one command line, as somebody who pastes it."""
        return program.ended(["bash", "-c", command], env=self._env, cwd=self.home)

    def boot(self) -> None:
        """Start the machine, again or for the first time."""
        self.run("sudo reboot").check_returncode()

    @property
    def docker_labels(self) -> list[str]:
        """The labels that Docker was started with."""
        found: list[str] = json.loads((self._beside / "labels").read_text())
        return found
