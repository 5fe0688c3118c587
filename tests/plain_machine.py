"""A machine with systemd and Docker below a folder, and a Docker that behaves as measured."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from failures.in_process import INSTANCE, NOW, GivenEc2, found, list_notes
from rancheros_ec2_metadata.apply import apply, render_last_line
from rancheros_ec2_metadata.commands.clean import clean
from rancheros_ec2_metadata.commands.invocation import Invocation, Process
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.hosts.files import FileChange, Files
from rancheros_ec2_metadata.hosts.systemd import unit_env_file
from rancheros_ec2_metadata.hosts.systemd.docker_unit import Docker, DockerUnit, NoAnswerError
from rancheros_ec2_metadata.hosts.systemd.found_machine import DAEMON_JSON, RECORD, STATE
from rancheros_ec2_metadata.hosts.systemd.systemd_host import SystemdHost
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.runtime import Runtime, Target
from rancheros_ec2_metadata.settings import Settings

DEBIANS = ("/usr/sbin/dockerd", "-H", "fd://", "$DOCKER_OPTS")
STOPPED = DockerUnit("loaded", "inactive", DEBIANS)
ENV_FILE = unit_env_file.PATH
OURS = (DAEMON_JSON, RECORD, STATE, ENV_FILE)


@dataclass
class FakeDocker(Docker):
    """Docker, as docs/plain-hosts.md says that it behaves.

    Args:
        file: its daemon.json.
        unit: as systemd has it; None where systemd does not answer.
        has: its labels.
        refuses: dockerd --validate; returns what it says against a daemon.json.
        is_after_us: the run is in a unit that Docker waits for: a reload comes after it.
        calls: what was asked, by name.
    """

    file: Path
    unit: DockerUnit | None = STOPPED
    has: tuple[str, ...] = ()
    refuses: Callable[[Mapping[str, object]], str | None] = lambda _: None
    is_after_us: bool = False
    calls: list[str] = field(default_factory=list)

    @property
    def active(self) -> str:
        return self.unit.active if self.unit is not None else ""

    def read_unit(self) -> DockerUnit:
        self.calls.append("unit")
        if self.unit is None:
            raise NoAnswerError("systemd does not tell of docker.service: no bus; run 'busctl'")
        return self.unit

    def find_refusal(self, _unit: DockerUnit, content: bytes) -> str | None:
        self.calls.append("validate")
        return self.refuses(json.loads(content))

    def read_labels(self, unit: DockerUnit) -> set[str] | None:
        # To ask another one would start it, or wait for a start that waits for us.
        return {*self.has} if unit.active == "active" else None

    def reload(self) -> None:
        self.calls.append("reload")
        assert self.unit is not None
        assert self.unit.active == "active", "three such reloads fail the start of Docker"
        if not self.is_after_us:
            self.load()

    def start(self) -> None:
        self.unit, self.has = (self.unit or STOPPED)._replace(active="active"), ()
        self.load()

    def load(self) -> None:
        """Read daemon.json as on SIGHUP: without the key the labels stay."""
        tree = json.loads(self.file.read_bytes()) if self.file.exists() else {}
        if "labels" in tree:
            self.has = tuple(tree["labels"] or ())


@dataclass(frozen=True)
class Ran:
    """A run that ended: its exit status, its log, and how often Docker was asked what."""

    status: int
    log: str
    calls: Mapping[str, int]


class PlainMachine:
    """The machine.

    Args:
        root: the folder.
        daemon_json: the user's; None where there is none.
        starts: Docker runs.
        is_made: the folder is one already, and stays as it is.
    """

    def __init__(
        self,
        root: Path,
        daemon_json: str | None = None,
        *,
        starts: bool = False,
        is_made: bool = False,
    ) -> None:
        self.root = root
        for folder in ("etc/docker", "run/systemd/system", "run/metadata"):
            if not is_made:
                (root / folder).mkdir(parents=True)
        if daemon_json is not None:
            self.path(DAEMON_JSON).write_text(daemon_json, newline="")
        self.docker = FakeDocker(self.path(DAEMON_JSON))
        if starts:
            self.docker.start()

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def read(self, path: str = DAEMON_JSON) -> str | None:
        file = self.path(path)
        return file.read_bytes().decode(errors="surrogateescape") if file.is_file() else None

    @property
    def labels(self) -> list[str] | None:
        """The labels of daemon.json; None where it has no such key."""
        found: list[str] | None = json.loads(self.read() or "{}").get("labels")
        return found

    def contents(self) -> dict[str, str | None]:
        return {path: self.read(path) for path in OURS}

    def run(
        self,
        tags: Mapping[str, str] | Facts,
        *,
        settings: Settings | None = None,
        files: Callable[[Callable[[str], Path]], Files] = Files,
        machine: Machine | None = None,
        asks: bool = True,
    ) -> Ran:
        """Run once.

        Args:
            tags: or all that EC2 says.
            settings: of the run.
            files: makes what writes.
            machine: what its firmware says.
            asks: False where there is nobody to ask.

        Raises:
            Ec2MetadataError: as `apply` does.
        """
        facts = tags if isinstance(tags, Facts) else found(tags)
        stream, settings = io.StringIO(), settings or Settings(root=self.root)
        # Time stands still: what a run says of itself is the same each time.
        log, limit = Log(stream), Limit.after(600, Clock(lambda: 0.0))
        log.notes(list_notes(facts))
        host = SystemdHost(self.root, self.docker if asks else None, self._look())
        target = Target(host, files(host.locate), log)
        machine = machine or Machine("yes", INSTANCE, "ec2-1")
        self.docker.calls.clear()
        result = apply(settings, Runtime(target, NOW, machine, GivenEc2(facts), limit, "boot"))
        log.last(render_last_line(result))
        return self._ran(int(result.status), stream)

    def clean(self, files: Callable[[Callable[[str], Path]], Files] = Files) -> Ran:
        stream, out = io.StringIO(), Process({}, io.StringIO(), io.StringIO())
        host = SystemdHost(self.root, self.docker, self._look())
        log, given = Log(stream), argparse.Namespace(dry_run=False, legacy=False)
        call = Invocation(given, Settings(root=self.root), out, log)
        self.docker.calls.clear()
        status = clean(call, Target(host, files(host.locate), log), Limit.after(600, Clock()))
        return self._ran(status, stream)

    def _look(self) -> Limit:
        """Return a limit on a clock that only a sleep moves."""
        now = [0.0]
        clock = Clock(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
        return Limit.after(600, clock)

    def _ran(self, status: int, stream: io.StringIO) -> Ran:
        calls = self.docker.calls
        return Ran(status, stream.getvalue(), {name: calls.count(name) for name in calls})


class Watched(Files):
    """Calls with the machine's path after each file that is written."""

    def __init__(self, locate: Callable[[str], Path], after: Callable[[FileChange], None]) -> None:
        super().__init__(locate)
        self._after = after

    def write(self, change: FileChange) -> None:
        super().write(change)
        self._after(change)
