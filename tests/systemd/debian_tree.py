"""A Debian tree with systemd, Docker and cloud-init, made once and then only read.

Run as a program it makes the tree, or says where it is.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(os.environ.get("SYSTEMD_TREES", "/var/tmp/rancheros-ec2-metadata-trees"))
# trixie: systemd 257, dockerd 26.1, cloud-init 25.1; bookworm: 252, 20.10, 22.4.
SUITE = os.environ.get("SYSTEMD_TREE_SUITE", "trixie")

_MIRROR = "http://deb.debian.org/debian"
_PACKAGES = {
    "bookworm": "docker.io",
    "trixie": "docker.io,docker-cli",
}
_ALWAYS = "systemd,systemd-sysv,dbus,cloud-init,python3,iproute2,busybox-static"
_OPTIONS = (
    "--variant=minbase",
    '--aptopt=Apt::Install-Recommends "false"',
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
)
# User-data comes from a file: cloud-init takes no IMDSv2 where no firmware says that it is on EC2,
# and the metadata service may be silent in a test. The network is what the test made. The masked
# units have nothing to do in a container, or ask Debian for updates.
_PREPARED = r"""
set -eu
cat >"$1/etc/cloud/cloud.cfg.d/99-seed.cfg" <<'END'
datasource_list: [NoCloud]
network: {config: disabled}
END
mkdir -p "$1/var/lib/cloud/seed/nocloud"
systemctl --root="$1" --quiet mask systemd-modules-load.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
"""


def make() -> Path:
    """Return the tree's folder; it is made if it is not there.

    Raises:
        subprocess.CalledProcessError: it could not be made; mmdebstrap has said why.
    """
    packages = f"{_ALWAYS},{_PACKAGES[SUITE]}"
    key = hashlib.sha256("\n".join([packages, *_OPTIONS, _PREPARED]).encode()).hexdigest()[:12]
    tree = FOLDER / f"{SUITE}-{key}"
    if tree.exists():
        return tree
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Under its own name only when it is whole.
    with tempfile.TemporaryDirectory(prefix="making-", dir=FOLDER) as folder:
        making, hook = Path(folder) / "tree", Path(folder) / "prepare"
        hook.write_text(f"#!/bin/sh{_PREPARED}")
        hook.chmod(0o755)
        command = ["mmdebstrap", "--quiet", *_OPTIONS, f"--include={packages}"]
        command += [f"--customize-hook={hook}", SUITE, str(making), _MIRROR]
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
        making.rename(tree)
    return tree


if __name__ == "__main__":
    sys.stdout.write(f"{make()}\n")
