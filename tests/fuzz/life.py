"""The life of one machine: its user, its system and its EC2, and runs of the program on it.

Beside the machine it keeps what the user's files would be had the program never run: every
invariant compares with that, through the stand-in for ``ros``.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from failures import in_process
from failures.in_process import INSTANCE, METADATA, Booted, GivenEc2, elsewhere, found
from fuzz import texts
from fuzz.texts import SECRET
from machine import MachineDisk
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, quote
from rancheros_ec2_metadata.hosts.files import FileChange, Files
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.ros import Printed, Ros
from rancheros_ec2_metadata.hosts.state import parse_state
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.settings import EnvPrefix, Settings, TagMapping, Template
from ros_stand_in import in_effect, root_folder
from ros_stand_in.loading import Disk

RELEASES = ("v0.4.5", "v0.6.1", "v0.7.1", "v0.9.2", "v1.0.4", "v1.5.8", "v1.5.8", "burmilla-master")
OTHERS = "i-0fedcba9876543210"
CONFIG = ("hostname", "rancher.docker.log_driver", "rancher.sysctl.net.core.somaxconn")
USERS_DROP_INS = ("user_config.yml", "boot.yml~", ".hidden.yml", "zzz.yml", "00-image.yml")
CLOUD_CONFIG = "cloud-config.yml"


class CutOffError(BaseException):
    """The run was killed."""


class Faulty(Files):
    """A disk on which one write goes wrong.

    Args:
        root: of the machine. at: the number of that write.
        fault: called before it; what it raises, the write raises.
    """

    def __init__(self, root: Path, at: int, fault: Callable[[FileChange], None]) -> None:
        super().__init__(partial(paths.locate, root))
        self._left = at
        self._fault = fault
        self.failed = False

    def write(self, change: FileChange) -> None:
        self._left -= 1
        if self._left == 0:
            self.failed = True
            self._fault(change)
            self.failed = False
        super().write(change)


def no_space(change: FileChange) -> None:
    raise FilesError(f"{change.path} could not be written: No space left; it is as it was")


def cut_off(_: FileChange) -> None:
    raise CutOffError


@dataclass(frozen=True)
class Started:
    """What dockerd would be started with, to be asked of a bash.

    Args:
        where: the machine and the run.
        users: the items of the user's own files. before: those in effect before the run, of which
            a run that is disturbed may leave some. all: those in effect.
        planned: our labels; None where the run was disturbed, and what it left is only bounded.
        shell: whether a shell reads them.
    """

    where: str
    users: tuple[str, ...]
    before: tuple[str, ...]
    all: tuple[str, ...]
    planned: dict[str, str] | None
    shell: bool


@dataclass(frozen=True)
class Before:
    """The machine before a run: Docker's arguments, all that ``ros`` reads, our variables."""

    items: tuple[str, ...]
    tree: dict[str, Any] | None
    variables: set[str]


class Life:
    """One machine, and the program on it; all chance is made of its name.

    Attributes:
        started: what is to be asked of a bash.
        runs: how often the program has run. labelled, refused: how many of these ended so.
        log: of the last run.
    """

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        self.rng = Random(name)
        self.release = self.rng.choice(RELEASES)
        self.disk = MachineDisk(root, self.release)
        self.keys = (
            ("args", "extra_args") if self.release[:4] in ("v0.4", "v0.6") else ("extra_args",)
        )
        self.machine = Machine("yes", INSTANCE, "ec2-me")
        self.instance, self.pending = INSTANCE, 0
        self.reserialised = self.state_lost = False
        self.users_cloud_config: bytes | None = None
        self.cloud_config_mode = 0o600
        self.tags = texts.tags(self.rng)
        self.settings = self._some_settings()
        self._make_users_files()
        self.started: list[Started] = []
        self.runs = self.labelled = self.refused = 0
        self.log = ""
        self.ros_fails = False

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    # What the machine is.

    def _some_settings(self) -> Settings:
        rng = self.rng
        prefixes = [prefix for prefix in ("docker.", "", "app.", "aws:") if self.chance(0.4)]
        mappings = ["app.db.host:DB_HOST", "docker.role:ROLE", "proxy:http_proxy", "missing:NONE"]
        mappings += [f"docker.zone:{path}" for path in CONFIG if self.chance(0.3)]
        templates = [
            "ADVERTISE={AWS_LOCAL_IPV4}:2375",
            "URL=http://{tag:app.db.host}/{{x}}",
            "LOOP={LOOP}{ROLE}",
        ]
        chosen = rng.sample(mappings, rng.randint(0, 3))
        return Settings(
            root=self.root,
            metadata=self.chance(0.8),
            label_prefixes=tuple(prefixes or ("docker.",)),
            mappings=tuple(map(TagMapping.parse, chosen)),
            env_prefixes=(EnvPrefix.parse("app.:APP_"),) if self.chance(0.4) else (),
            templates=tuple(map(Template.parse, rng.sample(templates, rng.randint(0, 2)))),
            metadata_labels=("region", "instance-id") if self.chance(0.2) else (),
            status_label=self.chance(0.2),
        )

    def _make_users_files(self) -> None:
        rng = self.rng
        if self.chance(0.8):
            self._write_user_data()
        if self.release not in RELEASES[:3] and self.chance(0.9):
            self._write("cloud-config.d/init.yml", texts.INIT)
        for name in USERS_DROP_INS:
            if self.chance(0.12):
                text = texts.cloud_config(rng, self.keys, secret=False)
                self._write(f"cloud-config.d/{name}", text)
        if self.chance(0.6):
            self._write_cloud_config(texts.cloud_config(rng, self.keys, secret=True))
        self._make_systems_files()

    def _make_systems_files(self) -> None:
        rng = self.rng
        if self.chance(0.3):
            self.disk.write(paths.OEM_CONFIG, texts.oem(rng))
        if self.chance(0.1):
            self.disk.write(paths.DAEMON_JSON, rng.choice(('{"labels": []}', '{"debug": true}')))
        if self.chance(0.1):
            self._write("docker", "DOCKER_OPTS='--label=docker.role=of-the-user'\n")
        if self.chance(0.4):
            self._write("metadata", rng.choice(texts.METADATA))
        if self.chance(0.1):
            line = rng.choice(texts.COMMAND_LINES)
            self.disk.write(paths.COMMAND_LINE, f"console=ttyS0 {line}\n")

    def _write(self, name: str, text: str) -> None:
        self.disk.write(f"{paths.CONF}/{name}", text)

    def _write_user_data(self) -> None:
        text = texts.cloud_config(self.rng, self.keys, secret=False)
        if self.chance(0.15):
            text += texts.write_files(self.rng)
        self._write("cloud-config.d/boot.yml", text)

    def _write_cloud_config(self, text: str) -> None:
        self._write(CLOUD_CONFIG, text)
        file = self.disk.path(paths.CLOUD_CONFIG)
        self.cloud_config_mode = self.rng.choice((0o600, 0o620, 0o644))
        file.chmod(self.cloud_config_mode)
        self.users_cloud_config = file.read_bytes()
        self.reserialised = False

    def now(self) -> Disk:
        """Return what ``ros`` reads on the machine."""
        with reading(self.root):
            return root_folder.read_disk(self.root)

    def without_us(self) -> Disk:
        """Return what ``ros`` would read had the program never run."""
        now = self.now()
        files = {k: v for k, v in now.files.items() if k != f"cloud-config.d/{paths.DROP_IN_NAME}"}
        files.pop(CLOUD_CONFIG, None)
        if self.users_cloud_config is not None:
            files[CLOUD_CONFIG] = self.users_cloud_config
        return Disk(files, now.os_config, now.oem, now.cmdline)

    def items(self, disk: Disk) -> tuple[str, ...]:
        tree = read(disk, self.release)
        docker = tree["rancher"].get("docker") if tree else None
        return tuple(x for key in self.keys for x in ((docker or {}).get(key) or ()))

    # What happens to it between two runs.

    def happens(self) -> None:
        events: Sequence[tuple[float, Callable[[], None]]] = (
            (3, lambda: None),
            (3, self._is_retagged),
            (1, self._is_restarted),
            (1, self._is_copied),
            (1, self._write_user_data),
            (1, self._cloud_config_is_edited),
            (1, self._cloud_config_is_replaced),
            (1, self._is_reserialised),
            (0.5, self._state_is_lost),
            (0.5, self._settings_change),
        )
        weights = [weight for weight, _ in events]
        self.rng.choices([event for _, event in events], weights)[0]()

    def _is_retagged(self) -> None:
        if self.chance(0.3):
            self.tags = texts.tags(self.rng)
            return
        self.tags = {k: v for k, v in self.tags.items() if not self.chance(0.3)}
        self.tags |= dict(list(texts.tags(self.rng).items())[:4])

    def _is_restarted(self) -> None:
        self.pending += 1

    def _is_copied(self) -> None:
        self.instance = OTHERS if self.instance == INSTANCE else INSTANCE
        known = self.rng.choice(((self.instance, "ec2-me"), (None, "ec2-other"), (None, None)))
        self.machine = Machine("yes", known[0], f"{known[1]}-{self.instance}" if known[1] else None)

    def _settings_change(self) -> None:
        self.settings = self._some_settings()

    def has_ours(self) -> bool:
        """Tell whether there is something of ours in cloud-config.yml."""
        config = self.disk.path(paths.CLOUD_CONFIG)
        return (config.read_bytes() if config.exists() else None) != self.users_cloud_config

    def _cloud_config_is_edited(self) -> None:
        """The user adds to the file, and leaves what is ours in it."""
        file = self.disk.path(paths.CLOUD_CONFIG)
        if self.users_cloud_config is not None and file.exists():
            added = b"\n# a comment of the user's\n"
            file.write_bytes(file.read_bytes() + added)
            self.users_cloud_config += added

    def _cloud_config_is_replaced(self) -> None:
        text = texts.cloud_config(self.rng, self.keys, secret=True)
        while self.has_ours() and "=web" in text:
            # Nobody could tell whether it is the user's or was left of ours.
            text = texts.cloud_config(self.rng, self.keys, secret=True)
        self._write_cloud_config(text)

    def _is_reserialised(self) -> None:
        """The system merges something of its own into cloud-config.yml."""
        file = self.disk.path(paths.CLOUD_CONFIG)
        if self.users_cloud_config is None or not file.exists():
            return
        keys: dict[str, Any] = {"rancher": {"ssh": {"keys": {"rsa": SECRET}}}}
        ours = file.read_bytes()
        file.write_bytes(self.users_cloud_config)
        with reading(self.root):
            root_folder.reserialised(self.root, keys)
            changed = file.read_bytes()
            if changed == self.users_cloud_config:
                file.write_bytes(ours)
                return
            self.users_cloud_config = changed
            file.write_bytes(ours)
            root_folder.reserialised(self.root, keys)
        self.reserialised = True
        self.cloud_config_mode = 0o620

    def _state_is_lost(self) -> None:
        """It happens where nothing of ours is in cloud-config.yml: else nobody knows it as ours."""
        if self.has_ours():
            return
        file = self.disk.path(paths.STATE)
        self.state_lost = True
        if self.chance(0.5):
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(self.rng.choice((b"", b"{", b"[1]", b'{"schema": "x"}')))
            file.chmod(0o600)

    # What EC2 says.

    def findings(self) -> Facts:
        started = f"2026-01-0{1 + self.pending % 9}T08:00:00Z"
        metadata = {**METADATA, "AWS_INSTANCE_ID": self.instance, "AWS_HOSTNAME": "ip-é"}
        kinds = ("whole", "no-tags", "unread", "part", "silent", "elsewhere")
        kind = self.rng.choices(kinds, (8, 1, 1, 1, 1, 0.7))[0]
        if kind == "elsewhere":
            return elsewhere()
        if kind == "silent":
            return found(None, instance_id=None)
        said = found(
            None if kind == "no-tags" else self.tags,
            instance_id=self.instance,
            started=started,
            metadata=metadata,
        )
        if kind == "part":
            said = said._replace(variables={"AWS_REGION": "eu-west-1"}, variables_complete=False)
        if kind == "unread" and said.tags:
            gone = self.rng.sample(sorted(said.tags), 1)
            said = said._replace(
                tags={key: value for key, value in said.tags.items() if key not in gone},
                unread_tags=dict.fromkeys(gone, "no answer"),
            )
        return said

    # Runs.

    def run(self) -> None:
        """Run once, check what must hold whatever happened, and again if nothing did."""
        before = Before(
            self.items(self.now()), read(self.now(), self.release), set(self.disk.variables())
        )
        findings, files, ros = self.findings(), self._some_files(), self._some_ros()
        try:
            booted = self._boot(findings, files, ros)
        except CutOffError:
            self._check(None, before)
            return
        assert booted.status != ExitStatus.BUG
        if isinstance(files, Faulty) and files.failed:
            self._check(None, before)
            return
        self._check(booted, before)
        if isinstance(files, Faulty) or self.ros_fails:
            return  # what somebody else wrote meanwhile may be easier to edit than what was there
        there = self.disk.snapshot()
        again = self._boot(findings, Files(partial(paths.locate, self.root)), ros)
        assert self.disk.snapshot() == there, "a second run has written"
        assert again.status == booted.status
        is_overridden = again.plan is not None and again.plan.overridden
        assert again.rounds <= 1 or again.status == ExitStatus.FILES or is_overridden

    def end(self) -> None:
        """Remove everything: what was the user's is there again."""
        self.runs += 1
        self.log = in_process.clean(self.root)
        self._check_cleaned()

    def _some_files(self) -> Files:
        kind, at = self.rng.random(), self.rng.randint(1, 4)
        if kind < 0.7:
            return Files(partial(paths.locate, self.root))
        if kind < 0.8:
            return Faulty(self.root, at, no_space)
        if kind < 0.9:
            return Faulty(self.root, at, cut_off)
        return Faulty(self.root, at, lambda _: self._interfere())

    def _interfere(self) -> None:
        """Somebody writes cloud-config.yml while the program does; it says the same as before."""
        self.rng.choice((self._is_reserialised, self._cloud_config_is_edited))()

    def _some_ros(self) -> Ros:
        self.ros_fails = self.chance(0.1)
        if not self.ros_fails:
            return in_process.stand_in(self.root, self.release)
        status = self.rng.choice((0, 0, 1, None))
        output = self.rng.choice((f"[{SECRET}]\n".encode(), b"\xff\n", f"- {SECRET}: [\n".encode()))
        return Ros("ros", lambda commands, _: [Printed(status, output) for _ in commands])

    def _boot(self, findings: Facts, files: Files, ros: Ros) -> Booted:
        self.runs += 1
        self.log = ""
        booted = in_process.run(
            self.root,
            GivenEc2(findings),
            settings=self.settings,
            machine=self.machine,
            files=files,
            ros=ros,
        )
        self.log = booted.log
        return booted

    # What must hold.

    def _check(self, booted: Booted | None, before: Before) -> None:
        """Check a run; ``booted`` is None where it was disturbed."""
        users, now = self.without_us(), self.now()
        self._check_files()
        self._check_secrets()
        variables = set(self.disk.variables())
        if booted is None:
            variables |= before.variables
        theirs, there = (rest_of(read(x, self.release), variables) for x in (users, now))
        planned = None
        if booted is None:
            # Of the exception below; and without an answer of `ros` variables are set all the same.
            half = ("args" in self.keys and not now.oem) or self.ros_fails
            assert there in (theirs, rest_of(before.tree, variables)) or before.tree is None or half
        elif read(users, self.release) is None:
            assert not booted.plan or not booted.plan.after.labels
        elif not self.ros_fails:
            self.state_lost = False
            assert there == theirs or is_restored(self.keys, users, now, self.release), "the rest"
            planned = self._check_labels(booted, users, now)
            self._check_variables(booted, now)
        elif booted.plan is not None and not booted.plan.after.labels:
            planned = {}
        self.started.append(
            Started(
                f"{self.name}, run {self.runs}",
                self.items(users) or restored_args(self.keys, users, now, self.release),
                before.items,
                self.items(now),
                planned,
                self.release != "v0.4.5",
            )
        )

    def _check_files(self) -> None:
        state = self.disk.path(paths.STATE)
        if state.exists() and not self.state_lost:
            parse_state(state.read_bytes())
        folder = self.disk.path(paths.CLOUD_CONFIG_D)
        names = {
            file.name
            for file in folder.iterdir()
            if not file.name.startswith((".hidden.yml", ".ec2-metadata.tmp."))
        }
        assert names <= {"boot.yml", "init.yml", *USERS_DROP_INS, paths.DROP_IN_NAME}
        for path in (paths.STATE, paths.DROP_IN):
            file = self.disk.path(path)
            assert not file.exists() or stat.S_IMODE(file.stat().st_mode) == 0o600
        config = self.disk.path(paths.CLOUD_CONFIG)
        assert not config.exists() or stat.S_IMODE(config.stat().st_mode) == self.cloud_config_mode

    def _check_secrets(self) -> None:
        assert SECRET not in self.log
        for line in self.log.splitlines():
            assert line.startswith("ec2-metadata: ")
            assert line.isprintable()
        for path in (paths.STATE, paths.DROP_IN):
            file = self.disk.path(path)
            assert not file.exists() or SECRET.encode() not in file.read_bytes()

    def _check_labels(self, booted: Booted, users: Disk, now: Disk) -> dict[str, str] | None:
        assert booted.plan is not None
        # What a file has twice, by its user's hand and the system's, cannot be taken out.
        stay = any("items of an earlier run stay" in note.text for note in booted.plan.notes)
        planned = dict(booted.plan.after.labels)
        wanted = booted.plan.desired.labels
        if planned:
            self.labelled += 1
        elif any("no label is set" in note.text for note in booted.plan.notes):
            self.refused += 1
            assert booted.status == ExitStatus.FILES
            assert booted.outcome in ("partial", "none")
            assert (
                stay
                or self.items(now) == self.items(users)
                or is_restored(self.keys, users, now, self.release)
            )
        complete = booted.plan.state.status == "complete"
        for key, value in planned.items():
            assert wanted[key] == value
            if key.startswith("aws.") or key == "ec2-metadata.status":
                continue  # the program's own
            assert self.settings.is_label(key), key
            assert "=" not in key
            assert not complete or self.tags[key] == value, key
        if complete:
            for key in filter(self.settings.is_label, self.tags):
                left_out = (f"tag {quote(key)} cannot", f"label {quote(key)} is left out")
                assert key in planned or any(text in self.log for text in left_out), key
        return None if stay else planned

    def _check_variables(self, booted: Booted, now: Disk) -> None:
        assert booted.plan is not None
        tree = read(now, self.release)
        environment = (tree or {}).get("rancher", {}).get("environment") or {}
        for name, value in booted.plan.after.variables.items():
            assert environment.get(name) == value or name in booted.plan.overridden, name

    def _check_cleaned(self) -> None:
        assert not self.disk.path(paths.DROP_IN).exists()
        file = self.disk.path(paths.CLOUD_CONFIG)
        left = file.read_bytes() if file.exists() else None
        assert self.reserialised or left == self.users_cloud_config
        assert list(self.disk.path(paths.CONF).rglob(".ec2-metadata.tmp.*")) == []
        if "items of an earlier run stay" not in self.log:
            assert read(self.now(), self.release) == read(self.without_us(), self.release)
            assert not self.disk.path(paths.STATE).exists()


class reading:  # noqa: N801 - a context, named for what is done in it
    """While it lasts, ``ros`` reads the machine's own files, as outside of the container."""

    def __init__(self, root: Path) -> None:
        self._link = root / paths.CONF.lstrip("/")
        self._copy = self._link.readlink()

    def __enter__(self) -> None:
        self._link.unlink()
        self._link.symlink_to(f"../../../host{paths.CONF}")

    def __exit__(self, *_: object) -> None:
        self._link.unlink()
        self._link.symlink_to(self._copy)


def read(disk: Disk, release: str) -> dict[str, Any] | None:
    """Return what ``ros`` reads; None where every question fails."""
    try:
        return in_effect.in_effect(disk, release)
    except in_effect.UnreadableError:
        return None


def rest_of(tree: Any, variables: Collection[str]) -> Any:
    """Return all that ``ros`` reads but the argument lists and what is ours by name."""
    ours: set[tuple[str, ...]] = {("rancher", "docker", key) for key in ("args", "extra_args")}
    ours |= {("rancher", "environment", name) for name in variables}
    ours |= {config_paths.keys(path) for path in CONFIG}
    above = {path[:depth] for path in ours for depth in range(1, len(path))}

    def pruned(node: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(node, dict) or path not in {(), *above}:
            return node
        inner = {k: pruned(v, (*path, k)) for k, v in node.items() if (*path, k) not in ours}
        return {k: v for k, v in inner.items() if v or (*path, k) not in above}

    return pruned(tree, ())


def restored_args(keys: Sequence[str], users: Disk, now: Disk, release: str) -> tuple[str, ...]:
    """Return os-config.yml's ``args`` where a null of the user's had hidden them before v0.7."""
    if not is_restored(keys, users, now, release):
        return ()
    tree = read(Disk({}, now.os_config, b"", now.cmdline), release)
    return tuple(tree["rancher"]["docker"]["args"]) if tree else ()


def is_restored(keys: Sequence[str], users: Disk, now: Disk, release: str) -> bool:
    """Tell whether this is the one exception: empty args are os-config.yml's again."""
    theirs, there = read(users, release), read(now, release)
    if "args" not in keys or now.oem or theirs is None or there is None:
        return False
    docker: Mapping[str, Any] = theirs["rancher"].get("docker") or {}
    return not docker.get("args") and bool(there["rancher"]["docker"].get("args"))
