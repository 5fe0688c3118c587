"""Namespaces that hold all a test starts, with the metadata service's addresses on ``lo``."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from typing_extensions import Self

IMDS_IPV4 = "169.254.169.254"
IMDS_IPV6 = "fd00:ec2::254"

Network = Literal["ec2", "empty", "host"]
_LOOPBACK = "ip link set lo up"
_ADDRESSES = f"""
{_LOOPBACK}
ip addr add {IMDS_IPV4}/32 dev lo
ip -6 addr add {IMDS_IPV6}/128 dev lo nodad
"""
_COMMANDS: dict[Network, str] = {"ec2": _ADDRESSES, "empty": _LOOPBACK, "host": ""}

# PID 1 of the namespaces. It ends when its standard input closes, however the test run ends
# (SIGKILL included), and the kernel then ends all other processes and mounts with it.
# A daemon.json or a containerd of this machine must not reach the dockerd of a test.
_FIRST_PROCESS = """
set -eu
mkdir -p /etc/docker /run/containerd
for folder in "$1" /etc/docker /run/containerd; do mount -t tmpfs tmpfs "$folder"; done
{network}
echo ready
read -r _ || true
umount --lazy "$1"
rmdir "$1"
"""

_BIND = """
import socket, sys
host, port, kind, channel = sys.argv[1], *map(int, sys.argv[2:])
bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
bound.bind((host, port))
if kind == socket.SOCK_STREAM:
    bound.listen(128)
socket.send_fds(socket.socket(fileno=channel), [b"."], [bound.fileno()])
"""


@dataclass(frozen=True)
class Started:
    """A program that runs inside. As a context manager it is stopped on leaving.

    Args:
        process: the ``nsenter`` out here that waits for it and ends as it ends.
    """

    process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.process.__exit__(None, None, None)  # closes its pipes

    def running(self) -> bool:
        """Tell whether it still runs."""
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal; nsenter would not pass it on."""
        while self.running():
            child = _child_of(self.process)
            if child is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, number)
                return
            time.sleep(0.005)  # nsenter has not forked yet

    def stop(self, seconds: float = 10) -> int:
        """Ask it to end, make it end after ``seconds``; return its status, negative: a signal."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            return self.process.wait(seconds)


@dataclass(frozen=True)
class Namespace:
    """Process, mount and, as a rule, network namespaces of their own.

    Args:
        first: the ``unshare`` whose child is PID 1 inside.
        folder: on a tmpfs that only processes inside see, and that is gone with them.
    """

    first: subprocess.Popen[str]
    folder: Path

    @classmethod
    @contextlib.contextmanager
    def opened(cls, network: Network = "ec2") -> Iterator[Namespace]:
        """Make the namespaces; on leaving, end everything that runs in them.

        Args:
            network: "ec2" has the metadata service's addresses on ``lo``, "empty" has ``lo``,
                "host" is this machine's own, where a package index can be reached.
        """
        namespaces = [] if network == "host" else ["--net"]
        namespaces += ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
        script = _FIRST_PROCESS.format(network=_COMMANDS[network])
        folder = tempfile.mkdtemp(prefix="real-parts-")  # PID 1 removes it
        with subprocess.Popen(
            ["unshare", *namespaces, "bash", "-c", script, "bash", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as first:
            if first.stdout is None or first.stdout.readline() != "ready\n":
                raise RuntimeError("namespaces could not be set up: see standard error")
            yield cls(first, Path(folder))

    def seen(self, path: Path) -> Path:
        """Return a path inside, as this process can open it."""
        return Path(f"/proc/{_child_of(self.first)}/root") / path.relative_to("/")

    def start(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: int | IO[str] | None = subprocess.DEVNULL,
        stdout: int | IO[str] | None = None,
        stderr: int | IO[str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Started:
        """Start a program inside, in this process's working folder unless told another."""
        enter = ["nsenter", f"--target={_child_of(self.first)}", "--net", "--pid", "--mount"]
        # Entering a mount namespace changes the working folder to /.
        enter += ["env", f"--chdir={cwd or Path.cwd()}"]
        return Started(
            subprocess.Popen(
                [*enter, *argv],
                env=env,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=pass_fds,
                encoding="utf-8",
                errors="surrogateescape",
            )
        )

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        text: str = "",
        seconds: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside to its end, ``text`` on its standard input.

        Raises:
            subprocess.TimeoutExpired: it ran longer than ``seconds``, and was killed.
        """
        pipe = subprocess.PIPE
        started = self.start(argv, env=env, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe)
        with started.process as process:
            try:
                stdout, stderr = process.communicate(text, seconds)
            except subprocess.TimeoutExpired:
                started.signal(signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def connect(self, other: Namespace) -> tuple[str, str]:
        """Join the two networks by a cable; return the IPv4 address of this end and of the other.

        Raises:
            subprocess.CalledProcessError: the kernel has no such cables.
        """
        ends = [str(_child_of(namespace.first)) for namespace in (self, other)]
        cable = ["ip", "link", "add", "cable", "netns", ends[0], "type", "veth"]
        subprocess.run([*cable, "peer", "name", "cable", "netns", ends[1]], check=True)
        addresses = ("192.0.2.1", "192.0.2.2")
        for namespace, address in zip((self, other), addresses, strict=True):
            for change in (f"addr add {address}/24 dev cable", "link set cable up"):
                namespace.run(["ip", *change.split()]).check_returncode()
        return addresses

    def listen(self, host: str, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """Return a socket that listens inside, for a server that runs in this process."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            argv = [
                sys.executable,
                "-I",
                "-c",
                _BIND,
                host,
                *map(str, (port, int(kind), theirs.fileno())),
            ]
            with self.start(argv, pass_fds=[theirs.fileno()]).process as binding:
                if binding.wait(90) != 0:
                    raise RuntimeError(f"cannot listen on {host} port {port}: see standard error")
            _, numbers, _, _ = socket.recv_fds(ours, 1, 1)
        return socket.socket(fileno=numbers[0])


def _child_of(process: subprocess.Popen[str]) -> int | None:
    """Return the id of the process that ``process`` has forked; None while there is none."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    except FileNotFoundError:
        return None
    return int(children.split()[0]) if children.strip() else None
