"""What a first boot leaves of user-data, and what is said of the rest: pure."""

from __future__ import annotations

from dataclasses import dataclass

from rancheros_ec2_metadata.errors import Note, info, warning
from rancheros_ec2_metadata.rancheros import user_data as rancheros
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.rancheros.user_data import Kind


@dataclass(frozen=True)
class Saved:
    """What a first boot leaves of user-data.

    Args:
        boot_yml: cloud-config.d/boot.yml; None: there is none.
        notes: why not, and what else it does.
    """

    boot_yml: bytes | None
    notes: tuple[Note, ...] = ()


def saved(user_data: bytes, release: Release) -> Saved:
    """Return what this release saves of ``user_data``."""
    found = rancheros.seen(user_data, release)
    match found.kind:
        case Kind.CLOUD_CONFIG:
            return Saved(found.plain)
        case Kind.SCRIPT:
            text = (
                "the user-data is a script: RancherOS runs it when the console is up, after this"
                " program; what it sets by ros config is not in the plan"
            )
            return Saved(None, (info(text),))
        case Kind.COMPOSE:
            text = "the user-data is #compose: its services set nothing that is planned here"
            return Saved(None, (info(text),))
    return Saved(None, (warning(f"RancherOS saves nothing of this user-data: {found.why}"),))
