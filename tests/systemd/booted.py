"""A machine that is booted for real: a tree in systemd-nspawn, on a disk of its own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from real_parts.namespace import Namespace, Started

# More than any boot or shutdown that works takes: systemd gives a unit 90 s to stop.
_PATIENCE = 150
_WANTS_REBOOT = 133  # nspawn's status with --keep-unit

# The disk is in memory, Docker's part beside it: that must not lie on an overlay. nspawn's part
# of /run is hidden so that nothing is left of it; a cgroup v2 is laid over what is here.
_DISK = """
set -eu
tree=$1 cgroup=$2
cd "$3"
mkdir upper work root docker
mount -t overlay overlay -o "lowerdir=$tree,upperdir=upper,workdir=work" root
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "$cgroup"
"""
_IN_CGROUP = 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"'
# dockerd sets what is below /proc/sys/net, which is the machine's own.
_ENVIRONMENT = {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network", "PATH": os.defpath}
_INSIDE = ("env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8")


class BootError(Exception):
    """The machine did not come up, or ended; the message is the end of its console."""


class Booted:
    """A machine in namespaces of its own, which end everything that runs in it.

    Its network, the metadata service's addresses and docker0 outlive a reboot.

    Attributes:
        namespace: programs started there are on the machine's network, before it boots as well.
        root: its ``/``, to read and write at any time. A link to an absolute path leads out of it.
    """

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._folder = namespace.seen(namespace.folder)
        self.root = self._folder / "root"
        self._cgroup = f"/sys/fs/cgroup/booted-{namespace.first.pid}"
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told: dict[str, str] = {}
        self._nspawn: Started

    @classmethod
    @contextlib.contextmanager
    def made(cls, tree: Path) -> Iterator[Booted]:
        """Make a machine whose disk is a fresh copy of the tree; it is not booted yet."""
        with Namespace.opened() as namespace:
            machine = cls(namespace)
            script = ["bash", "-c", _DISK, "-"]
            _checked(namespace.run([*script, tree, machine._cgroup, namespace.folder]))
            try:
                yield machine
            finally:
                machine._end()

    def set_user_data(self, text: str) -> None:
        """Give it user-data for its first boot."""
        seed = self.root / "var/lib/cloud/seed/nocloud"
        (seed / "user-data").write_text(text)
        (seed / "meta-data").write_text("instance-id: i-0123456789abcdef0\n")

    def boot(self) -> None:
        """Boot it, until systemd has no more jobs to do; with cloud-init's scripts, that is.

        Raises:
            BootError: as for wait_for_boot.
        """
        self.start_boot()
        self.wait_for_boot()

    def start_boot(self) -> None:
        """Boot it, until programs can be run in it.

        Raises:
            BootError: it ended.
        """
        self._told.clear()
        notify = self._folder / "notify"
        notify.unlink(missing_ok=True)
        self._notified.close()
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(str(notify))
        disk = self.namespace.folder
        argv = ["bash", "-c", _IN_CGROUP, "-", self._cgroup, "systemd-nspawn"]
        argv += ["--boot", f"--directory={disk}/root", "--machine=booted", "--settings=no"]
        # This machine's systemd, if there is one, knows nothing of it.
        argv += ["--register=no", "--keep-unit", "--link-journal=no", "--console=pipe"]
        argv += ["--network-namespace-path=/proc/self/ns/net", "--capability=all"]
        argv += [f"--bind={disk}/docker:/var/lib/docker", "--notify-ready=yes"]
        argv += ["--system-call-filter=@keyring bpf"]  # for containers in it
        environment = {**_ENVIRONMENT, "NOTIFY_SOCKET": f"{disk}/notify"}
        with (self._folder / "console").open("w") as console:
            self._nspawn = self.namespace.start(
                argv, env=environment, stdout=console, stderr=console
            )
        self._wait_until_told("X_NSPAWN_LEADER_PID")

    def wait_for_boot(self) -> None:
        """Wait until systemd says that the boot is over, as boot() does.

        Raises:
            BootError: it ended, or it hangs.
        """
        self._wait_until_told("READY")
        # systemd tells more, and waits for ever where nobody reads it.
        self._notified.close()

    def reboot(self) -> None:
        """Shut it down in good order and boot it from the same disk.

        Raises:
            BootError: it did not go down, or as for boot.
        """
        self._shut_down("reboot", _WANTS_REBOOT)
        self.boot()

    def power_off(self) -> None:
        """Shut it down in good order.

        Raises:
            BootError: it did not go down.
        """
        self._shut_down("poweroff", 0)

    def attempt(
        self, *argv: str | Path, text: str = "", seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in it as root to its end, ``text`` on its standard input.

        Raises:
            subprocess.TimeoutExpired: it ran longer than ``seconds``.
        """
        enter = ["nsenter", f"--target={self._told['X_NSPAWN_LEADER_PID']}", "--all"]
        return self.namespace.run([*enter, *_INSIDE, *argv], text=text, seconds=seconds)

    def run(self, *argv: str | Path, text: str = "", seconds: float = 120) -> str:
        """Run a program in it and return what it printed.

        Raises:
            subprocess.CalledProcessError: what it wrote to standard error is written to ours.
            subprocess.TimeoutExpired: as for attempt.
        """
        return _checked(self.attempt(*argv, text=text, seconds=seconds))

    def journal(self, *arguments: str) -> str:
        """Return its journal, for example of ``--unit=docker.service``, ``--boot=-1``."""
        return self.run("journalctl", "--no-pager", "--output=short-precise", *arguments)

    def property(self, unit: str, name: str) -> str:
        """Return a property of a unit, as systemctl shows it."""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit).strip()

    def labels(self) -> dict[str, str]:
        """Return the labels that its Docker reports."""
        told = json.loads(self.run("docker", "info", "--format", "{{json .Labels}}"))
        return {key: value for key, _, value in (label.partition("=") for label in told)}

    def _shut_down(self, how: str, status: int) -> None:
        self.run("systemctl", "--no-block", how)
        try:
            ended = self._nspawn.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired as cause:
            raise BootError(self._last_words()) from cause
        if ended != status:
            raise BootError(self._last_words())

    def _wait_until_told(self, what: str) -> None:
        notified, ended = self._notified.fileno(), os.pidfd_open(self._nspawn.process.pid)
        try:
            while what not in self._told:
                ready, _, _ = select.select([notified, ended], [], [], _PATIENCE)
                if notified not in ready:
                    raise BootError(self._last_words())
                for line in self._notified.recv(4096).decode().splitlines():
                    name, _, value = line.partition("=")
                    self._told[name] = value
        finally:
            os.close(ended)

    def _last_words(self) -> str:
        return (self._folder / "console").read_text(errors="replace")[-3000:]

    def _end(self) -> None:
        self._notified.close()
        if (leader := self._told.get("X_NSPAWN_LEADER_PID")) is not None:
            self.namespace.run(["kill", "-KILL", leader])
            self._nspawn.process.wait()
        self.namespace.run(["find", self._cgroup, "-type", "d", "-delete"])


def _checked(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode:
        sys.stderr.write(done.stderr)
    done.check_returncode()
    return done.stdout
