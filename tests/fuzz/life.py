"""The life of one machine: runs of the program, and what goes wrong in them."""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import fake_ros
from failures import in_process
from failures.in_process import Booted, GivenEc2
from fuzz import faults, holding
from fuzz.faults import CutOffError, Faulty
from fuzz.owned_machine import OwnedMachine
from rancheros_ec2_metadata.commands import clean
from rancheros_ec2_metadata.commands.call import Call, Terminal
from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.rancheros.disk import read_disk
from rancheros_ec2_metadata.rancheros.ros import Answer, Ros
from rancheros_ec2_metadata.rancheros.store import Store


@dataclass(frozen=True)
class Started:
    """What dockerd would be started with, to be asked of a bash.

    Args:
        where: the machine and the run.
        users: the items of the user's own files. before: those in force before the run, of which
            a run that is disturbed may leave some. all: those in force.
        planned: our labels; None where the run was disturbed, and what it left is only bounded.
        shell: whether a shell reads them.
    """

    where: str
    users: tuple[str, ...]
    before: tuple[str, ...]
    all: tuple[str, ...]
    planned: dict[str, str] | None
    shell: bool


class Life(OwnedMachine):
    """One machine, and the program on it.

    Attributes:
        started: what is to be asked of a bash.
        runs: how often the program has run.
        log: of the last run.
    """

    def __init__(self, name: str, root: Path) -> None:
        super().__init__(name, root)
        self.started: list[Started] = []
        self.runs = 0
        self.log = ""
        self.before: tuple[str, ...] = ()
        self.ros_is_wrong = False

    def run(self) -> None:
        """Run once, check what must hold whatever happened, and again if nothing did."""
        self.before = self.items(self.layers())
        findings, store, ros = self.findings(), self._store(), self._ros()
        try:
            booted = self._boots(findings, store, ros)
        except CutOffError:
            self._check(None)
            return
        assert booted.status != ExitStatus.BUG
        if (isinstance(store, Faulty) and store.failed) or self.ros_is_wrong:
            self._check(None)
            return
        self._check(booted)
        if isinstance(store, Faulty):
            return  # what somebody else wrote meanwhile may be easier to edit than what was there
        before = self.disk.snapshot()
        again = self._boots(findings, Store(self.root), None)
        assert self.disk.snapshot() == before, "a second run has written"
        assert "wrote no file" in again.log

    def ends(self) -> None:
        """Take everything back: what was the user's is there again."""
        self.runs += 1
        written = io.StringIO()
        log = Log(written)
        given = argparse.Namespace(legacy=False, dry_run=False)
        clean.run(Call(given, self.settings, Terminal({}, io.StringIO(), io.StringIO()), log))
        self.log = written.getvalue()
        holding.after_clean(self)

    def _store(self) -> Store:
        kind = self.rng.random()
        at = self.rng.randint(1, 4)
        if kind < 0.7:
            return Store(self.root)
        if kind < 0.8:
            return Faulty(self.root, at, faults.no_space)
        if kind < 0.9:
            return Faulty(self.root, at, faults.cut_off)
        return Faulty(self.root, at, lambda _: self._interferes())

    def _interferes(self) -> None:
        """Somebody writes cloud-config.yml while the program does; it says the same as before."""
        self.rng.choice((self.is_reserialised, self.users_cloud_config_is_edited))()

    def _ros(self) -> Ros | None:
        kind = self.rng.random()
        self.ros_is_wrong = False
        if kind < 0.6 or not self.release.known:
            return None
        self.ros_is_wrong = kind > 0.85
        reads = faults.misread(self.rng, self._reads) if self.ros_is_wrong else self._reads
        return Ros("ros", reads)

    def _reads(self, command: Sequence[str], limit: Limit) -> Answer:
        printed = fake_ros.ros(read_disk(self.root), self.release.text, command[1:])
        return Answer(printed.status, printed.stdout.encode("utf-8", "surrogatepass"))

    def _boots(self, findings: Facts, store: Store, ros: Ros | None) -> Booted:
        self.runs += 1
        self.log = ""
        booted = in_process.run(
            self.root,
            GivenEc2(findings),
            settings=self.settings,
            machine=self.machine,
            store=store,
            ros=ros,
        )
        self.log = booted.log
        return booted

    def _check(self, booted: Booted | None) -> None:
        """Check what must hold; ``booted`` is None where the run was disturbed."""
        users, now = self.users_layers(), self.layers()
        holding.after_any_run(self, users, now, self.log)
        planned = None
        if booted is not None:
            self.state_lost = False
            planned = holding.after_an_undisturbed_run(self, users, now, booted)
        self.started.append(
            Started(
                f"{self.name}, run {self.runs}",
                self.items(users),
                self.before,
                self.items(now),
                planned,
                self.release.quoting != "raw",
            )
        )
