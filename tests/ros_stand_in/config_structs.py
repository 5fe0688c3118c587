"""The structs that ``ros`` decodes a cloud-config into, release by release.

Source: rancher/os and burmilla/os, config/types.go, netconf/types.go and libcompose's
config/types.go at the tag of each release; decoding is candiedyaml's decode.go.
"""

from __future__ import annotations

import os
from enum import IntEnum
from functools import cache
from typing import Any, TypeAlias

from .yaml_reading import UnusableError
from .yaml_scalars import FLAGS, NULLS, Node, NotText, Scalar, integer, text_of


class Series(IntEnum):
    """Releases that read a configuration alike, oldest first; named by the one measured."""

    V0_4_5 = 0
    V0_6_1 = 1
    V0_7_1 = 2
    V0_9_2 = 3
    V1_0_4 = 4
    V1_5_8 = 5
    BURMILLA = 6


# A kind: one of the names below; ("list", kind), ("map", kind); fields by name.
Kind: TypeAlias = Any

TEXTS = ("list", "text")
TEXT_MAP = ("map", "text")

_V061, _V071, _V092, _V104, _V158, _BURMILLA = list(Series)[1:]
_LAST = _BURMILLA


@cache
def cloud_config(n: Series) -> dict[str, Kind]:
    """Return the struct CloudConfig."""
    file = _struct(n, (_V061, "container", "text"), "encoding content owner path permissions")
    commands = ("list", "text and list") if n >= _V092 else ("list", TEXTS)
    return _struct(
        n,
        ("ssh_authorized_keys", TEXTS),
        ("write_files", ("list", file)),
        "hostname",
        (0, "default_hostname", "text", 0),
        (_V061, "mounts", ("list", TEXTS)),
        ("rancher", _rancher(n)),
        (_V061, "runcmd", commands),
        (_V092, "bootcmd", commands),
    )


def _rancher(n: Series) -> dict[str, Kind]:
    services = ("map", ("pointer", _service(n)))
    docker, network = _docker(n), _network(n)
    return _struct(
        n,
        (_V061, "console", "text"),
        ("environment", TEXT_MAP),
        ("services bootstrap", services),
        (0, "autoformat", services, _V071),
        (_V092, "cloud_init_services", services),
        ("bootstrap_docker", docker),
        ("cloud_init", _struct(n, ("datasources", TEXTS))),
        ("debug rm_usr", "flag"),
        (_V061, "no_sharedroot", "flag"),
        ("log force_console_rebuild", "flag"),
        (_V104, "recovery", "flag"),
        ("disable", TEXTS),
        ("services_include", ("map", "flag")),
        ("modules", TEXTS),
        ("network", network),
        (0, "default_network", network, _V104),
        ("repositories", ("map", _struct(n, "url"))),
        (
            "ssh",
            _struct(
                n,
                ("keys", TEXT_MAP),
                (_V104, "daemon", "flag"),
                (_V158, "port", "number"),
                (_V158, "listen_address", "text"),
            ),
        ),
        ("state", _state(n)),
        ("system_docker", docker),
        ("upgrade", _struct(n, "url image rollback", (_V158, "policy", "text"))),
        ("docker", docker),
        (_V061, "registry_auths", ("map", _struct(n, _AUTHORIZATION))),
        (
            _V061,
            "defaults",
            _struct(
                n,
                "hostname",
                ("docker", docker),
                ("network", network),
                (_V158, "system_docker_logs", "text"),
            ),
        ),
        (_V061, "resize_device", "text"),
        (_V061, "sysctl", TEXT_MAP),
        (_V061, "restart_services", TEXTS),
        (_V104, "hypervisor_service", "flag"),
        (_V104, "shutdown_timeout", "number"),
        (_V158, "http_load_retries", "number"),
        (_V158, "preload_wait", "flag"),
    )


_AUTHORIZATION = "Username Password Auth Email ServerAddress IdentityToken RegistryToken"


def _docker(n: Series) -> dict[str, Kind]:
    return _struct(
        n,
        (_V071, "bridge config_file containerd exec_root group", "text"),
        (_V158, "bip", "text"),
        (_V071, "debug live_restore restart userland_proxy", "optional flag"),
        (_V071, "selinux_enabled", "optional flag", _V158),
        (_V071, "graph", "text", _V158),
        (_BURMILLA, "data_root", "text"),
        (_V071, "host", "text" if n == _V071 else TEXTS),
        (_V092, "insecure_registry", TEXTS),
        (_V071, "log_driver pid_file registry_mirror storage_driver", "text"),
        (_V071, "log_opts", TEXT_MAP),
        (_V061, "engine", "text"),
        ("tls", "flag"),
        ("tls_args", TEXTS),
        (0, "args", TEXTS, _V061),
        ("extra_args", TEXTS),
        "server_cert server_key ca_cert ca_key",
        ("environment", TEXTS),
        "storage_context",
        ("exec", "flag"),
        (_BURMILLA, "userns_enabled", "flag"),
    )


def _network(n: Series) -> dict[str, Kind]:
    interface = _struct(
        n,
        "match dhcp_args address gateway gateway_ipv6 bridge bond vlans",
        ("dhcp ipv4ll", "flag"),
        ("addresses post_up pre_up", TEXTS),
        ("mtu", "number"),
        ("bond_opts", TEXT_MAP),
        (_V158, "wifi_network", "text"),
    )
    wifi = _struct(
        n,
        "address gateway ssid psk pairwise group eap identity anonymous_identity key_mgmt password",
        ("scan_ssid priority eapol_flags", "number"),
        ("ca_certs client_certs private_keys private_key_passwds phases", TEXTS),
    )
    return _struct(
        n,
        ("pre_cmds post_cmds", TEXTS),
        (_V158, "dhcp_timeout", "number"),
        ("dns", _struct(n, ("nameservers search", TEXTS))),
        ("interfaces", ("map", interface)),
        "http_proxy https_proxy no_proxy",
        (_V158, "wifi_networks", ("map", wifi)),
        (_V158, "modem_networks", ("map", _struct(n, "apn extra_args"))),
    )


def _state(n: Series) -> dict[str, Kind]:
    return _struct(
        n,
        "directory fstype dev script oem_fstype oem_dev",
        (_V061, "wait", "flag"),
        ("required mdadm_scan", "flag"),
        ("autoformat", TEXTS),
        (0, "formatzero", "flag", _V061),
        (_V158, "lvm_scan cryptsetup rngd", "flag"),
        (_V158, "boot_fstype boot_dev", "text"),
    )


def _service(n: Series) -> dict[str, Kind]:
    return _struct(
        n,
        "build container_name cpuset dockerfile domainname hostname image log_driver name net",
        "pid uts ipc restart user volume_driver working_dir",
        (_V061, "cgroup_parent mac_address", "text"),
        ("cap_add cap_drop devices ports security_opt volumes volumes_from", TEXTS),
        ("expose external_links extra_hosts", TEXTS),
        ("cpu_shares mem_limit memswap_limit", "number"),
        (_V061, "cpu_quota", "number"),
        ("command entrypoint", "command"),
        ("dns dns_search env_file", "text or list"),
        ("environment", "equals"),
        ("labels", "labels"),
        ("links", "colons"),
        ("privileged read_only stdin_open tty", "flag"),
        ("log_opt", TEXT_MAP),
        (_V061, "ulimits", TEXT_MAP),
        (_BURMILLA, "oom_score_adj", "number"),
    )


def _struct(n: Series, *rows: Any) -> dict[str, Kind]:
    """Return fields by name. A row: [since], names, kind, [until]; names alone are texts."""
    fields: dict[str, Kind] = {}
    for row in rows:
        since, names, kind, until = 0, row, "text", _LAST
        if isinstance(row, tuple):
            since, *rest = row if isinstance(row[0], int) else (0, *row)
            names, kind, until = rest if len(rest) == 3 else (*rest, _LAST)
        if since <= n <= until:
            fields |= dict.fromkeys(names.split(), kind)
    return fields


def zero(kind: Kind) -> Node:
    """Return Go's zero value of a kind, as it is written."""
    if isinstance(kind, dict):
        return {name: zero(inner) for name, inner in kind.items()}
    if isinstance(kind, tuple):
        return {"list": [], "map": {}, "pointer": None}[kind[0]]
    if kind == "text and list":
        return {"SliceValue": [], "StringValue": ""}
    return {"text": "", "flag": False, "optional flag": None, "number": 0}.get(
        kind, {} if kind == "labels" else []
    )


def decode(kind: Kind, node: Node, into: Node = None) -> Node:
    """Return a node as a value of ``kind``; of a struct every field, unknown keys dropped.

    Args:
        kind: of the value. node: as it was read. into: the value so far, None if there is none.

    Raises:
        UnusableError: it cannot be one.
    """
    if isinstance(kind, dict):
        return _decode_struct(kind, node, into)
    if isinstance(kind, tuple):
        return _decode_many(kind, node, into)
    if kind in _UNMARSHALERS:
        return _UNMARSHALERS[kind](None if node in NULLS else node)
    if isinstance(node, list):
        raise UnusableError("Expected an array, slice or interface{} but was a ")
    if isinstance(node, dict):
        raise UnusableError("Expected a struct or map but was a ")
    text = text_of(node)
    if kind == "text":
        return text
    return zero(kind) if node is None or node in NULLS else _decode_scalar(kind, text)


def _decode_scalar(kind: str, text: str) -> Scalar:
    if kind == "number":
        value = integer(text)
        if value is None:
            raise UnusableError(f"Invalid integer: '{text}'")
        return value
    if text.lower() not in FLAGS:
        raise UnusableError(f"Invalid boolean: '{text}'")
    return FLAGS[text.lower()]


def _decode_struct(fields: dict[str, Kind], node: Node, into: Node) -> dict[str, Node]:
    if node is None or node in NULLS:
        return zero(fields)  # type: ignore[no-any-return] # zero() is of any kind
    if isinstance(node, list):
        raise UnusableError("Expected an array, slice or interface{} but was a ")
    if not isinstance(node, dict):
        raise UnusableError(f"Invalid timestamp: '{text_of(node)}'")
    values: dict[str, Node] = zero(fields) if into is None else into
    for key, inner in _sorted_items(node):
        name = _field(fields, text_of(key))
        if name:
            values[name] = decode(fields[name], inner, values[name])
    return values


def _field(fields: dict[str, Kind], key: str) -> str | None:
    """Return the field of this name, else the first that differs in case only."""
    if key in fields:
        return key
    return next((name for name in fields if name.lower() == key.lower()), None)


def _decode_many(whole: tuple[str, Kind], node: Node, into: Node) -> Node:
    many, kind = whole
    if node is None or node in NULLS:
        return zero(whole)
    if many == "pointer":
        return decode(kind, node)
    if many == "map":
        if isinstance(node, dict):
            decoded = {text_of(key): decode(kind, inner) for key, inner in _sorted_items(node)}
            return (into or {}) | decoded
        if isinstance(node, list):
            raise UnusableError("Expected an array, slice or interface{} but was a map[]")
        raise UnusableError(f"Unknown resolution for '{text_of(node)}' using {_go(many, kind)}")
    if isinstance(node, list):
        return [decode(kind, item) for item in node]
    if isinstance(node, dict):
        raise UnusableError("Expected a struct or map but was a []")
    raise UnusableError(f"Cannot resolve {text_of(node)} into {_go(many, kind)}")


def _sorted_items(node: dict[Scalar, Node]) -> list[tuple[Scalar, Node]]:
    return sorted(node.items(), key=lambda item: text_of(item[0]))


def _go(many: str, kind: Kind) -> str:
    name = "string" if kind == "text" else "[]string" if kind == TEXTS else "config"
    return f"<{'map[string]' if many == 'map' else '[]'}{name} Value>"


# What libcompose's and RancherOS's own unmarshalers take.


def _is_text(value: Node) -> bool:
    return isinstance(value, str) and not isinstance(value, NotText)


def _text(value: Node) -> str:
    if _is_text(value):
        return str(value)
    kinds = {type(None): "<nil>", bool: "bool", int: "int64", float: "float64"}
    kind = kinds.get(type(value), "interface {}")
    shown = "<nil>" if value is None else str(value)
    if isinstance(value, bool | float):
        shown = text_of(value)
    raise UnusableError(f"Cannot unmarshal '{shown}' of type {kind} into a string value")


def _failed(name: str, value: Node) -> UnusableError:
    return UnusableError(f"Failed to unmarshal {name}: {'<nil>' if value is None else value}")


def _command(value: Node) -> list[str]:
    if isinstance(value, list):
        return [_text(item) for item in value]
    if not _is_text(value):
        raise _failed("Command", value)
    import shlex  # noqa: PLC0415 - for this only

    try:
        return shlex.split(value, comments=True)
    except ValueError:
        raise UnusableError("EOF found when expecting closing quote.") from None


def _text_or_list(value: Node) -> list[str]:
    if isinstance(value, list):
        return [_text(item) for item in value]
    if not _is_text(value):
        raise _failed("Stringorslice", value)
    return [value]


def _text_and_list(value: Node) -> dict[str, Node]:
    if _is_text(value):
        return {"SliceValue": [], "StringValue": value}
    if not isinstance(value, list):
        raise _failed("StringandSlice", value)
    return {"SliceValue": [_text(item) for item in value], "StringValue": ""}


def _pairs(separator: str) -> Any:
    def unmarshal(value: Node) -> list[str]:
        if isinstance(value, list):
            return [_text(item) for item in value]
        if not isinstance(value, dict):
            raise _failed("Map or Slice", value)
        pairs = [
            f"{_text(key)}{separator}{inner if type(inner) is int else _text(inner)}"
            for key, inner in value.items()
        ]
        # Go goes through a map from a random place on, so two calls answer in another order.
        start = os.urandom(1)[0] % len(pairs) if pairs else 0
        return pairs[start:] + pairs[:start]

    return unmarshal


def _labels(value: Node) -> dict[str, str]:
    if isinstance(value, dict):
        return {_text(key): _text(inner) for key, inner in value.items()}
    if not isinstance(value, list):
        raise _failed("SliceorMap", value)
    pairs = [_text(item).strip().partition("=") for item in value]
    return {key: inner for key, _, inner in pairs}


_UNMARSHALERS = {
    "command": _command,
    "text or list": _text_or_list,
    "text and list": _text_and_list,
    "equals": _pairs("="),
    "colons": _pairs(":"),
    "labels": _labels,
}
