"""What RancherOS takes in a cloud-config and in a service: its keys, and their types.

From the CloudConfig structure of rancher/os v1.5.8 and burmilla/os v2.0.5 (config/types.go,
pkg/netconf/types.go), the schema beside it for keys that older releases have, and ServiceConfigV1
of libcompose (config/types.go, yaml/types_yaml.go), as RancherOS is built with it.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from rancheros_ec2_metadata.check.yaml_reader import FALSE, TRUE, Node
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.hosts.rancheros.release import NEWEST, Release, Version

# A name of a scalar's type, [the type of a list's items], or the types of a map's values by key;
# the key ANY_KEY is all keys. A null is right everywhere but in the types of libcompose's own.
Type: TypeAlias = "str | list[Any] | dict[str, Any]"
ANY_KEY = "*"
TEXT, FLAG, INTEGER = "a text", "true or false", "a whole number"
LIST, ANY = "a list", "anything"
# Libcompose's own: a text that is split or a list of texts, the same unsplit, a map or a list.
_OF_LIBCOMPOSE = ("words", "text or texts", "variables", "labels")


def _of(type_: Type, names: str) -> dict[str, Type]:
    return dict.fromkeys(names.split(), type_)


TEXTS: Type = [TEXT]
TEXT_MAP: Type = {ANY_KEY: TEXT}
FILE = _of(TEXT, "container content encoding owner path permissions")
SERVICE: dict[str, Type] = {
    **_of(
        TEXT,
        "build cgroup_parent container_name cpuset dockerfile domainname hostname image ipc"
        " log_driver mac_address name net pid restart user uts volume_driver working_dir",
    ),
    **_of(INTEGER, "cpu_quota cpu_shares mem_limit memswap_limit oom_score_adj"),
    **_of(FLAG, "privileged read_only stdin_open tty"),
    **_of(
        TEXTS,
        "cap_add cap_drop devices expose external_links extra_hosts ports security_opt volumes"
        " volumes_from",
    ),
    **_of("words", "command entrypoint"),
    **_of("text or texts", "dns dns_search env_file"),
    **_of("variables", "environment links"),
    "labels": "labels",
    "log_opt": TEXT_MAP,
    "ulimits": ANY,
}
DOCKER: dict[str, Type] = {
    **_of(
        TEXT,
        "bip bridge ca_cert ca_key config_file containerd data_root engine exec_root graph group"
        " log_driver pid_file registry_mirror server_cert server_key storage_context"
        " storage_driver",
    ),
    **_of(
        FLAG,
        "debug exec live_restore restart selinux_enabled tls userland_proxy userns_enabled",
    ),
    **_of(TEXTS, "args environment extra_args host insecure_registry tls_args"),
    "log_opts": TEXT_MAP,
}
# The values that are joined into dockerd's command, which a shell reads.
DOCKER_OPTIONS = (
    *("bip", "bridge", "config_file", "containerd", "data_root", "exec_root", "graph", "group"),
    *("host", "insecure_registry", "log_driver", "log_opts", "pid_file", "registry_mirror"),
    *("storage_driver", "tls_args"),
)
# The releases that have a key of Docker's: from the first on, and no longer from the second on.
DOCKER_RELEASES: dict[str, tuple[Version | None, Version | None]] = {
    "graph": (None, (2, 0, 0)),
    "data_root": ((2, 0, 0), None),
    "selinux_enabled": (None, (2, 0, 0)),
    "userns_enabled": ((1, 9, 0), None),
}
_INTERFACE: Type = {
    **_of(
        TEXT,
        "address bond bridge dhcp_args gateway gateway_ipv6 match vlans wifi_network",
    ),
    **_of(FLAG, "dhcp ipv4ll"),
    **_of(TEXTS, "addresses post_up pre_up"),
    "mtu": INTEGER,
    "bond_opts": TEXT_MAP,
}
NETWORK: Type = {
    **_of(TEXT, "http_proxy https_proxy no_proxy"),
    **_of(TEXTS, "post_cmds pre_cmds"),
    "dhcp_timeout": INTEGER,
    "dns": _of(TEXTS, "nameservers search"),
    "interfaces": {ANY_KEY: _INTERFACE},
    **_of({ANY_KEY: ANY}, "modem_networks wifi_networks"),
}
SERVICES: Type = {ANY_KEY: "service"}
RANCHER: dict[str, Type] = {
    **_of(TEXT, "console password resize_device"),
    **_of(
        FLAG,
        "debug force_console_rebuild hypervisor_service log no_sharedroot preload_wait recovery"
        " rm_usr",
    ),
    **_of(INTEGER, "http_load_retries shutdown_timeout"),
    **_of(TEXTS, "disable modules restart_services"),
    **_of(TEXT_MAP, "environment sysctl"),
    **_of(DOCKER, "bootstrap_docker docker system_docker"),
    **_of(SERVICES, "bootstrap cloud_init_services services"),
    **_of(ANY, "autoformat autologin bootstrap_containers default_network registry_auths"),
    "cloud_init": {"datasources": TEXTS},
    "defaults": {
        "docker": ANY,
        "hostname": TEXT,
        "network": NETWORK,
        "system_docker_logs": TEXT,
    },
    "network": NETWORK,
    "repositories": {ANY_KEY: {"url": TEXT}},
    "services_include": {ANY_KEY: FLAG},
    "ssh": {"daemon": FLAG, "keys": TEXT_MAP, "listen_address": TEXT, "port": INTEGER},
    "state": {
        **_of(
            TEXT,
            "boot_dev boot_fstype dev directory fstype oem_dev oem_fstype script",
        ),
        **_of(FLAG, "cryptsetup lvm_scan mdadm_scan required rngd wait"),
        "autoformat": TEXTS,
    },
    "upgrade": _of(TEXT, "image policy rollback url"),
}
CLOUD_CONFIG: dict[str, Type] = {
    "EXTRA_CMDLINE": ANY,
    "bootcmd": LIST,
    "hostname": TEXT,
    "mounts": [TEXTS],
    "rancher": RANCHER,
    "runcmd": LIST,
    "ssh_authorized_keys": TEXTS,
    "write_files": [FILE],
}
# Before v0.8 a text among the commands of runcmd loses the file.
_WITH_LISTS_OF_WORDS = {**CLOUD_CONFIG, "runcmd": [TEXTS]}

# From then on init.yml, which comes after user-data, has a map at rancher.environment.
HAS_INIT_YML: Version = (0, 9, 0)
# Maps that RancherOS, or the image, puts something into: a null takes all of it out. Of the latter
# from v0.9 on a later file of the system's has a map in its place (init.yml, network.yml).
EMPTY_MAPS = ("docker", "services", "services_include", "sysctl", "system_docker")
EMPTY_MAPS_OF_OLD = ("environment", "network")

# What other programs call it.
_INSTEAD = {
    "contents": "write content",
    "depends_on": "write the label io.rancher.os.after",
    "env": "write environment",
    "logging": "write log_driver and log_opt",
    "mode": "write permissions",
    "network_mode": "write net",
    "networks": "write net",
}
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F_]+|0o?[0-7_]+|[1-9][0-9_]*|0)")
_KINDS = {"map": "a map", "list": "a list", "flag": "true or false", "null": "nothing"}


class Difference(NamedTuple):
    """What of a file is not as its type has it.

    ``what`` is of a value of a wrong type; it is empty for a key that the type does not have, of
    which there are ``node``, its map, and ``known``, the keys of the type.
    """

    line: int
    path: tuple[str, ...]
    what: str = ""
    node: Node = Node("null")
    known: Mapping[str, Type] = {}


def dotted(path: Iterable[str]) -> str:
    """Return a path as an operator knows it; its keys may be anybody's."""
    return ".".join(shown(key)[1:-1] for key in path)


def similar(name: str, known: Iterable[str]) -> str:
    """Return the fix that names the one of ``known`` that is most like ``name``, or nothing."""
    close = difflib.get_close_matches(name[:50], sorted(known), 1, 0.75)
    return _INSTEAD.get(name) or (f"write {close[0]}" if close else "")


def cloud_config(release: Release) -> Type:
    """Return the type of a cloud-config in a release."""
    is_old = release.version is not None and release.version < (0, 8, 0)
    return _WITH_LISTS_OF_WORDS if is_old else CLOUD_CONFIG


def has_docker_key(release: Release, key: str) -> bool:
    """Tell whether a release knows a key of Docker's; of the newest both families' are."""
    first, last = DOCKER_RELEASES.get(key, (None, None))
    version = release.version
    if version is None or version == NEWEST:
        return True
    return (first is None or version >= first) and (last is None or version < last)


def differences(
    node: Node, type_: Type, path: tuple[str, ...] = (), *, made_texts: bool = False
) -> Iterator[Difference]:
    """Yield what is not as a type has it.

    Args:
        node: at that path.
        type_: of it.
        path: of it.
        made_texts: of labels and variables of services RancherOS makes texts, as in a service file.
    """
    type_ = SERVICE if type_ == "service" else type_
    wanted = {list: "list", dict: "map"}.get(type(type_), "")
    if type_ in _OF_LIBCOMPOSE:
        for one, what in _of_libcompose(node, str(type_), made_texts=made_texts):
            yield Difference(one.line, path, f"{dotted(path)} {what}")
    elif isinstance(type_, str):
        if not _is_taken(node, type_):
            yield Difference(node.line, path, f"{dotted(path)} is {_is(node)}, not {type_}")
    elif node.kind not in (wanted, "null"):
        yield Difference(node.line, path, f"{dotted(path)} is {_is(node)}, not a {wanted}")
    elif isinstance(type_, list):
        for item in node.items:
            yield from differences(item, type_[0], path)
    else:
        for key, value in node.fields.items():
            inner = type_.get(key, type_.get(ANY_KEY))
            if inner is None:
                yield Difference(value.line, (*path, key), "", node, type_)
            else:
                yield from differences(value, inner, (*path, key), made_texts=made_texts)


def _is(node: Node) -> str:
    return _KINDS.get(node.kind, f"a {node.kind}")


def _is_taken(node: Node, type_: str) -> bool:
    if node.kind == "null" or type_ == ANY:
        return True
    if not node.is_scalar or type_ == LIST:
        return node.kind == "list" and type_ == LIST
    if type_ == FLAG:
        return node.text.lower() in (*TRUE, *FALSE)
    return type_ == TEXT or bool(_INTEGER.fullmatch(node.text))


def _of_libcompose(node: Node, type_: str, *, made_texts: bool) -> Iterator[tuple[Node, str]]:
    """Yield what libcompose's own types do not take: a number, a flag or a null among texts."""
    may_be_text = type_ in ("words", "text or texts")
    if node.kind == "text" and may_be_text:
        try:
            shlex.split(node.text if type_ == "words" else "")
        except ValueError as wrong:
            yield node, f"cannot be split into words ({str(wrong).lower()})"
    elif node.kind == "map" and may_be_text:
        yield node, "is a map, not a text or a list"
    elif node.is_scalar and node.kind != "null":
        yield node, f"is {_is(node)}, not a {'text or a list' if may_be_text else 'list or a map'}"
    for value in (*node.items, *node.fields.values()):
        is_number = node.kind == "map" and type_ == "variables" and _INTEGER.fullmatch(value.text)
        lenient = made_texts and not may_be_text
        if not (value.kind == "text" or (value.is_scalar and (lenient or is_number))):
            yield value, f"has {_is(value)}, not a text"
