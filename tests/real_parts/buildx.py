"""A Docker with buildx and the containerd image store: that of a later Debian, in a chroot."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from real_parts.namespace import Namespace

ROOT = Path(__file__).parents[2]
_SUITE = "trixie"
_PACKAGES = "docker.io,docker-cli,docker-buildx,make"
_READY_SECONDS = 60
_SOCKET = "unix:///run/docker-of-the-release.sock"
# With the other store, "Multi-platform build is not supported for the docker driver".
_SETTINGS = {"features": {"containerd-snapshotter": True}}
# The mounts are those of the namespace, and gone with it. runc needs a root that is a mount.
_START = """
set -eu
root=$1 source=$2 context=$3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/source" "$root/context"
mount --bind -o ro "$source" "$root/source"
mount --bind -o ro "$context" "$root/context"
cat /etc/resolv.conf >"$root/etc/resolv.conf"
cat /etc/hosts >"$root/etc/hosts"
exec chroot "$root" dockerd --host="$4" --pidfile=/run/docker.pid \
    --iptables=false --ip6tables=false --ip-forward=false --bridge=none
"""


@dataclass(frozen=True)
class Buildx:
    """A dockerd in a chroot, the sources beside it.

    Args:
        namespace: where it runs. root: the chroot.
    """

    namespace: Namespace
    root: Path

    @classmethod
    @contextlib.contextmanager
    def started(cls, namespace: Namespace, root: Path, context: Path) -> Iterator[Buildx]:
        """Start it, and stop it on leaving.

        Args:
            namespace: where it runs: on the network of the index and of Debian's archive.
            root: its chroot, which is made if there is none.
            context: a folder that it builds from too, there ``/context``.

        Raises:
            RuntimeError: it did not come up.
            subprocess.CalledProcessError: the chroot could not be made.
        """
        _make_chroot(root)
        log_file = root.parent / "dockerd.log"
        started = ["bash", "-c", _START, "bash", str(root), str(ROOT), str(context), _SOCKET]
        with (
            log_file.open("w") as log,
            namespace.start(started, stdout=log, stderr=log, env=_environment()) as process,
        ):
            buildx = cls(namespace, root)
            ends = time.monotonic() + _READY_SECONDS
            while buildx.run("/", *buildx.client, "version").returncode != 0:
                if not process.running() or time.monotonic() > ends:
                    raise RuntimeError(f"no dockerd in {root}: see {log_file}")
                time.sleep(0.1)
            yield buildx

    @property
    def client(self) -> list[str]:
        """The docker client's command, inside."""
        return ["docker", f"--host={_SOCKET}"]

    def run(self, folder: str, *argv: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program inside, in a folder."""
        chroot = ["chroot", str(self.root), "env", f"--chdir={folder}"]
        return self.namespace.run([*chroot, *argv], env=_environment(), seconds=seconds)

    def printed(self, folder: str, *argv: str, seconds: float = 60) -> str:
        """Run a program inside, in a folder, and return what it prints.

        Raises:
            subprocess.CalledProcessError: with what it wrote as a note.
        """
        done = self.run(folder, *argv, seconds=seconds)
        try:
            done.check_returncode()
        except subprocess.CalledProcessError as error:
            error.add_note((done.stdout + done.stderr)[-5000:])
            raise
        return done.stdout.strip()


def _environment() -> dict[str, str]:
    """Return what of this process's environment counts inside: of its make and Docker, nothing."""
    kept = {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **kept}


def _make_chroot(root: Path) -> None:
    made = root.with_name(f"{root.name}.made")
    if made.exists():
        return
    # What a run that was ended has left.
    shutil.rmtree(root, ignore_errors=True)
    included = f"--include={_PACKAGES}"
    argv = ["debootstrap", "--variant=minbase", included, _SUITE, str(root)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    (root / "etc/docker").mkdir(exist_ok=True)
    (root / "etc/docker/daemon.json").write_text(json.dumps(_SETTINGS))
    made.touch()
