"""Servers on loopback that answer each connection by a script, and one that is not there."""

from __future__ import annotations

import socket
from collections.abc import Callable

Script = Callable[[socket.socket], None]
Serve = Callable[[Script], str]


def closed_url() -> str:
    """Return an address where nothing listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
