"""A ``ros`` for tests: answers from the files below a folder as the real one of a release does.

It stands on the program's own layer model; both are held against what real ones printed
(tests/contract).
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from candied_emitter import emitted
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros import trees
from rancheros_ec2_metadata.rancheros.disk import Disk, read_disk
from rancheros_ec2_metadata.rancheros.layers import DOCKER, ENVIRONMENT, Layers, stack
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.rancheros.ros_scalars import text_of
from rancheros_ec2_metadata.rancheros.ros_yaml import ADDRESS_VARIABLES, Node, parse
from rancheros_ec2_metadata.rancheros.trees import Path as Keys

RELEASES = ("v0.4.5", "v0.6.1", "v0.7.1", "v0.9.2", "v1.0.4", "v1.5.8", "burmilla-master")

DEFAULT_ARGS = (
    *("daemon", "--log-opt", "max-size=25m", "--log-opt", "max-file=2", "-s", "overlay"),
    *("-G", "docker", "-H", "unix:///var/run/docker.sock"),
)


@dataclass(frozen=True)
class Printed:
    """What a call of ``ros`` prints, and its exit status."""

    status: int
    stdout: str = ""
    stderr: str = ""


def os_config(release: str) -> bytes:
    """Return what matters here of a release's own os-config.yml."""
    known = releases.of(Disk(), f"version {release} from os image x")
    rancher: dict[str, dict[str, object]] = {"docker": {}}
    if "args" in known.argument_keys:
        rancher["docker"]["args"] = list(DEFAULT_ARGS)
    if known.quoting == "raw":
        rancher["services"] = {"console": {"image": f"rancher/os-console:{release}"}}
    else:
        rancher["environment"] = {"SUFFIX": "", "VERSION": release}
    if known.version and known.version >= (1, 5, 0):
        rancher["environment"]["REGISTRY_DOMAIN"] = "docker.io"
    return yaml.safe_dump({"rancher": rancher}).encode()


def release_named(release: str) -> Release:
    """Return the release of this name."""
    return releases.of(Disk({paths.OS_CONFIG: os_config(release)}))


def machine(root: Path, release: str, files: dict[str, str], cmdline: str = "") -> None:
    """Make the disk of a machine below ``root``: ``files`` are named below the conf folder."""
    below_conf = {f"{paths.CONF}/{name}": text for name, text in files.items()}
    everything = {paths.OS_CONFIG: os_config(release).decode(), paths.COMMAND_LINE: cmdline}
    for path, text in (everything | below_conf).items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode("utf-8", "surrogatepass"))


def ros(
    disk: Disk,
    release: str,
    arguments: Sequence[str],
    stdin: str = "",
    addresses: Mapping[str, str] | None = None,
) -> Printed:
    """Return what ``ros`` of a release prints.

    Args:
        disk: the machine's.
        release: its name.
        arguments: those after ``ros``.
        stdin: its standard input.
        addresses: what it knows of ``$private_ipv4`` and the others, by that name.
    """
    match arguments:
        case ["--version"]:
            return Printed(0, _version(release))
        case ["config", "get", key]:
            return _get(disk, release, tuple(key.split(".")), addresses or {})
        case ["config", "validate"]:
            return _validate(release, stdin)
    raise AssertionError(f"this fake does not know {arguments}")


def _version(release: str) -> str:
    version = release_named(release).version
    if version and version >= (1, 5, 0):
        return f"version {release} from os image rancher/os:{release}\n"
    return f"ros version {release}\n"


def _logged(release: str, lines: Sequence[str], answer: str = "", status: int = 0) -> Printed:
    """Return an answer with log lines, which v0.9 prints before it on standard output."""
    if release.startswith("v0.9"):
        return Printed(status, "".join(f"> {line} \n" for line in lines) + answer)
    return Printed(status, answer, "".join(f"{line} \n" for line in lines))


def _get(disk: Disk, release: str, keys: Keys, addresses: Mapping[str, str]) -> Printed:
    layers = stack(disk, release_named(release))
    if layers.fatal:
        why = f'level=fatal msg="config get: failed to retrieve value" err="{layers.fatal}"'
        return _logged(release, [why], status=1)
    errors = [f'level=error msg="Failed to parse config file {p}"' for p in layers.problems]
    value = _addressed(_in_force(layers, keys), addresses)
    text = emitted(value) if isinstance(value, list | dict) else text_of(value)
    return _logged(release, errors, f"{text}\n")


def _addressed(node: Node, addresses: Mapping[str, str]) -> Node:
    match node:
        case str():
            for placeholder, variable in ADDRESS_VARIABLES.items():
                node = node.replace(placeholder, addresses.get(variable, ""))
            return node
        case list():
            return [_addressed(item, addresses) for item in node]
        case dict():
            return {key: _addressed(value, addresses) for key, value in node.items()}
    return node


def _in_force(layers: Layers, keys: Keys) -> Node:
    """Return what is asked for; lists and maps that RancherOS has are empty, not nothing."""
    if keys[:-1] == DOCKER and keys[-1] in layers.release.argument_keys:
        return list(layers.docker_arguments(keys[-1]))
    if keys == (*DOCKER, "args"):
        return None  # no such setting any more, whatever is written
    if keys == (*DOCKER, "environment"):
        return layers.get(keys) or []
    if keys == ENVIRONMENT:
        return dict(layers.environment())
    return layers.get(keys)


def _validate(release: str, stdin: str) -> Printed:
    version = release_named(release).version or (0, 0, 0)
    if version < (0, 8, 0):
        message = "No help topic for 'validate'\n"
        return Printed(0, message) if version < (0, 5, 0) else Printed(3, "", message)
    items = stack(Disk({paths.CLOUD_CONFIG: stdin.encode()}), release_named(release)).get(
        (*DOCKER, "extra_args")
    )
    texts = [str(item) for item in items] if isinstance(items, list) else []
    found = 'level=error msg="rancher.docker.extra_args: array items must be unique"'
    return _logged(release, [found] if len(set(texts)) < len(texts) else [])


def reserialised(root: Path, changes: dict[str, Node] | None = None) -> None:
    """Write cloud-config.yml anew, as the system does when it merges something into it.

    Comments are lost and scalars retyped; address variables stay as they are.
    """
    file = root / paths.CLOUD_CONFIG.lstrip("/")
    tree = parse(file.read_bytes()) if file.exists() else {}
    variables = {variable: variable for variable in ADDRESS_VARIABLES.values()}
    text = emitted(_addressed(trees.merged(tree, changes or {}), variables))
    temporary = file.with_name(f".{file.name}123456789")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o620)
    temporary.replace(file)


def dockerd_argv(layers: Layers, folder: Path) -> list[str] | None:
    """Return the arguments that reach dockerd, through a real bash where the release has one.

    Args:
        layers: the machine's.
        folder: an empty one to be in, as ``*`` is expanded.
    """
    items = [item for key in layers.release.argument_keys for item in layers.docker_arguments(key)]
    if layers.release.quoting == "raw":
        return items
    command = f"exec /usr/bin/printf '%s\\0' dockerd {' '.join(items)}"
    printed = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, timeout=10, check=False
    ).stdout.decode()
    return printed.split("\0")[1:-1] if printed else None


def executable(
    folder: Path, root: Path, release: str, addresses: Mapping[str, str] | None = None
) -> Path:
    """Return an executable ``ros`` of a release in ``folder``, for the machine below ``root``."""
    here = Path(__file__).resolve().parent
    file = folder / "ros"
    file.write_text(
        f"#!{sys.executable}\n"
        f"import sys\n"
        f"sys.path[:0] = [{str(here)!r}, {str(here.parent)!r}]\n"
        f"from fake_ros import main\n"
        f"sys.exit(main({str(root)!r}, {release!r}, {addresses!r}, sys.argv[1:]))\n"
    )
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def main(root: str, release: str, addresses: Mapping[str, str] | None, arguments: list[str]) -> int:
    """Be ``ros`` for one call, and return the exit status."""
    stdin = sys.stdin.read() if arguments[-1:] == ["validate"] else ""
    printed = ros(read_disk(Path(root)), release, arguments, stdin, addresses)
    os.write(1, printed.stdout.encode())
    os.write(2, printed.stderr.encode())
    return printed.status
