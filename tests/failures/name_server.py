"""A name server that never answers: a wait inside the C library, which takes no time-out.

``/etc/resolv.conf`` names a port that takes every question and answers none. The C library waits
30 s for it, five times for each name: longer than the deadline.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from failures import timed
from failures.timed import Timed
from machine import MachineDisk
from real_parts.namespace import Namespace

if TYPE_CHECKING:
    from typing_extensions import Self

# Only this run's mounts have it; $0 is the file.
MOUNTED = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


class Silence:
    """A name server inside ``namespace`` that answers nothing.

    Args:
        namespace: where it is.
        folder: for the file that names it.
    """

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace = namespace
        self._resolv_conf = folder / "resolv.conf"
        self._resolv_conf.write_text("options timeout:30 attempts:5\nnameserver 127.0.0.53\n")
        self._bound = namespace.listen("127.0.0.53", 53, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bound.close()

    def asked(self) -> bytes:
        """Return all that was asked since the last time."""
        questions = b""
        self._bound.settimeout(0)
        while True:
            try:
                questions += self._bound.recv(4096)
            except BlockingIOError:
                return questions

    def run(self, disk: MachineDisk, deadline: float, **variables: str) -> Timed:
        """Run the program where this name server is asked.

        Args:
            disk: the machine's.
            deadline: seconds.
            variables: of the environment.
        """
        mounted = ("unshare", "--mount", "sh", "-c", MOUNTED, str(self._resolv_conf))
        ran = timed.run(
            disk,
            deadline=deadline,
            variables=variables,
            before=mounted,
            namespace=self._namespace,
        )
        timed.environment(disk)  # ros can read it
        return ran
