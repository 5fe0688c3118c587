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
from functools import cache
from typing import Literal, NamedTuple

import yaml

from rancheros_ec2_metadata.check.yaml_reader import FLAGS, Node
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.hosts.rancheros.release import NEWEST, Release, Version

# Each map with the keys that it has, by their type: a name of below, of a map here, or one of these
# with "list" or "map" behind it. A null is right everywhere but in the types of libcompose's own.
_MAPS = """
cloud-config:
  any: EXTRA_CMDLINE
  list: bootcmd runcmd
  text: hostname
  text list: ssh_authorized_keys
  text list list: mounts
  file list: write_files
  rancher: rancher
file: {text: container content encoding owner path permissions}
rancher:
  any: autoformat autologin bootstrap_containers default_network registry_auths
  text: console password resize_device
  flag: debug force_console_rebuild hypervisor_service log no_sharedroot preload_wait recovery
    rm_usr
  integer: http_load_retries shutdown_timeout
  text list: disable modules restart_services
  text map: environment sysctl
  flag map: services_include
  docker: bootstrap_docker docker system_docker
  service map: bootstrap cloud_init_services services
  cloud_init: cloud_init
  defaults: defaults
  network: network
  repository map: repositories
  ssh: ssh
  state: state
  upgrade: upgrade
docker:
  text: bip bridge ca_cert ca_key config_file containerd data_root engine exec_root graph group
    log_driver pid_file registry_mirror server_cert server_key storage_context storage_driver
  flag: debug exec live_restore restart selinux_enabled tls userland_proxy userns_enabled
  text list: args environment extra_args host insecure_registry tls_args
  text map: log_opts
service:
  text: build cgroup_parent container_name cpuset dockerfile domainname hostname image ipc
    log_driver mac_address name net pid restart user uts volume_driver working_dir
  integer: cpu_quota cpu_shares mem_limit memswap_limit oom_score_adj
  flag: privileged read_only stdin_open tty
  text list: cap_add cap_drop devices expose external_links extra_hosts ports security_opt
    volumes volumes_from
  words: command entrypoint
  text or texts: dns dns_search env_file
  variables: environment links
  labels: labels
  text map: log_opt
  any: ulimits
cloud_init: {text list: datasources}
defaults: {any: docker, text: hostname system_docker_logs, network: network}
repository: {text: url}
ssh: {flag: daemon, text map: keys, text: listen_address, integer: port}
state:
  text: boot_dev boot_fstype dev directory fstype oem_dev oem_fstype script
  flag: cryptsetup lvm_scan mdadm_scan required rngd wait
  text list: autoformat
upgrade: {text: image policy rollback url}
network:
  text: http_proxy https_proxy no_proxy
  text list: post_cmds pre_cmds
  integer: dhcp_timeout
  dns: dns
  interface map: interfaces
  any map: modem_networks wifi_networks
dns: {text list: nameservers search}
interface:
  text: address bond bridge dhcp_args gateway gateway_ipv6 match vlans wifi_network
  flag: dhcp ipv4ll
  text list: addresses post_up pre_up
  integer: mtu
  text map: bond_opts
"""
_MEANS = {"text": "a text", "flag": "true or false", "integer": "a whole number", "list": "a list"}
# Libcompose's own: a text that is split or a list of texts, the same unsplit, a map or a list.
_OF_LIBCOMPOSE = ("words", "text or texts", "variables", "labels")

# The releases that have a key of Docker's: from the first on, and no longer from the second on.
_DOCKER_RELEASES: dict[str, tuple[Version, Version]] = {
    "args": ((0, 0, 0), (0, 7, 0)),
    "data_root": ((2, 0, 0), NEWEST),
    "graph": ((0, 0, 0), (2, 0, 0)),
    "selinux_enabled": ((0, 0, 0), (2, 0, 0)),
    "userns_enabled": ((1, 9, 0), NEWEST),
}
_NEWEST_OF_BOTH = ((1, 5, 8), (2, 0, 5))  # RancherOS and BurmillaOS
# Maps that RancherOS, or the image, puts something into: a null takes all of it out.
EMPTY_MAPS = (
    *("rancher.docker", "rancher.services", "rancher.services_include", "rancher.sysctl"),
    "rancher.system_docker",
)
# From v0.9 on a later file of the system's has a map in its place (init.yml, network.yml).
EMPTY_MAPS_OF_OLD = ("rancher", "rancher.environment", "rancher.network")

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
_KINDS = {"flag": "true or false", "null": "nothing", "address": "an address without quotes"}


class Difference(NamedTuple):
    """What of a file is not as its type has it.

    ``what`` is of a value of a wrong type. It is empty for a key that the type does not have, of
    which there are ``node``, its map, and ``type_``, its type.
    """

    line: int
    path: tuple[str, ...]
    what: str = ""
    node: Node = Node("null")
    type_: str = ""


@cache
def maps() -> dict[str, dict[str, str]]:
    """Return each map by its name: the type of each of its keys."""
    found = {
        name: {key: type_ for type_, keys in types.items() for key in keys.split()}
        for name, types in yaml.safe_load(_MAPS).items()
    }
    # Before v0.8 a text among the commands of runcmd loses the file.
    return {"old-cloud-config": {**found["cloud-config"], "runcmd": "text list list"}, **found}


def dotted(path: Iterable[str]) -> str:
    """Return a path as an operator knows it; its keys may be anybody's."""
    return ".".join(shown(key)[1:-1] for key in path)


def similar(name: str, known: Iterable[str]) -> str:
    """Return the fix that names the one of ``known`` that is most like ``name``, or nothing."""
    close = difflib.get_close_matches(name[:50], sorted(known), 1, 0.75)
    return _INSTEAD.get(name) or (f"write {close[0]}" if close else "")


def has_docker_key(release: Release, key: str) -> bool:
    """Tell whether a release knows a key of Docker's; the newest is that of either family."""
    first, last = _DOCKER_RELEASES.get(key, ((0, 0, 0), NEWEST))
    version = release.version
    versions = _NEWEST_OF_BOTH if version is None or version == NEWEST else (version,)
    return any(first <= one < last for one in versions)


def differences(
    node: Node, type_: str, path: tuple[str, ...] = (), *, made_texts: bool = False
) -> Iterator[Difference]:
    """Yield what is not as a type has it.

    Args:
        node: at that path.
        type_: of it.
        path: of it.
        made_texts: of labels and variables of services RancherOS makes texts, as in a service file.
    """
    inner, _, last = type_.rpartition(" ")
    keys: Mapping[str, str] = maps().get(type_, {})
    wanted: Literal["list", "map", ""] = "map" if keys else ""
    if inner and type_ not in _OF_LIBCOMPOSE:
        wanted = "list" if last == "list" else "map"
    if type_ in _OF_LIBCOMPOSE:
        for one, what in _of_libcompose(node, type_, made_texts=made_texts):
            yield Difference(one.line, path, f"{dotted(path)} {what}")
    elif node.kind not in (wanted, "null") and (wanted or not _is_taken(node, type_)):
        means = _MEANS.get(type_, f"a {wanted}")
        yield Difference(node.line, path, f"{dotted(path)} is {_is(node)}, not {means}")
    elif wanted:
        for item in node.items:
            yield from differences(item, inner, path)
        for key, value in node.fields.items():
            of_value = keys.get(key) if keys else inner
            if of_value is None:
                yield Difference(value.line, (*path, key), "", node, type_)
            else:
                yield from differences(value, of_value, (*path, key), made_texts=made_texts)


def _is(node: Node) -> str:
    return _KINDS.get(node.kind, f"a {node.kind}")


def _is_taken(node: Node, type_: str) -> bool:
    if type_ in ("any", "list"):
        return type_ in ("any", node.kind)
    if type_ == "flag":
        return node.text.lower() in FLAGS
    return node.is_scalar and (type_ == "text" or bool(_INTEGER.fullmatch(node.text)))


def _of_libcompose(node: Node, type_: str, *, made_texts: bool) -> Iterator[tuple[Node, str]]:
    """Yield what libcompose's own types do not take: a number, a flag or a null among texts."""
    may_be_text = type_ in ("words", "text or texts")
    if node.kind in ("text", "address") and may_be_text:
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
