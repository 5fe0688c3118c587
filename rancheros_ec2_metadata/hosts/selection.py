"""Which kind of host this machine is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit
    from rancheros_ec2_metadata.hosts.base import Host
    from rancheros_ec2_metadata.settings import Settings


def make_host(
    settings: Settings, limit: Limit, *, remove_legacy: bool = False, off_machine: bool = False
) -> Host:
    """Return the machine's configuration, and what reads it.

    Args:
        settings: the run's.
        limit: for all questions to what reads the configuration.
        remove_legacy: also remove what the legacy amazon-metadata left.
        off_machine: this may be another machine: where nothing to ask is named, none is needed.
    """
    # A host imports what it alone needs.
    if choose_host(settings) == "systemd":
        from rancheros_ec2_metadata.hosts.systemd import systemd_host  # noqa: PLC0415 - as said

        return systemd_host.make_systemd(settings, limit, off_machine=off_machine)
    from rancheros_ec2_metadata.hosts.rancheros import rancheros_host  # noqa: PLC0415 - as said

    return rancheros_host.make_rancheros(
        settings, limit, remove_legacy=remove_legacy, off_machine=off_machine
    )


def choose_host(settings: Settings) -> Literal["rancheros", "systemd"]:
    """Return the kind of host: RancherOS has a folder of its own, else systemd if that runs.

    k3s and rke2 have /var/lib/rancher too, without conf/.
    """
    if settings.host != "auto":
        return settings.host
    conf = "var/lib/rancher/conf"
    if any((settings.root / path).is_dir() for path in (conf, f"host/{conf}")):
        return "rancheros"
    return "systemd" if (settings.root / "run/systemd/system").is_dir() else "rancheros"
