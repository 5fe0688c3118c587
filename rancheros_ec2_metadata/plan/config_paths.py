"""Config paths that a tag may set: a closed table of types, allowed text and effect.

Everything under ``rancher.docker`` that becomes an option reaches a root shell unquoted, and
``rancher.console`` or ``rancher.docker.engine`` may be URLs of service files (docs/rancheros.md):
what is not in the table is refused, and so is text that a shell could read otherwise.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from rancheros_ec2_metadata.errors import UsageError, quote

Value = str | int | tuple[str, ...]
Kind = Literal["text", "port", "list"]

# No dash comes first: before dockerd, dockerlaunch takes any argument of -b…, -g…, --bip… or --mtu…
# for the option, wherever it stands (docs/rancheros.md).
_SAFE = r"[A-Za-z0-9_@%+=:,./][A-Za-z0-9_@%+=:,./-]*"
# No slash: the kernel executes the path in kernel.modprobe, kernel.core_pattern and the like.
_SYSCTL = r"[A-Za-z0-9 ._:-]{1,128}"
_PROXY = r"[A-Za-z0-9._~:/@,*%+=\[\]-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*"
_ADDRESS = r"[0-9A-Fa-f.:]{2,45}"

THIS_BOOT = "in effect at this boot"
NEXT_BOOT = "in effect from the next boot on"


class ConfigPath(NamedTuple):
    """One path: the type of its value, the text a tag may hold, and when it takes effect."""

    path: str
    kind: Kind
    allowed: str
    effect: str

    def read(self, text: str) -> Value:
        """Return the value for a tag's ``text``; a list is separated by commas or spaces.

        Raises:
            ValueError: the text is not allowed there; the message says why.
        """
        items = tuple(filter(None, re.split(r"[,\s]+", text))) if self.kind == "list" else (text,)
        if not items:
            raise ValueError("it is empty")
        for item in items:
            if not re.fullmatch(self.allowed, item):
                raise ValueError(f"{quote(item)} is not of the form {self.allowed}")
        if self.kind == "list":
            return items
        if self.kind == "port" and not 0 < int(text) < 65536:
            raise ValueError("it is not a port")
        return int(text) if self.kind == "port" else text


# The network service applies hostname, DNS and proxies before we run; sysctl and sshd come with
# the console, which starts after us; Docker's options with Docker.
TABLE = (
    ConfigPath("hostname", "text", _HOSTNAME, NEXT_BOOT),
    ConfigPath("rancher.sysctl.*", "text", _SYSCTL, NEXT_BOOT),
    ConfigPath("rancher.network.http_proxy", "text", _PROXY, NEXT_BOOT),
    ConfigPath("rancher.network.https_proxy", "text", _PROXY, NEXT_BOOT),
    ConfigPath("rancher.network.no_proxy", "text", _PROXY, NEXT_BOOT),
    ConfigPath("rancher.network.dns.nameservers", "list", _ADDRESS, NEXT_BOOT),
    ConfigPath("rancher.network.dns.search", "list", _HOSTNAME, NEXT_BOOT),
    ConfigPath("rancher.ssh.port", "port", r"[0-9]{1,5}", THIS_BOOT),
    ConfigPath("rancher.docker.log_driver", "text", _SAFE, THIS_BOOT),
    ConfigPath("rancher.docker.log_opts.*", "text", _SAFE, THIS_BOOT),
    ConfigPath("rancher.docker.registry_mirror", "text", _SAFE, THIS_BOOT),
    ConfigPath("rancher.docker.insecure_registry", "list", _SAFE, THIS_BOOT),
    ConfigPath("rancher.docker.bip", "text", _SAFE, THIS_BOOT),
    ConfigPath("rancher.docker.storage_driver", "text", _SAFE, THIS_BOOT),
)
_LEAF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


def find(target: str) -> ConfigPath:
    """Return the table's row for a config path.

    Raises:
        UsageError: the path is not in the table.
    """
    for row in TABLE:
        if row.path == target:
            return row
        stem = row.path.removesuffix("*")
        if stem != row.path and target.startswith(stem) and _LEAF.fullmatch(target[len(stem) :]):
            return row
    raise UsageError(f"mapping to {quote(target)}: no tag may set that config path")


def render(value: Value) -> str:
    """Return a value as text."""
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def keys(target: str) -> tuple[str, ...]:
    """Return the map keys that lead to a config path: a sysctl's own dots do not split it."""
    row = find(target)
    if not row.path.endswith("*"):
        return tuple(target.split("."))
    stem = row.path.removesuffix(".*")
    return (*stem.split("."), target[len(stem) + 1 :])
