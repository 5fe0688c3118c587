"""The types that ``ros`` demands of a cloud-config: one wrong node loses the whole file.

Taken from the CloudConfig structure of RancherOS, as far as users write it. Keys that it does not
have may be anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.rancheros.ros_scalars import text_of
from rancheros_ec2_metadata.rancheros.ros_yaml import Node

# Takes a node and its name; returns None, or what is wrong as "rancher.docker is not a map".
Check: TypeAlias = Callable[[str, Node], str | None]

_FLAGS = ("y", "yes", "n", "no", "true", "false", "on", "off")


def wrong_type(tree: Node) -> str | None:
    """Return the first node of a file that has a type ``ros`` cannot take; None if there is none.

    A null is right everywhere.
    """
    return _CLOUD_CONFIG("", tree)


def is_known(key: str) -> bool:
    """Tell whether ``ros`` keeps what is under this key at the top of a file; the rest it drops."""
    return key in _TOP


def _any(_path: str, _node: Node) -> None:
    return None


def _text(path: str, node: Node) -> str | None:
    return f"{path} is a list or a map, not text" if isinstance(node, list | dict) else None


def _flag(path: str, node: Node) -> str | None:
    if node is None or (not isinstance(node, list | dict) and text_of(node).lower() in _FLAGS):
        return None
    return f"{path} is not true or false"


def _first(findings: Iterable[str | None]) -> str | None:
    return next((finding for finding in findings if finding), None)


def _list(check: Check) -> Check:
    def of_list(path: str, node: Node) -> str | None:
        if isinstance(node, list):
            return _first(check(f"an item of {path}", item) for item in node)
        return None if node is None else f"{path} is not a list"

    return of_list


def _map(check: Check) -> Check:
    def of_map(path: str, node: Node) -> str | None:
        if isinstance(node, dict):
            return _first(check(f"{path}.{shown(k)[1:-1]}", v) for k, v in node.items())
        return None if node is None else f"{path} is not a map"

    return of_map


def _fields(checks: dict[str, Check]) -> Check:
    def of_fields(path: str, node: Node) -> str | None:
        if isinstance(node, dict):
            return _first(
                check(f"{path}.{key}" if path else key, node[key])
                for key, check in checks.items()
                if key in node
            )
        return None if node is None else f"{path} is not a map"

    return of_fields


_TEXTS = _list(_text)
_DOCKER = _fields(
    {
        "args": _TEXTS,
        "bip": _text,
        "config_file": _text,
        "engine": _text,
        "environment": _TEXTS,
        "extra_args": _TEXTS,
        "group": _text,
        "host": _TEXTS,
        "insecure_registry": _TEXTS,
        "log_driver": _text,
        "log_opts": _map(_text),
        "registry_mirror": _text,
        "storage_driver": _text,
        "tls": _flag,
        "tls_args": _TEXTS,
    }
)
_NETWORK = _fields(
    {
        "dns": _fields({"nameservers": _TEXTS, "search": _TEXTS}),
        "http_proxy": _text,
        "https_proxy": _text,
        "interfaces": _map(_map(_any)),
        "no_proxy": _text,
    }
)
_RANCHER = _fields(
    {
        "console": _text,
        "debug": _flag,
        "docker": _DOCKER,
        "environment": _map(_text),
        "modules": _TEXTS,
        "network": _NETWORK,
        "services": _map(_map(_any)),
        "services_include": _map(_flag),
        "ssh": _fields({"keys": _map(_text)}),
        "sysctl": _map(_text),
        "system_docker": _DOCKER,
    }
)
_FILE = _fields(
    {"content": _text, "encoding": _text, "owner": _text, "path": _text, "permissions": _text}
)
_TOP: dict[str, Check] = {
    "bootcmd": _list(_any),
    "hostname": _text,
    "mounts": _list(_TEXTS),
    "rancher": _RANCHER,
    "runcmd": _list(_any),
    "ssh_authorized_keys": _TEXTS,
    "write_files": _list(_FILE),
}
_CLOUD_CONFIG = _fields(_TOP)
