"""The commands of a RancherOS machine, as far as the pages use them.

Called as ``python stand_ins.py NAME ARGUMENT…`` by the scripts that machine_shell.py puts on the
PATH. The machine is a folder; what is started at its boots is in files of its own beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from docs import definitions
from e2e import program
from machine import MachineDisk
from rancheros_ec2_metadata import __version__
from ros_stand_in.in_effect import dockerd_argv, in_effect
from ros_stand_in.root_folder import main, reserialised

REPOSITORY = Path(__file__).parents[2]
ROOT = Path(os.environ.get("MACHINE", ""))
BESIDE = Path(os.environ.get("MACHINE_BESIDE", ""))
IMDS = os.environ.get("MACHINE_IMDS", "")
RELEASE = "v1.5.8"
IMAGE = f"example/{definitions.IMAGE}:{__version__}"
ROS = "/usr/bin/ros"


def here(path: str) -> Path:
    return ROOT / path.lstrip("/")


def service(name: str) -> Mapping[str, Any] | None:
    """Return a service's definition: of the configuration, or of a file that was enabled."""
    rancher = in_effect(ROOT, RELEASE)["rancher"]
    if name in rancher["services"]:
        return dict(rancher["services"][name])
    for file, enabled in rancher["services_include"].items():
        if enabled and file.startswith("/"):
            in_file = yaml.safe_load(here(file).read_text("utf-8"))
            if name in in_file:
                return dict(in_file[name])
    return None


def reboot(_: Sequence[str]) -> int:
    """Boot again: our service, if there is one, then Docker."""
    if service(definitions.NAME) is not None:
        start(definitions.NAME)
    return docker_starts()


def start(name: str) -> int:
    defined = service(name)
    assert defined is not None, f"no service {name}"
    assert defined["image"] == IMAGE
    done = contained(definitions.words(defined["command"]), defined["volumes"], network=True)
    (BESIDE / "log").write_text(done.stderr)
    return done.returncode


def contained(
    command: Sequence[str], volumes: Sequence[str], *, network: bool
) -> subprocess.CompletedProcess[str]:
    """Run the program as in a container: it sees the mounts, and nothing else of the machine."""
    with TemporaryDirectory(dir=BESIDE) as folder:
        root = Path(folder) / "root"
        machine = MachineDisk(root, None)
        # What a mount brings is not there without it.
        shutil.rmtree(root / "host")
        env = {"PATH": "/nowhere", "AWS_METADATA_ROOT": str(root)}
        if any(volume.split(":")[1] == ROS for volume in volumes):
            env["AWS_METADATA_ROS"] = str(machine.ros())
        if network:
            env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = IMDS
        else:
            env["AWS_EC2_METADATA_DISABLED"] = "true"
        with mounted(volumes, root):
            return program.ended(program.command(*command), env=env, cwd=REPOSITORY)


@contextmanager
def mounted(volumes: Iterable[str], root: Path) -> Iterator[None]:
    """Put folders of the machine below another root for a while, as ``-v`` does."""
    pairs = [volume.split(":")[:2] for volume in volumes]
    places = {here(there): root / at.lstrip("/") for there, at in pairs if here(there).exists()}
    for there, at in places.items():
        at.parent.mkdir(parents=True, exist_ok=True)
        there.rename(at)
    try:
        yield
    finally:
        for there, at in places.items():
            at.rename(there)


def system_docker(arguments: Sequence[str]) -> int:
    match arguments:
        case ["run", *rest]:
            return run(rest)
        case ["start", "--attach", name]:
            status = start(name)
            sys.stderr.write((BESIDE / "log").read_text())
            return status
        case ["logs", definitions.NAME]:
            sys.stderr.write((BESIDE / "log").read_text())
            return 0
        case ["restart", "docker"]:
            return docker_starts()
    raise AssertionError(f"system-docker {arguments}: not known here")


def run(arguments: Sequence[str]) -> int:
    left, volumes, network = list(arguments), [], False
    while (word := left.pop(0)).startswith("-"):
        if word == "-v":
            volumes.append(left.pop(0))
        elif word.startswith("--volumes-from="):
            other = service(word.partition("=")[2])
            assert other is not None
            volumes += other["volumes"]
        elif word == "--net=host":
            network = True
        else:
            assert word == "--rm", word
    assert word == IMAGE
    done = contained(left, volumes, network=network)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


def ros(arguments: Sequence[str]) -> int:
    match arguments:
        case ["service", "enable" | "disable" as what, name]:
            assert not name.startswith("/") or name.startswith("/var/lib/rancher/conf/")
            tree = {"rancher": {"services_include": {name: what == "enable"}}}
            reserialised(ROOT, tree)
            return 0
    return main(str(ROOT), RELEASE, list(arguments))


def docker_starts() -> int:
    empty = BESIDE / "empty"
    empty.mkdir(exist_ok=True)
    argv = dockerd_argv(ROOT, RELEASE, empty) or []
    labels = [word.removeprefix("--label=") for word in argv if word.startswith("--label=")]
    (BESIDE / "labels").write_text(json.dumps(labels))
    return 0


def docker(arguments: Sequence[str]) -> int:
    match arguments:
        case ["run", "--rm", "-i", image, "check", *rest] if image == IMAGE:
            return subprocess.run(program.command("check", *rest), check=False).returncode
    assert list(arguments) == ["info", "--format", "{{json .Labels}}"]
    sys.stdout.write((BESIDE / "labels").read_text() + "\n")
    return 0


def ec2_docker_labels(arguments: Sequence[str]) -> int:
    """Run the program on another machine, which has systemd and nothing that could be asked."""
    env = {
        "AWS_METADATA_HOST": "systemd",
        "AWS_METADATA_ROOT": str(BESIDE / "systemd"),
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": IMDS,
    }
    return subprocess.run(
        program.command(*arguments), env=env, cwd=REPOSITORY, check=False
    ).returncode


COMMANDS = {
    "reboot": reboot,
    "system-docker": system_docker,
    "ros": ros,
    "docker": docker,
    "ec2-docker-labels": ec2_docker_labels,
}

if __name__ == "__main__":
    sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))
