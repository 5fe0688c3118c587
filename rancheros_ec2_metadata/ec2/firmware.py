"""Is this machine an EC2 instance? What its firmware says, without a request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

Verdict = Literal["yes", "no", "unclear"]

_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,32}")
# Xen gives the first field of the UUID in either byte order: ec2ae145-… is also 45e12aec-….
_XEN_UUID = re.compile(r"ec2|[0-9a-f]{4}2[0-9a-f]ec")


class Machine(NamedTuple):
    """What is known about this machine before the first request.

    Args:
        verdict: whether it is an EC2 instance.
        instance_id: Nitro writes it into DMI; None elsewhere.
        product_uuid: in lower case; another machine has another one.
    """

    verdict: Verdict
    instance_id: str | None = None
    product_uuid: str | None = None


def detect(root: Path) -> Machine:
    """Judge the machine whose /sys is below ``root``.

    Nitro names its vendor. Xen types (t2, m4, c4) have the vendor `Xen`, as machines elsewhere
    do; their UUIDs begin with `ec2`, and their BIOS version contains `amazon`.
    """
    dmi = root / "sys/class/dmi/id"
    vendor = _read_text(dmi / "sys_vendor")
    uuid = _read_text(dmi / "product_uuid").lower()  # readable by root only
    xen_uuid = _read_text(root / "sys/hypervisor/uuid").lower()
    asset_tag = _read_text(dmi / "board_asset_tag")
    if (
        vendor == "Amazon EC2"
        or _XEN_UUID.match(uuid)
        or _XEN_UUID.match(xen_uuid)
        or "amazon" in _read_text(dmi / "bios_version").lower()
    ):
        verdict: Verdict = "yes"
    else:
        verdict = "unclear" if vendor in ("", "Xen") else "no"
    instance_id = asset_tag if _INSTANCE_ID.fullmatch(asset_tag) else None
    return Machine(verdict, instance_id, uuid or None)


def _read_text(path: Path) -> str:
    """Return the text of a file, empty if it is missing or unreadable."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
