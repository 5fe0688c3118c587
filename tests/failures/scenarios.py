"""Runs that are killed: what the disk is before them, and what they find.

Run as a script it makes such runs, one for each line of its standard input, in a child of its own:
``strace`` kills that at one of the system calls that touch the files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.ros import Answer, Ros
from rancheros_ec2_metadata.rancheros.store import Store

from failures import in_process
from failures.in_process import GivenEc2, elsewhere, found
from machine import MachineDisk
from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.settings import Settings

# At which of a child's calls ``strace`` kills it. A child makes as many calls less before its run.
LAST_CALL = 200

ENV_FILE, FORMER_ENV_FILE = f"{paths.CONF}/ec2.env", f"{paths.CONF}/former.env"
OURS = (paths.STATE, paths.DROP_IN, paths.CLOUD_CONFIG)
WRITTEN = (*OURS, ENV_FILE, FORMER_ENV_FILE)

CLOUD_CONFIG = """\
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
        -----BEGIN EC PRIVATE KEY-----
"""
# Variables that an edit takes out: for --override-local, and for being the 2016 tool's.
MINE = CLOUD_CONFIG + "  environment: {MINE: '1', AWS_REGION: of-the-user}\n"
LEGACY = (
    CLOUD_CONFIG
    + """\
  environment:
    AWS_INSTANCE_ID: i-of-2016
    AWS_SECRET_ACCESS_KEY: of-2016
    MINE: '1'
"""
)
# A null above the list: the edit puts the list in its place.
NULL = "rancher:\n  docker:\nhostname: mine\n"
OTHERS = "i-0fedcba9876543210"


@dataclass(frozen=True)
class Scenario:
    """A run that is killed.

    Args:
        name: for the log.
        findings: what EC2 says to it.
        edits: what the user has in cloud-config.yml, a list of its own among it; None: no file.
        before: what EC2 said to the run before it, on which machine; None: there was none.
        misread: ``ros`` does not read what was written, so that it is put back.
        clean: it is the command ``clean``.
        release: RancherOS's; before v0.7 there are two lists.
        override: with --override-local.
        env_files: --env-file of the run before it, and its own.
    """

    name: str
    findings: Mapping[str, str] | None
    edits: str | None = None
    before: tuple[str, Mapping[str, str]] | None = None
    misread: bool = False
    clean: bool = False
    release: str = "v1.5.8"
    override: bool = False
    env_files: tuple[str | None, str | None] = (None, None)

    def __str__(self) -> str:
        return self.name

    def prepare(self, root: Path) -> MachineDisk:
        """Return the disk as the run finds it."""
        disk = MachineDisk(root, self.release)
        disk.user_data("#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n")
        if self.edits is not None:
            disk.cloud_config(self.edits)
            disk.path(paths.CLOUD_CONFIG).chmod(0o620)
        if self.before is not None:
            instance, tags = self.before
            machine = Machine("yes", instance, f"ec2-{instance}")
            ec2 = GivenEc2(found(tags, instance_id=instance))
            settings = self._settings(root, self.env_files[0])
            in_process.run(root, ec2, machine=machine, settings=settings)
        return disk

    def run(self, root: Path, store: Store | None = None) -> None:
        """Do the run that is killed."""
        if self.clean:
            in_process.clean(root, store)
            return
        ros = Ros("ros", _blind(root)) if self.misread else None
        settings = self._settings(root, self.env_files[1])
        in_process.run(root, self._ec2(), store=store, ros=ros, settings=settings)

    def run_next(self, root: Path) -> None:
        """Do the run after it: the same, with files that are read as they are."""
        if self.clean:
            in_process.clean(root)
        else:
            settings = self._settings(root, self.env_files[1])
            in_process.run(root, self._ec2(), settings=settings)

    def _settings(self, root: Path, env_file: str | None) -> Settings:
        return Settings(root=root, override_local=self.override, env_file=env_file)

    def _ec2(self) -> GivenEc2:
        return GivenEc2(elsewhere() if self.findings is None else found(self.findings))


def _blind(root: Path) -> Callable[[Sequence[str], Limit], Answer]:
    """Return a ``ros`` that reads the user's files well, and ours not at all."""

    def run(command: Sequence[str], limit: Limit) -> Answer:
        items = b"[--debug]"
        if (root / paths.CLOUD_CONFIG.lstrip("/")).exists():
            items = b"[--mine, --label=docker.role=of-the-user]"
        return Answer(0, items + b"\n\n" if command[-1].endswith("args") else b"{}\n\n")

    return run


WEB, DB = {"docker.role": "web", "docker.zone": "1"}, {"docker.role": "db", "docker.disk": "ssd"}
AFTER_WEB = (in_process.INSTANCE, WEB)
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("first", WEB),
        Scenario("first-with-edit", WEB, edits=CLOUD_CONFIG),
        Scenario("first-in-a-null", WEB, edits=NULL),
        Scenario("first-of-two-lists", WEB, edits=CLOUD_CONFIG, release="v0.6.1"),
        Scenario("first-overriding", WEB, edits=MINE, override=True),
        Scenario("first-after-2016", WEB, edits=LEGACY),
        Scenario("retagged", DB, before=AFTER_WEB),
        Scenario("retagged-with-edit", DB, edits=CLOUD_CONFIG, before=AFTER_WEB),
        Scenario("retagged-overriding", DB, edits=MINE, before=AFTER_WEB, override=True),
        Scenario("untagged-with-edit", {}, edits=CLOUD_CONFIG, before=AFTER_WEB),
        Scenario("baked", DB, edits=CLOUD_CONFIG, before=(OTHERS, WEB)),
        Scenario("moved-elsewhere", None, edits=CLOUD_CONFIG, before=AFTER_WEB),
        Scenario("put-back", WEB, edits=CLOUD_CONFIG, misread=True),
        Scenario("clean", WEB, before=AFTER_WEB, clean=True),
        Scenario("clean-with-edit", WEB, edits=CLOUD_CONFIG, before=AFTER_WEB, clean=True),
        Scenario("clean-of-a-null", WEB, edits=NULL, before=AFTER_WEB, clean=True),
        Scenario(
            "clean-of-overriding", WEB, edits=MINE, before=AFTER_WEB, clean=True, override=True
        ),
        Scenario("first-with-env-file", WEB, env_files=(None, ENV_FILE)),
        Scenario("other-env-file", DB, before=AFTER_WEB, env_files=(FORMER_ENV_FILE, ENV_FILE)),
        Scenario("elsewhere-with-env-file", None, before=AFTER_WEB, env_files=(ENV_FILE, ENV_FILE)),
    )
}


@dataclass
class Recorded(Store):
    """Remembers what each file was written as; None is removed."""

    root: Path
    contents: dict[str, set[bytes | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.root)

    def write(self, change: FileChange) -> None:
        self.contents.setdefault(change.path, set()).add(change.after)
        super().write(change)


def contents_of(root: Path) -> dict[str, bytes | None]:
    """Return the files that runs write; None where there is none."""
    found = ((path, root / path.lstrip("/")) for path in WRITTEN)
    return {path: file.read_bytes() if file.exists() else None for path, file in found}


def watched(root: Path) -> list[str]:
    """Return the paths whose system calls count: all below conf/ that a run can touch."""
    names = [paths.CONF, paths.CLOUD_CONFIG_D, paths.DOCKER_OPTS]
    names.append(f"{paths.CLOUD_CONFIG_D}/boot.yml")
    for path in (*WRITTEN, paths.RUNS):
        folder, _, name = path.rpartition("/")
        names += [path, f"{folder}/.ec2-metadata.tmp.{name.lstrip('.')}"]
    return [str(root / name.lstrip("/")) for name in names]


def main(root: Path) -> None:
    """For each line ``SCENARIO NUMBER`` make the run that is killed at that call; say how it ended.

    The parent may not touch the files: its calls would be counted too.
    """
    conf = root / paths.CONF.lstrip("/")
    for line in sys.stdin:
        name, number = line.split()
        child = os.fork()
        if child == 0:
            for _ in range(LAST_CALL - int(number)):
                conf.stat()
            SCENARIOS[name].run(root)
            os._exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
