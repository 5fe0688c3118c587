"""Runs that are killed: what the disk is before them, and what they find.

Run as a script it makes such runs, one for each line of its standard input, in a child of its own:
``strace`` kills that at one of the system calls that touch the files.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from failures import in_process
from failures.in_process import GivenEc2, elsewhere, found, stand_in
from machine import MachineDisk
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.hosts.files import FileChange, Files
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.ros import Printed, Ros
from rancheros_ec2_metadata.settings import Settings

# At which call of a kind ``strace`` kills a child, which makes the missing ones before its run.
LAST_CALL = 24

ENV_FILE, FORMER_ENV_FILE = f"{paths.CONF}/ec2.env", f"{paths.CONF}/former.env"
OURS = (paths.STATE, paths.DROP_IN, paths.CLOUD_CONFIG)
WRITTEN = (*OURS, ENV_FILE, FORMER_ENV_FILE)
COPIED = ("cloud-config.d/boot.yml", f"cloud-config.d/{paths.DROP_IN_NAME}", "cloud-config.yml")

KEY = "-----BEGIN EC PRIVATE KEY-----"
CLOUD_CONFIG = f"""\
# written by hand
ssh_authorized_keys: [ssh-ed25519 AAAA]
rancher:
  docker:
    extra_args:
      - --mine  # mine
      - --label=docker.role=of-the-user
  ssh:
    keys:
      ecdsa: |
        {KEY}
"""
OTHERS = "i-0fedcba9876543210"
WEB, DB = {"docker.role": "web", "docker.zone": "1"}, {"docker.role": "db", "docker.disk": "ssd"}
AFTER_WEB = (in_process.INSTANCE, WEB)


@dataclass(frozen=True)
class Scenario:
    """A run that is killed.

    Args:
        tags: what EC2 says to it; None: this is no EC2 instance.
        edits: the list of arguments is in cloud-config.yml, which has to be edited.
        before: on which instance there was a run before it, and its tags; None: there was none.
        lies: ``ros`` reads the labels otherwise than they are written.
        clean: it is the command ``clean``.
        release: RancherOS's; before v0.7 there are two lists.
        env_files: --env-file of the run before it, and its own.
    """

    tags: Mapping[str, str] | None = None
    edits: bool = False
    before: tuple[str, Mapping[str, str]] | None = None
    lies: bool = False
    clean: bool = False
    release: str = "v1.5.8"
    env_files: tuple[str | None, str | None] = (None, None)

    def prepare(self, root: Path) -> MachineDisk:
        """Return the disk as the run finds it."""
        disk = MachineDisk(root, self.release)
        disk.user_data("#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n")
        if self.edits:
            disk.cloud_config(CLOUD_CONFIG)
            disk.path(paths.CLOUD_CONFIG).chmod(0o620)
        if self.before is not None:
            instance, tags = self.before
            machine = Machine("yes", instance, f"ec2-{instance}")
            settings = Settings(root=root, env_file=self.env_files[0])
            ec2 = GivenEc2(found(tags, instance_id=instance))
            earlier = in_process.NOW - timedelta(days=1)
            in_process.run(root, ec2, machine=machine, settings=settings, now=earlier)
        return disk

    def run(self, root: Path, files: Files | None = None) -> None:
        """Do the run that is killed, or the next one, which is the same."""
        if self.clean:
            in_process.clean(root, files)
            return
        settings = Settings(root=root, env_file=self.env_files[1])
        ec2 = GivenEc2(elsewhere() if self.tags is None else found(self.tags))
        ros = lying(root, self.release) if self.lies else None
        in_process.run(root, ec2, files=files, settings=settings, ros=ros)


def lying(root: Path, release: str) -> Ros:
    """Return a ``ros`` that reads every label otherwise than it is written."""
    told = stand_in(root, release).run

    def run(commands: in_process.Commands, seconds: float) -> list[Printed]:
        answers = told(commands, seconds)
        return [Printed(one.status, one.output.replace(b"=db", b"=bd")) for one in answers]

    return Ros("ros", run)


# One for each mechanism.
SCENARIOS = {
    "first": Scenario(WEB, env_files=(None, ENV_FILE)),
    "retagged": Scenario(DB, before=AFTER_WEB, env_files=(FORMER_ENV_FILE, ENV_FILE)),
    "edited": Scenario(WEB, edits=True),
    "edited-again": Scenario(DB, edits=True, before=AFTER_WEB),
    "edited-of-two-lists": Scenario(DB, edits=True, before=AFTER_WEB, release="v0.6.1"),
    "restored-untagged": Scenario({}, edits=True, before=AFTER_WEB),
    "restored-refused": Scenario(DB, edits=True, before=AFTER_WEB, lies=True),
    "baked": Scenario(DB, edits=True, before=(OTHERS, WEB)),
    "removed-elsewhere": Scenario(before=AFTER_WEB, env_files=(ENV_FILE, ENV_FILE)),
    "removed-by-clean": Scenario(edits=True, before=AFTER_WEB, clean=True),
}


class Recorded(Files):
    """Remembers what each file was written as; None is removed."""

    def __init__(self, root: Path) -> None:
        super().__init__(partial(paths.locate, root))
        self.contents: dict[str, set[bytes | None]] = {}

    def write(self, change: FileChange) -> None:
        self.contents.setdefault(change.path, set()).add(change.after)
        super().write(change)


def contents_of(root: Path) -> dict[str, bytes | None]:
    """Return the files that runs write; None where there is none."""
    found = ((path, paths.locate(root, path)) for path in WRITTEN)
    return {path: file.read_bytes() if file.is_file() else None for path, file in found}


def watched(root: Path) -> list[str]:
    """Return the paths whose system calls count: those of conf/ and of the copy."""
    names = [paths.CONF, paths.CLOUD_CONFIG_D, f"{paths.CLOUD_CONFIG_D}/boot.yml"]
    for path in WRITTEN:
        folder, _, name = path.rpartition("/")
        names += [path, f"{folder}/.ec2-metadata.tmp.{name.lstrip('.')}"]
    names += [paths.COPY, *(f"{paths.COPY}/{name}" for name in ("cloud-config.d", *COPIED))]
    return [str(paths.locate(root, name)) for name in names]


def call_in_vain(call: str, where: Path) -> None:
    """Make a system call that changes no file, on a file that is watched, as its folder is."""
    above = where.parent
    folder, file = os.open(above, os.O_RDONLY), os.open(where, os.O_WRONLY)
    calls: dict[str, Callable[[], object]] = {
        "mkdir": above.mkdir,
        "write": lambda: os.write(file, b""),
        "fchmod": lambda: os.fchmod(file, os.fstat(file).st_mode),
        "fsync": lambda: os.fsync(folder),
        "rename": lambda: above.rename(above),
        "unlink": above.unlink,
        "unlinkat": lambda: os.unlink("absent", dir_fd=folder),
        "rmdir": above.rmdir,
    }
    with contextlib.suppress(OSError):
        calls[call]()
    os.close(file)
    os.close(folder)


def make_killed_runs(runs: Mapping[str, Callable[[], object]], watched: Path) -> None:
    """For each line ``SCENARIO CALL NUMBER`` make the run that is killed there; say how it ended.

    The parent may not touch the files: its calls would be counted too.

    Args:
        runs: by the scenario's name.
        watched: one of the files whose calls count.
    """
    for line in sys.stdin:
        name, call, number = line.split()
        child = os.fork()
        if child == 0:
            for _ in range(LAST_CALL - int(number)):
                call_in_vain(call, watched)
            runs[name]()
            os._exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    disk = Path(sys.argv[1])
    make_killed_runs(
        {name: partial(one.run, disk) for name, one in SCENARIOS.items()},
        paths.locate(disk, f"{paths.CLOUD_CONFIG_D}/boot.yml"),
    )
