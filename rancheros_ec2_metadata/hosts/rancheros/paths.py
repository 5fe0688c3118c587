"""Files of a RancherOS machine, and where this program finds them.

A path is written as the machine names it. In the service's container the machine's own folders are
below /host; ``ros`` there looks at /var/lib/rancher/conf, which in the image is a link to the copy.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

CONF = "/var/lib/rancher/conf"
CLOUD_CONFIG_D = f"{CONF}/cloud-config.d"
CLOUD_CONFIG = f"{CONF}/cloud-config.yml"
# It must sort after boot.yml, init.yml, network.yml and user_config.yml: the last file wins.
DROP_IN_NAME = "zz-ec2-metadata.yml"
DROP_IN = f"{CLOUD_CONFIG_D}/{DROP_IN_NAME}"
STATE = f"{CONF}/.ec2-metadata.json"
DOCKER_OPTS = f"{CONF}/docker"
SAVED_METADATA = f"{CONF}/metadata"
# User-data that is a script, as cloud-init-save leaves it (rancher/os, config/types.go).
SCRIPT = f"{CONF}/cloud-config-script"
OS_CONFIG = "/usr/share/ros/os-config.yml"
OEM_CONFIG = "/usr/share/ros/oem/oem-config.yml"
DOCKER_FOLDER = "/etc/docker"
DAEMON_JSON = f"{DOCKER_FOLDER}/daemon.json"
COMMAND_LINE = "/proc/cmdline"

# The copy on which a change is rehearsed: memory of the container.
COPY = "/dev/shm/rancher-conf"  # noqa: S108 - a folder of its own, for root alone
MOUNT = f"{CONF}:/host{CONF}"
MOUNT_FIX = f"mount it into this container ({MOUNT})"

_MOUNTED = (CONF, DOCKER_FOLDER)


def locate(root: Path, path: str) -> Path:
    """Return the path at which this process finds a machine's file."""
    for folder in _MOUNTED:
        if (path + "/").startswith(folder + "/") and (root / f"host{folder}").is_dir():
            return root / f"host{path}"
    copy = root / COPY.lstrip("/")
    if (path + "/").startswith(CONF + "/") and copy.is_mount():
        # A conf mounted at its former path is at COPY: the mount follows the image's link.
        return copy / path[len(CONF) + 1 :]
    return root / path.lstrip("/")


def list_drop_ins(files: Iterable[str]) -> list[str]:
    """Return the paths in cloud-config.d, weakest first, ours included."""
    return sorted(
        (path for path in files if path.startswith(f"{CLOUD_CONFIG_D}/")), key=os.fsencode
    )


def name_layer(path: str) -> str:
    """Return a file's name as an operator knows it: ``cloud-config.d/boot.yml``."""
    if path == COMMAND_LINE:
        return "the kernel command line"
    return path.removeprefix(f"{CONF}/") if path.startswith(CONF) else path.rpartition("/")[2]
