"""The configuration that ``ros`` loads from a machine's files.

Source: rancher/os, config/disk.go, at the tags v0.4.5, v0.6.1, v0.7.1, v0.9.2, v1.0.4 and v1.5.8.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

from .config_structs import Kind, Series, cloud_config, decode, zero
from .yaml_reading import CrashError, UnusableError, read_map, read_value
from .yaml_scalars import Node, Scalar, survives, text_of, texts_in

Tree: TypeAlias = dict[Any, Node]

CONF = "/var/lib/rancher/conf"
OS_CONFIG = "/usr/share/ros/os-config.yml"
OEM_CONFIG = "/usr/share/ros/oem/oem-config.yml"
CLOUD_CONFIG = "cloud-config.yml"

_OLD = Series.V0_4_5
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
_HEXADECIMAL = (
    "yaml: [while parsing a quoted scalar] did not find expected hexdecimal number"
    " at line 1, column 1"
)
_METADATA: dict[str, Kind] = {"hostname": "text", "sshpublickeys": ("map", "text")}
_METADATA |= dict.fromkeys(
    ("publicipv4", "privateipv4", "publicipv6", "privateipv6"), ("list", "number")
)
_ADDRESSES = ("$public_ipv4", "$private_ipv4", "$public_ipv6", "$private_ipv6")


@dataclass(frozen=True)
class Disk:
    """What ``ros`` reads of a machine.

    Args:
        files: content by path below the conf folder; None: there, and cannot be read.
        os_config: the release's own os-config.yml. oem: oem/oem-config.yml.
        cmdline: the kernel command line.
    """

    files: Mapping[str, bytes | None] = field(default_factory=dict)
    os_config: bytes = b""
    oem: bytes = b""
    cmdline: str = ""

    def user_files(self) -> list[tuple[str, bytes | None]]:
        """Return the user's files with their paths, weakest first."""
        folder = "cloud-config.d/"
        drop_ins = [
            name
            for name in self.files
            if name.startswith(folder) and not name.removeprefix(folder).startswith(".")
        ]
        drop_ins.sort(key=lambda name: name.encode("utf-8", "surrogateescape"))
        return [(f"{CONF}/{n}", self.files.get(n, b"")) for n in (*drop_ins, CLOUD_CONFIG)]

    def system_files(self) -> list[tuple[str, bytes | None]]:
        """Return the system's files with their paths, weakest first."""
        return [(OS_CONFIG, self.os_config), (OEM_CONFIG, self.oem)]

    def metadata(self) -> dict[str, Node]:
        """Return what conf/metadata says, by field in lower case, as far as it can be read."""
        fields: dict[str, Node] = {}
        try:
            for key, node in read_map(self.files.get("metadata") or b"").items():
                name = text_of(key).lower()
                if name in _METADATA:
                    fields[name] = None if node is None else decode(_METADATA[name], node)
        except UnusableError:
            pass  # the rest is not read
        return fields


@dataclass(frozen=True)
class Loaded:
    """What ``ros`` has loaded.

    Args:
        tree: the whole struct.
        errors: what it logs of single files.
        unreadable: why every ``config get`` fails nevertheless, empty if it does not.
    """

    tree: dict[str, Node]
    errors: tuple[str, ...] = ()
    unreadable: str = ""


class FatalError(Exception):
    """``ros`` ends without having loaded anything.

    Args:
        status: its exit status. lines: what it logs.
    """

    def __init__(self, status: int, *lines: str) -> None:
        super().__init__(*lines)
        self.status = status
        self.lines = lines


def series_of(release: str) -> Series:
    """Return the series of the release of this name; what is no version is BurmillaOS."""
    found = _VERSION.match(release)
    if not found:
        return Series.BURMILLA
    version = (int(found[1]), int(found[2]), int(found[3] or 0))
    starts = ((0, 5, 0), (0, 7, 0), (0, 9, 2), (1, 0, 0), (1, 5, 0), (1, 9, 0))
    return Series(sum(start <= version for start in starts))


def load(disk: Disk, release: str) -> Loaded:
    """Return what ``ros`` of a release loads from ``disk``; not to be changed.

    Raises:
        FatalError: it loads nothing.
    """
    files = frozenset(disk.files.items())
    texts = (*disk.files.values(), disk.oem, disk.cmdline.encode(errors="replace"))
    shuffled = any(_SHUFFLED.search(text or b"") for text in texts)
    once = _load_once.__wrapped__ if shuffled else _load_once
    return once(files, disk.os_config, disk.oem, disk.cmdline, series_of(release))


# Services have maps that come out in another order each time.
_SHUFFLED = re.compile(rb"(?i)services|bootstrap|autoformat")


# A machine is asked many questions, and looked at by the test, before anything changes on it.
@lru_cache(maxsize=64)
def _load_once(
    files: frozenset[tuple[str, bytes | None]],
    os_config: bytes,
    oem: bytes,
    cmdline: str,
    series: Series,
) -> Loaded:
    disk = Disk(dict(files), os_config, oem, cmdline)
    try:
        loaded = _load_old(disk) if series == _OLD else _load(disk, series)
    except CrashError as crash:
        raise FatalError(2, f"panic: {crash}") from None
    for kind in ("services", "bootstrap", *(["autoformat"] if series < Series.V0_9_2 else [])):
        for name, service in loaded.tree["rancher"][kind].items():
            if service is None:
                raise FatalError(
                    2, "panic: runtime error: invalid memory address or nil pointer dereference"
                )
            service["container_name"] = name
    if all(survives(text, 2) for text in texts_in(loaded.tree)):
        return loaded
    return replace(loaded, unreadable=_HEXADECIMAL)


def load_raw(disk: Disk, series: Series) -> tuple[Tree, tuple[str, ...]]:
    """Return what the files and command lines amount to, from v0.5 on, and what is logged."""
    addresses = disk.metadata()
    system, system_errors = merge_files(disk.system_files(), series, addresses)
    user, user_errors = merge_files(disk.user_files(), series, addresses)
    tree = merge(system, user)
    tree = merge(tree, read_command_line(disk.cmdline, series))
    extra = tree.get("EXTRA_CMDLINE")
    if series >= Series.V0_9_2 and isinstance(extra, str):
        tree = merge(tree, read_command_line(extra, series))
    tree = _with_debug_flags(tree, series)
    keys = tree.get("ssh_authorized_keys")
    more = [key for _, key in sorted((addresses.get("sshpublickeys") or {}).items())]
    tree["ssh_authorized_keys"] = [*(keys if isinstance(keys, list) else []), *more]
    if addresses.get("hostname") and tree.get("hostname", "") == "":
        tree["hostname"] = addresses["hostname"]
    return tree, (*system_errors, *user_errors)


def merge_files(
    files: Iterable[tuple[str, bytes | None]], series: Series, addresses: Mapping[str, Node]
) -> tuple[Tree, tuple[str, ...]]:
    """Return what files amount to among themselves, and a line for each that is left out."""
    tree: Tree = {}
    errors = []
    for path, content in files:
        if content is None:
            errors.append(f"Failed to read config file {path}: read {path}: is a directory")
        elif content:
            try:
                tree = merge(tree, read_checked(_substituted(content, addresses), series))
            except UnusableError as error:
                errors.append(f"Failed to parse config file {path}: {error}")
    return tree, tuple(errors)


@lru_cache(maxsize=64)
def read_checked(content: bytes, series: Series) -> Tree:
    """Return a file that ``ros`` can load; not to be changed.

    Raises:
        UnusableError: it cannot.
    """
    tree = read_map(content)
    decoded(tree, series)
    return tree


def decoded(tree: Tree, series: Series) -> dict[str, Node]:
    """Return ``tree`` written, read and decoded; raises UnusableError if it cannot be."""
    for text in texts_in(tree):
        if not survives(text, 1):
            binary = re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]", text)
            reason = "reflect: call of reflect.Value.IsNil on string Value"
            raise UnusableError(reason if binary else _HEXADECIMAL)
    struct: dict[str, Node] = decode(cloud_config(series), tree)
    return struct


def merge(under: Tree, over: Tree) -> Tree:
    """Return two trees as one: maps merge key by key, all else replaces."""
    return _merged(under, over, {})


def _merged(under: Tree, over: Tree, known: dict[tuple[int, int], Tree]) -> Tree:
    """Merge; ``known`` keeps aliases of aliases from being merged again and again."""
    pair = (id(under), id(over))
    if pair not in known:
        result = known[pair] = dict(under)
        for key, node in over.items():
            inner = under.get(key)
            if isinstance(inner, dict) and isinstance(node, dict):
                result[key] = _merged(inner, node, known)
            else:
                result[key] = node
    return known[pair]


def read_command_line(text: str, series: Series) -> Tree:
    """Return what the parameters ``rancher.…=VALUE`` of a command line set.

    A parameter without a value is true. Of two, the later one is taken; one that goes through
    another's value is left out.
    """
    text = text.strip()
    if series != _OLD:
        text = text.replace('\\"', '"').replace("\\'", "'")
    tree: Tree = {}
    for parameter in _split(text) if series >= Series.V1_5_8 else text.split(" "):
        known = ("rancher.", "cc.") if series >= Series.V0_7_1 else ("rancher.",)
        if not parameter.startswith(known):
            continue
        name, has_value, value = parameter.removeprefix("cc.").partition("=")
        hides = series >= Series.V0_7_1
        _set(tree, name.split("."), read_value(value if has_value else "true", hides_colons=hides))
    return tree


def _split(text: str) -> list[str]:
    """Return a command line's parameters; a space in quotes or brackets separates none."""
    parts, end = [""], ""
    for character in text:
        if end:
            end = "" if character == end else end
        elif character in "\"'[":
            end = character.replace("[", "]")
        elif character == " ":
            parts.append("")
            continue
        parts[-1] += character
    return parts


def _set(tree: Tree, path: list[str], value: Node) -> None:
    for key in path[:-1]:
        inner = tree.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        tree = inner
    tree[path[-1]] = value


def _substituted(content: bytes, addresses: Mapping[str, Node]) -> bytes:
    r"""Replace the address variables; ``\$private_ipv4`` is the way round it."""
    for variable in _ADDRESSES:
        if variable.encode() not in content:
            continue
        name = variable[1:].replace("_", "")
        octets = addresses.get(name)
        value = "" if octets is None else ".".join(map(str, octets)) or "<nil>"
        pattern = re.escape(variable).encode()
        content = re.sub(rb"([^\\]|^)" + pattern, rb"\g<1>" + value.encode(), content)
        content = content.replace(b"\\" + variable.encode(), variable.encode())
    return content


def _with_debug_flags(tree: Tree, series: Series) -> Tree:
    """Return ``tree`` with the flags that ``rancher.debug: true`` sets besides."""
    raw = tree.get("rancher")
    if not isinstance(raw, dict) or not raw.get("debug"):
        return dict(tree)
    try:
        rancher = decoded(tree, series)["rancher"]
    except UnusableError:
        return dict(tree)
    if not rancher["debug"]:
        return dict(tree)
    flags: Tree = {"log": True}
    for kind in ("docker", "system_docker", "bootstrap_docker"):
        arguments = rancher[kind].get("args")
        if isinstance(raw.get(kind, {}), dict):
            more = {"debug": True} if arguments is None else {"args": [*arguments, "-D"]}
            flags[kind] = {} if "-D" in (arguments or ()) else more
    return merge(tree, {"rancher": flags})


def _load(disk: Disk, series: Series) -> Loaded:
    raw, errors = load_raw(disk, series)
    try:
        return Loaded(decoded(raw, series), errors)
    except UnusableError as error:
        if series >= Series.V1_0_4:
            raise FatalError(
                255, *errors, f"EXITING: Failed to parse configuration: {error}"
            ) from None
        failed = f"Failed to parse configuration: {error}"
        return Loaded(zero(cloud_config(series)), (*errors, failed))


# Before v0.5 the system's files are one struct, which each layer is merged into in turn.


def _load_old(disk: Disk) -> Loaded:
    try:
        tree = decoded(union_old(disk, disk.system_files()), _OLD)
    except UnusableError as error:
        # What it has not loaded is used nevertheless.
        raise FatalError(2, f"panic: runtime error: invalid memory address ({error})") from None
    try:
        tree = merge_old(tree, union_old(disk, disk.user_files()))
    except UnusableError as error:
        raise FatalError(1, f"Error merging config data: {error}") from None
    with contextlib.suppress(UnusableError):
        tree = merge_old(tree, read_command_line(disk.cmdline, _OLD))
    for kind in ("docker", "system_docker"):
        arguments = [item for item in tree["rancher"][kind]["args"] if item != "-D"]
        if tree["rancher"]["debug"]:
            arguments = [*tree["rancher"][kind]["args"]]
            arguments += ["-D"] if "-D" not in arguments else []
        tree["rancher"][kind]["args"] = arguments
    metadata = disk.metadata()
    more = [key for _, key in sorted((metadata.get("sshpublickeys") or {}).items())]
    keys = [*tree["ssh_authorized_keys"], *more]
    hostname = tree["hostname"] or metadata.get("hostname") or ""
    return Loaded({**tree, "ssh_authorized_keys": keys, "hostname": hostname})


def union_old(disk: Disk, files: Iterable[tuple[str, bytes | None]]) -> Tree:
    """Return what files amount to among themselves; one that cannot be read is one too many."""
    tree: Tree = {}
    for path, content in files:
        if content is None:
            raise UnusableError(f"read {path}: is a directory")
        if content:
            tree = merge(tree, read_map(_substituted(content, disk.metadata())))
    return tree


def merge_old(struct: dict[str, Node], values: Tree) -> dict[str, Node]:
    """Return a struct with a layer merged into it."""
    tree = merge(without_empty(cloud_config(_OLD), struct, top=True), _stringified(values, "", {}))
    return decoded(tree, _OLD)


def without_empty(kind: Kind, node: Node, *, top: bool = False) -> Node:
    """Return a struct as it is written: without empty fields that are no structs themselves."""
    if isinstance(kind, tuple) and kind[0] == "pointer":
        kind = kind[1]
    if isinstance(node, dict) and isinstance(kind, tuple):
        return {key: without_empty(kind[1], inner) for key, inner in node.items()}
    if isinstance(node, list) and isinstance(kind, tuple):
        return type(node)(without_empty(kind[1], inner) for inner in node)
    if not isinstance(kind, dict) or node is None:
        return node
    kept = (name for name, field_kind in kind.items() if isinstance(field_kind, dict))
    always = {*kept, *_FILE_FIELDS, *(_TOP_FIELDS if top else ())}
    return {
        name: without_empty(kind[name], inner)
        for name, inner in node.items()
        if name in always or inner not in ("", False, None, 0, [], {})
    }


_TOP_FIELDS = ("ssh_authorized_keys", "write_files", "hostname", "default_hostname")
_FILE_FIELDS = ("encoding", "content", "owner", "path", "permissions")
_STRINGIFIED = [
    "command",
    "dns",
    "dns_search",
    "entrypoint",
    "env_file",
    "environment",
    "labels",
    "links",
]


def _stringified(node: Node, name: Scalar, known: dict[tuple[int, Scalar], Node]) -> Node:
    """Return ``node`` with texts for what is directly below some names, a null among it."""
    if not isinstance(node, list | dict):
        return node
    if name in _STRINGIFIED and isinstance(node, list):
        return [_printed(item) for item in node]
    if (id(node), name) not in known:
        items = node.items() if isinstance(node, dict) else enumerate(node)
        below = {key: _stringified(inner, key, known) for key, inner in items}
        if name in _STRINGIFIED:
            below = {k: v if isinstance(v, list | dict) else _printed(v) for k, v in below.items()}
        known[id(node), name] = below if isinstance(node, dict) else list(below.values())
    return known[id(node), name]


def _printed(node: Node) -> str:
    """Return what Go's Sprint makes of a node."""
    if isinstance(node, list):
        return f"[{' '.join(map(_printed, node))}]"
    if isinstance(node, dict):
        return f"map[{' '.join(f'{_printed(k)}:{_printed(v)}' for k, v in node.items())}]"
    if isinstance(node, str):
        return node
    special = {None: "<nil>", math.inf: "+Inf", -math.inf: "-Inf"}
    return special.get(node) or ("NaN" if node != node else text_of(node))  # noqa: PLR0124 - true of NaN alone
