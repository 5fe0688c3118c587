"""Is this machine an EC2 instance? What its firmware says, without a request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verdict = Literal["yes", "no", "unclear"]

_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,32}")
# Xen gives the first field of the UUID in either byte order: ec2ae145-… is also 45e12aec-….
_XEN_UUID = re.compile(r"ec2|[0-9a-f]{4}2[0-9a-f]ec")


@dataclass(frozen=True)
class Facts:
    """What DMI and Xen say; None where a file is missing, empty or unreadable."""

    sys_vendor: str | None = None
    product_uuid: str | None = None
    board_asset_tag: str | None = None
    bios_version: str | None = None
    hypervisor_uuid: str | None = None


@dataclass(frozen=True)
class Machine:
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
    """Judge the machine whose /sys is below ``root``."""
    return judge(read_facts(root))


def read_facts(root: Path) -> Facts:
    """Read what there is below ``root``; product_uuid is readable by root only."""
    dmi = root / "sys/class/dmi/id"
    return Facts(
        sys_vendor=_text(dmi / "sys_vendor"),
        product_uuid=_text(dmi / "product_uuid"),
        board_asset_tag=_text(dmi / "board_asset_tag"),
        bios_version=_text(dmi / "bios_version"),
        hypervisor_uuid=_text(root / "sys/hypervisor/uuid"),
    )


def judge(facts: Facts) -> Machine:
    """Return the verdict on ``facts``.

    Nitro names its vendor. Xen types (t2, m4, c4) have the vendor `Xen`, as machines elsewhere
    do; their UUIDs begin with `ec2`, and their BIOS version contains `amazon`.
    """
    asset_tag = facts.board_asset_tag or ""
    uuid = facts.product_uuid
    return Machine(
        verdict=_verdict(facts),
        instance_id=asset_tag if _INSTANCE_ID.fullmatch(asset_tag) else None,
        product_uuid=uuid.lower() if uuid else None,
    )


def _verdict(facts: Facts) -> Verdict:
    uuids = (facts.product_uuid, facts.hypervisor_uuid)
    if (
        facts.sys_vendor == "Amazon EC2"
        or any(uuid and _XEN_UUID.match(uuid.lower()) for uuid in uuids)
        or "amazon" in (facts.bios_version or "").lower()
    ):
        return "yes"
    return "unclear" if facts.sys_vendor in (None, "Xen") else "no"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None
