"""Runs that are killed on a host with systemd: what the disk is before them, and what they find.

Run as a script it makes such runs as ``failures.scenarios`` does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from failures.in_process import elsewhere
from failures.scenarios import make_killed_runs
from plain_machine import OURS, PlainMachine, Ran, Watched
from rancheros_ec2_metadata.hosts.files import FileChange

OTHER = "/etc/docker/key.json"
USERS = '{\n  "labels": [ "mine=1", "docker.role=web" ],\n  "debug": true\n}'
WEB = {"docker.role": "web", "docker.zone": "1"}
DB = {"docker.role": "db", "docker.zone": "1"}


@dataclass(frozen=True)
class Scenario:
    """A run that is killed.

    Args:
        tags: what EC2 says to it; None: this is no EC2 instance.
        users: the user's daemon.json.
        before: the tags of the runs before it.
        clean: it is the command ``clean``.
        stays: labels that are never absent.
        runs: Docker does, with the labels of the run before.
    """

    tags: Mapping[str, str] | None
    users: str | None = USERS
    before: tuple[Mapping[str, str], ...] = ()
    clean: bool = False
    stays: frozenset[str] = frozenset({"mine=1"})
    runs: bool = True

    def prepare(self, root: Path) -> PlainMachine:
        """Return the machine as the run finds it."""
        machine = PlainMachine(root, self.users, starts=self.runs)
        machine.path(OTHER).touch()
        for tags in self.before:
            machine.run(tags)
        return machine

    def run(self, root: Path, after: Callable[[FileChange], None] = lambda _: None) -> Ran:
        """Do the run that is killed, or the next one, which is the same."""
        machine = PlainMachine(root, is_made=True)
        if self.runs:
            machine.docker.start()
        machine.docker.has = (*machine.docker.has, "of=before") if self.before else ()
        files = partial(Watched, after=after)
        if self.clean:
            return machine.clean(files)
        return machine.run(elsewhere() if self.tags is None else self.tags, files=files)


SCENARIOS = {
    "plain-first": Scenario(WEB),
    "plain-new-file": Scenario(WEB, None, stays=frozenset()),
    "plain-retagged": Scenario(
        DB, before=(WEB,), stays=frozenset({"mine=1", "docker.zone=1"}), runs=False
    ),
    "plain-retagged-reloaded": Scenario(
        DB, None, before=(WEB,), stays=frozenset({"docker.zone=1"})
    ),
    "plain-untagged": Scenario({}, before=(DB,)),
    "plain-emptied": Scenario({}, '{"debug": true}', before=(WEB,), stays=frozenset()),
    "plain-emptied-new-file": Scenario({}, None, before=(WEB,), stays=frozenset()),
    "plain-elsewhere": Scenario(None, before=(WEB,), runs=False),
    "plain-clean": Scenario(None, before=(DB,), clean=True, runs=False),
}


def watched(root: Path) -> list[str]:
    """Return the paths whose system calls count."""
    found = {OTHER}
    for path in OURS:
        folder, _, name = path.rpartition("/")
        found |= {folder, path, f"{folder}/.ec2-metadata.tmp.{name.lstrip('.')}"}
    return [f"{root}{path}" for path in sorted(found)]


if __name__ == "__main__":
    disk = Path(sys.argv[1])
    make_killed_runs(
        {name: partial(one.run, disk) for name, one in SCENARIOS.items()},
        disk / OTHER.lstrip("/"),
    )
