"""What RancherOS's libcompose takes in a service: its keys, and the types of their values.

From ServiceConfigV1 in docker/libcompose, config/types.go and yaml/types_yaml.go, as RancherOS is
built with it. Its own types take texts only: a number, a flag or a null among them is an error
that loses the whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from rancheros_ec2_metadata.check.places import Path
from rancheros_ec2_metadata.rancheros.ros_yaml import Node


@dataclass(frozen=True)
class Wrong:
    """A value of a type that is not taken, and what it should be."""

    path: Path
    why: str


Check: TypeAlias = Callable[[Path, Node], Iterator[Wrong]]

_KINDS = {dict: "a map", list: "a list", bool: "true or false", int: "a number", float: "a number"}


def wrong(path: Path, service: dict[str, Node], *, texts_only: bool) -> Iterator[Wrong]:
    """Yield the values of a service that libcompose does not take.

    Args:
        path: of the service.
        service: its definition.
        texts_only: labels and variables have to be texts; of a service file RancherOS makes texts.
    """
    for key, node in service.items():
        check = _CHECKS.get(key)
        if check is None or node is None:
            continue
        if key in _MADE_TEXTS and not texts_only:
            check = _scalars_or_map
        yield from check((*path, key), node)


def _is(node: Node) -> str:
    return "nothing" if node is None else _KINDS.get(type(node), "a text")


def _any(_path: Path, _node: Node) -> Iterator[Wrong]:
    yield from ()


def _scalar(path: Path, node: Node) -> Iterator[Wrong]:
    if isinstance(node, list | dict):
        yield Wrong(path, f"is {_is(node)}, not a text")


def _scalars(path: Path, node: Node) -> Iterator[Wrong]:
    if not isinstance(node, list):
        yield Wrong(path, f"is {_is(node)}, not a list")
        return
    for index, item in enumerate(node):
        yield from _scalar((*path, index), item)


def _text(path: Path, node: Node) -> Iterator[Wrong]:
    if not isinstance(node, str):
        yield Wrong(path, f"is {_is(node)}, not a text")


def _text_or_texts(path: Path, node: Node) -> Iterator[Wrong]:
    if not isinstance(node, list):
        yield from _text(path, node)
        return
    for index, item in enumerate(node):
        yield from _text((*path, index), item)


def _texts_or_map(path: Path, node: Node) -> Iterator[Wrong]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _text((*path, key), value)
    elif isinstance(node, list):
        yield from _text_or_texts(path, node)
    else:
        yield Wrong(path, f"is {_is(node)}, not a list or a map")


def _texts_or_map_with_numbers(path: Path, node: Node) -> Iterator[Wrong]:
    if isinstance(node, dict):
        node = {k: v for k, v in node.items() if not isinstance(v, int) or isinstance(v, bool)}
    yield from _texts_or_map(path, node)


def _scalars_or_map(path: Path, node: Node) -> Iterator[Wrong]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _scalar((*path, key), value)
    else:
        yield from _scalars(path, node)


_MADE_TEXTS = frozenset({"environment", "labels"})
_CHECKS: dict[str, Check] = {
    **dict.fromkeys(("command", "dns", "dns_search", "entrypoint", "env_file"), _text_or_texts),
    **dict.fromkeys(("environment", "links"), _texts_or_map_with_numbers),
    "labels": _texts_or_map,
    **dict.fromkeys(
        (
            *("cap_add", "cap_drop", "devices", "expose", "external_links", "extra_hosts"),
            *("ports", "security_opt", "volumes", "volumes_from"),
        ),
        _scalars,
    ),
    **dict.fromkeys(
        (
            *("build", "cgroup_parent", "container_name", "cpu_quota", "cpu_shares", "cpuset"),
            *("dockerfile", "domainname", "hostname", "image", "ipc", "log_driver", "mac_address"),
            *("mem_limit", "memswap_limit", "name", "net", "oom_score_adj", "pid", "privileged"),
            *("read_only", "restart", "stdin_open", "tty", "user", "uts", "volume_driver"),
            "working_dir",
        ),
        _scalar,
    ),
    **dict.fromkeys(("log_opt", "ulimits"), _any),
}
KEYS = frozenset(_CHECKS)

# What version 2 and later call it, and what to do about that.
INSTEAD = {
    "depends_on": "write the label io.rancher.os.after",
    "env": "write environment",
    "logging": "write log_driver and log_opt",
    "network_mode": "write net",
    "networks": "write net",
}
