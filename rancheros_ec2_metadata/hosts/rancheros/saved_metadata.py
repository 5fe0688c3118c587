"""What RancherOS has saved of the metadata, and whether that is of this instance.

cloud-init-save writes conf/metadata at a boot at which it can read the metadata without a token,
and at any other leaves it as it is: on a baked image, another machine's. Every boot takes from it
a host name, SSH keys and ``$private_ipv4`` (rancher/os: cmd/cloudinitsave/cloudinitsave.go,
saveFiles; config/disk.go, mergeMetadata and substituteVars).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from rancheros_ec2_metadata.errors import Note, quote, warning
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.release import load_texts

# The fields of its struct Metadata, and the variable that says the same of this instance.
_SAME = {"hostname": "AWS_HOSTNAME", "privateipv4": "AWS_LOCAL_IPV4"}


def warn_of_another_machine(raw: bytes, variables: Mapping[str, str]) -> Note | None:
    """Return a warning if the file names another host than this instance.

    Args:
        raw: the file.
        variables: AWS_ variables of this instance.
    """
    found = load_texts(raw)
    saved = {name.lower(): _text(node) for name, node in found.items()}
    others = []
    for name, variable in _SAME.items():
        there, here = saved.get(name), variables.get(variable)
        if there and here and there != _host(here):
            others.append(f"{quote(there)} (here {quote(here)})")
    if not others:
        return None
    return warning(
        f"{paths.SAVED_METADATA} names another host, {', '.join(others)}: RancherOS takes its"
        " host name, SSH keys and $private_ipv4 from it; remove it before an image is made"
    )


def _text(node: Any) -> str:
    """Return a host name, or an address, in text: Go's net.IP is written as a list of bytes."""
    if isinstance(node, list):
        try:
            address = ipaddress.ip_address(bytes(map(int, node)))
        except (ValueError, TypeError):
            return ""
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return str(mapped or address)
    return _host(node) if isinstance(node, str) and node not in ("null", "~") else ""


def _host(text: str) -> str:
    names = text.split()
    return names[0].rstrip(".").lower() if names else ""
