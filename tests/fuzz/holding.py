"""What must hold after any run, whatever happened in it."""

from __future__ import annotations

import base64
import stat
from typing import Any

from failures.in_process import Booted
from fuzz.owned_machine import CONFIG, USERS_DROP_INS, OwnedMachine
from fuzz.texts import SECRET
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import state as states
from rancheros_ec2_metadata.rancheros.layers import DOCKER, ENVIRONMENT, Layers

Path = tuple[str, ...]


def after_any_run(life: OwnedMachine, users: Layers, now: Layers, log: str) -> None:
    """Check what holds after a run that failed, too.

    Args:
        life: the machine.
        users: what would be in force had the program never run. now: what is.
        log: of the run.
    """
    _files_are_whole(life, users, now)
    _users_things_are_there(life, users, now)
    _no_secret_is_out(life, log)
    assert users.fatal or not now.fatal


def after_an_undisturbed_run(
    life: OwnedMachine, users: Layers, now: Layers, booted: Booted
) -> dict[str, str]:
    """Check what holds where nothing but EC2 went wrong, and return the labels planned."""
    assert booted.plan is not None
    planned = dict(booted.plan.labels)
    _variables_are_as_planned(now, booted)
    _labels_are_of_tags(life, booted, planned)
    assert not (planned and _daemon_json_has_labels(life, users))
    return planned


def after_clean(life: OwnedMachine) -> None:
    """Check that what was the user's is there again, and nothing of ours."""
    assert not life.disk.path(paths.DROP_IN).exists()
    # A file that does not read is left as it is, and what may be ours in it is remembered.
    unread = life.users_layers().only(paths.CLOUD_CONFIG).problems
    assert unread or not life.disk.path(paths.STATE).exists()
    file = life.disk.path(paths.CLOUD_CONFIG)
    left = file.read_bytes() if file.exists() else None
    assert life.reserialised or left == life.users_cloud_config
    users, now = life.users_layers(), life.layers()
    assert life.items(now) == life.items(users)
    assert now.environment() == users.environment()
    assert _rest(now, set()) == _rest(users, set())
    assert list(life.disk.path(paths.CONF).rglob(".ec2-metadata.tmp.*")) == []


def _files_are_whole(life: OwnedMachine, users: Layers, now: Layers) -> None:
    assert now.only(paths.DROP_IN).problems == ()
    assert now.only(paths.CLOUD_CONFIG).problems == users.only(paths.CLOUD_CONFIG).problems
    state = life.disk.path(paths.STATE)
    if state.exists() and not life.state_lost:
        states.parse(state.read_bytes())
    loaded = {
        file.name
        for file in life.disk.path(paths.CLOUD_CONFIG_D).iterdir()
        if file.name != ".hidden.yml" and not file.name.startswith(".ec2-metadata.tmp.")
    }
    assert loaded <= {"boot.yml", *USERS_DROP_INS, paths.DROP_IN_NAME}
    for path in (paths.STATE, paths.DROP_IN, paths.RUNS):
        file = life.disk.path(path)
        assert not file.exists() or stat.S_IMODE(file.stat().st_mode) == 0o600
    config = life.disk.path(paths.CLOUD_CONFIG)
    assert not config.exists() or stat.S_IMODE(config.stat().st_mode) == life.cloud_config_mode


def _users_things_are_there(life: OwnedMachine, users: Layers, now: Layers) -> None:
    ours = now.only(paths.DROP_IN).environment()
    found = now.environment()
    for name, value in users.environment().items():
        assert name in ours or found.get(name) == value, name
    if not life.had_null:
        mine = {config_paths.keys(path) for path in CONFIG}
        assert _rest(now, mine) == _rest(users, mine)


def _variables_are_as_planned(now: Layers, booted: Booted) -> None:
    assert booted.plan is not None
    environment = now.environment()
    for name, value in booted.plan.variables.items():
        assert environment.get(name) == value or f"variable {name} is " in booted.log, name


def _labels_are_of_tags(life: OwnedMachine, booted: Booted, planned: dict[str, str]) -> None:
    assert booted.plan is not None
    complete = booted.plan.state.status == "complete"
    for key, value in planned.items():
        if key.startswith("aws.") or key == "ec2-metadata.status":
            continue  # the program's own
        assert life.settings.is_label(key), key
        assert "=" not in key
        assert not key.lower().startswith(("com.docker.", "io.docker.", "org.dockerproject."))
        assert not complete or life.tags[key] == value, key
    if complete and "no label is set" not in booted.log:
        for key in filter(life.settings.is_label, life.tags):
            left_out = (f"tag {shown(key)} is no label", f"label {shown(key)} is left out")
            assert key in planned or any(text in booted.log for text in left_out), key


def _daemon_json_has_labels(life: OwnedMachine, users: Layers) -> bool:
    """Tell whether Docker will find labels in daemon.json, and refuse any of ours beside them.

    ``write_files`` are written after the program has run, the last one for a path wins.
    """
    written: Any = users.get(("write_files",))
    contents = [
        base64.b64decode(entry["content"]) if "encoding" in entry else entry["content"].encode()
        for entry in written or ()
    ]
    on_disk = life.disk.path(paths.DAEMON_JSON)
    if not contents and on_disk.exists():
        contents = [on_disk.read_bytes()]
    return bool(contents) and b'"labels"' in contents[-1]


def _no_secret_is_out(life: OwnedMachine, log: str) -> None:
    assert SECRET not in log
    for line in log.splitlines():
        assert line.startswith("ec2-metadata: ")
        assert line.isprintable()
    for path in (paths.STATE, paths.DROP_IN, paths.RUNS):
        file = life.disk.path(path)
        assert not file.exists() or SECRET.encode() not in file.read_bytes()


def _rest(layers: Layers, mine: set[Path]) -> Any:
    out = {ENVIRONMENT, *((*DOCKER, key) for key in ("args", "extra_args")), *mine}

    def pruned(node: Any, path: Path) -> Any:
        if not isinstance(node, dict):
            return node
        inner = {k: pruned(v, (*path, k)) for k, v in node.items() if (*path, k) not in out}
        return {k: v for k, v in inner.items() if v not in ({}, None)}

    return pruned(layers.merged, ())
