"""One machine with its user, its system and its EC2: what it is, and what happens to it.

Beside the machine it keeps what the user's cloud-config.yml would be had the program never run:
every invariant compares with that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import fake_ros
from failures.in_process import INSTANCE, METADATA, elsewhere, found
from fuzz import texts
from fuzz.texts import SECRET
from machine import MachineDisk
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.errors import ExitStatus, error
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros import state as states
from rancheros_ec2_metadata.rancheros.disk import Disk, read_disk
from rancheros_ec2_metadata.rancheros.layers import Layers, stack
from rancheros_ec2_metadata.rancheros.ros_yaml import UnusableError
from rancheros_ec2_metadata.settings import EnvPrefix, Settings, TagMapping, Template

RELEASES = ("v0.4.5", "v0.6.1", "v0.7.1", "v0.9.2", "v1.0.4", "v1.5.8", "v1.5.8", "v1.5.8", None)
OTHERS = "i-0fedcba9876543210"
CONFIG = ("hostname", "rancher.docker.log_driver", "rancher.sysctl.net.core.somaxconn")
LOST = (error(ExitStatus.INCOMPLETE, "EC2 is not to be had"),)
USERS_DROP_INS = ("user_config.yml", "boot.yml~", ".hidden.yml", "zzz.yml")


class OwnedMachine:
    """A machine and all that is not the program's.

    Args:
        name: of the life; all chance is made of it.
        root: an empty folder.
    """

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root
        self.rng = Random(self.name)
        rng = self.rng
        release = rng.choice(RELEASES)
        self.disk = MachineDisk(self.root, release)
        self.release = releases.of(read_disk(self.root))
        self.keys = self.release.argument_keys
        self.tags = self.some_tags()
        self.machine = Machine("yes", INSTANCE, "ec2-me")
        self.instance = INSTANCE
        self.pending = 0
        self.reserialised = False
        self.had_null = False
        self.state_lost = False
        self.cloud_config_mode = 0o600
        self.users_cloud_config: bytes | None = None
        self.settings = self.some_settings()
        self.users_files()

    # What the machine is.

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def some_tags(self) -> dict[str, str]:
        return texts.tags(self.rng)

    def some_settings(self) -> Settings:
        rng = self.rng
        sampled = [prefix for prefix in ("docker.", "", "app.", "aws:") if self.chance(0.4)]
        mappings = ["app.db.host:DB_HOST", "docker.role:ROLE", "proxy:http_proxy", "missing:NONE"]
        mappings += [f"docker.zone:{path}" for path in CONFIG if self.chance(0.3)]
        templates = [
            "ADVERTISE={AWS_LOCAL_IPV4}:2375",
            "URL=http://{tag:app.db.host}/{{x}}",
            "LOOP={LOOP}{ROLE}",
        ]
        return Settings(
            root=self.root,
            metadata=self.chance(0.8),
            label_prefixes=tuple(sampled or ("docker.",)),
            mappings=tuple(
                TagMapping.parse(text) for text in rng.sample(mappings, rng.randint(0, 3))
            ),
            env_prefixes=(EnvPrefix.parse("app.:APP_"),) if self.chance(0.4) else (),
            templates=tuple(map(Template.parse, rng.sample(templates, rng.randint(0, 2)))),
            metadata_labels=("region", "instance-id") if self.chance(0.2) else (),
            status_label=self.chance(0.2),
            override_local=self.chance(0.2),
        )

    def users_files(self) -> None:
        rng = self.rng
        if self.chance(0.8):
            self.write_user_data()
        for name in USERS_DROP_INS:
            if self.chance(0.12):
                text = texts.cloud_config(rng, self.keys, secret=False)
                self.disk.write(f"{paths.CLOUD_CONFIG_D}/{name}", text)
        if self.chance(0.6):
            self.write_cloud_config(texts.cloud_config(rng, self.keys, secret=True).encode())
        if self.chance(0.1):
            self.disk.write(paths.DAEMON_JSON, rng.choice(('{"labels": []}', '{"debug": true}')))
        if self.chance(0.1):
            self.disk.write(paths.DOCKER_OPTS, "DOCKER_OPTS='--label=docker.role=of-the-user'\n")

    def write_user_data(self) -> None:
        text = texts.cloud_config(self.rng, self.keys, secret=False)
        if self.chance(0.15):
            text += texts.write_files(self.rng)
        self.disk.write(f"{paths.CLOUD_CONFIG_D}/boot.yml", text)

    def write_cloud_config(self, content: bytes) -> None:
        file = self.disk.path(paths.CLOUD_CONFIG)
        file.write_bytes(content)
        self.cloud_config_mode = self.rng.choice((0o600, 0o620, 0o644))
        file.chmod(self.cloud_config_mode)
        self.users_cloud_config = content
        self.reserialised = False
        # A null above the list hides all that weaker files set; an edit of ours takes it out. What
        # the system then merges into it is not comparable.
        self.had_null = content.decode() in texts.NULLS

    def users_disk(self) -> Disk:
        """Return the disk as it would be had the program never run."""
        ours_away = {paths.DROP_IN: None, paths.STATE: None}
        return read_disk(self.root).with_files(
            {**ours_away, paths.CLOUD_CONFIG: self.users_cloud_config}
        )

    def users_layers(self) -> Layers:
        return stack(self.users_disk(), self.release)

    def layers(self) -> Layers:
        return stack(read_disk(self.root), self.release)

    def items(self, layers: Layers) -> tuple[str, ...]:
        return tuple(item for key in self.keys for item in layers.docker_arguments(key))

    # What happens to it between two runs.

    def happens(self) -> None:
        events: Sequence[tuple[float, Callable[[], None]]] = (
            (3, lambda: None),
            (3, self.is_retagged),
            (1, self.is_restarted),
            (1, self.is_copied),
            (1, self.write_user_data),
            (1, self.users_cloud_config_is_edited),
            (1, self.users_cloud_config_is_replaced),
            (1, self.is_reserialised),
            (0.5, self.state_is_lost),
            (0.5, self.settings_change),
        )
        weights = [weight for weight, _ in events]
        self.rng.choices([event for _, event in events], weights)[0]()

    def is_retagged(self) -> None:
        if self.chance(0.3):
            self.tags = self.some_tags()
            return
        for key in list(self.tags):
            if self.chance(0.3):
                del self.tags[key]
        self.tags |= dict(list(self.some_tags().items())[:4])

    def is_restarted(self) -> None:
        self.pending += 1

    def is_copied(self) -> None:
        self.instance = OTHERS if self.instance == INSTANCE else INSTANCE
        known = self.rng.choice(((self.instance, "ec2-me"), (None, "ec2-other"), (None, None)))
        self.machine = Machine("yes", known[0], f"{known[1]}-{self.instance}" if known[1] else None)

    def settings_change(self) -> None:
        self.settings = self.some_settings()

    def misses_variables(self) -> bool:
        """Tell whether a run with --override-local has taken variables out of cloud-config.yml."""
        file = self.disk.path(paths.STATE)
        try:
            return states.parse(file.read_bytes()).removal is not None
        except (FileNotFoundError, states.DamagedStateError):
            return False

    def has_ours(self) -> bool:
        """Tell whether there is something of ours in cloud-config.yml."""
        config = self.disk.path(paths.CLOUD_CONFIG)
        return (config.read_bytes() if config.exists() else None) != self.users_cloud_config

    def users_cloud_config_is_edited(self) -> None:
        """The user adds to the file, and leaves what is ours in it."""
        file = self.disk.path(paths.CLOUD_CONFIG)
        if self.users_cloud_config is None or not file.exists():
            return
        added = b"\n# a comment of the user's\n"
        file.write_bytes(file.read_bytes() + added)
        self.users_cloud_config += added
        # In a text that has changed, what was taken out has no place of its own any more.
        self.reserialised |= self.misses_variables()

    def users_cloud_config_is_replaced(self) -> None:
        if self.misses_variables():
            return  # nothing tells that the user does not want them back
        text = texts.cloud_config(self.rng, self.keys, secret=True)
        while self.has_ours() and "=web" in text:
            # Nobody could tell whether it is the user's or was left of ours.
            text = texts.cloud_config(self.rng, self.keys, secret=True)
        self.write_cloud_config(text.encode())

    def is_reserialised(self) -> None:
        """The system merges something of its own into cloud-config.yml."""
        file = self.disk.path(paths.CLOUD_CONFIG)
        if self.users_cloud_config is None or self.had_null or not file.exists():
            return
        ours = file.read_bytes()
        keys: dict[str, Any] = {"rancher": {"ssh": {"keys": {"rsa": SECRET}}}}
        file.write_bytes(self.users_cloud_config)
        try:
            fake_ros.reserialised(self.root, keys)
        except UnusableError:
            file.write_bytes(ours)
            return
        self.users_cloud_config = file.read_bytes()
        file.write_bytes(ours)
        fake_ros.reserialised(self.root, keys)
        self.reserialised = True
        self.cloud_config_mode = 0o620

    def state_is_lost(self) -> None:
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
        kind = self.rng.choices(
            ("whole", "no-tags", "unread", "part", "silent", "elsewhere"), (8, 1, 1, 1, 1, 0.7)
        )[0]
        if kind == "elsewhere":
            return elsewhere()
        if kind == "silent":
            return found(None, instance_id=None, notes=LOST)
        tags = None if kind == "no-tags" else self.tags
        notes = () if kind == "whole" else LOST
        said = found(
            tags, instance_id=self.instance, started=started, metadata=metadata, notes=notes
        )
        if kind == "part":
            said.variables = {"AWS_REGION": "eu-west-1"}
            said.variables_complete = False
        if kind == "unread" and said.tags:
            gone = self.rng.sample(sorted(said.tags), 1)
            said.tags = {key: value for key, value in said.tags.items() if key not in gone}
            said.unread_tags = dict.fromkeys(gone, "no answer")
            said.tags_complete = False
        return said
