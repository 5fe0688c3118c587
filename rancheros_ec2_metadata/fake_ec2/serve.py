"""The command ``fake-imds``: the fake metadata service alone, its data in a file."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from rancheros_ec2_metadata.errors import Ec2MetadataError, UsageError, shown
from rancheros_ec2_metadata.fake_ec2.data import read_instance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

_LOOK = 0.2  # seconds between looks at the data file, and at the signals


def serve(listen: str, data: Path, out: TextIO) -> int:
    """Serve what ``data`` describes until SIGINT or SIGTERM; it may be edited meanwhile.

    Runs in the main thread, also as PID 1, where a signal without a handler is ignored.

    Args:
        listen: HOST:PORT, an IPv6 address in brackets.
        data: a JSON file, see data.FakeInstance.
        out: where a line says what is served, and another each time the file was read again.

    Raises:
        UsageError: ``listen`` cannot be listened on, or the file does not describe an instance.
        FilesError: the file cannot be read.
    """
    host, port = _address(listen)
    stop: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: stop.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with ExitStack() as stack:
            seen = _signature(data)
            imds = FakeImds(read_instance(data), host=host, port=port)
            try:
                stack.enter_context(imds)
            except (OSError, UnicodeError) as cause:
                reason = cause.strerror if isinstance(cause, OSError) else "no host's name"
                raise UsageError(
                    f"--listen {shown(listen)}: {reason}; give another HOST:PORT"
                ) from cause
            _say(out, f"the metadata of {data} is at {imds.url}")
            while not stop:
                time.sleep(_LOOK)
                if (signature := _signature(data)) != seen:
                    seen = signature
                    _say(out, _read_again(imds, data))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _say(out: TextIO, line: str) -> None:
    out.write(f"{line}\n")
    out.flush()


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UsageError(f"--listen {shown(listen)}: write an IPv6 address as [::1]:80")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--listen {shown(listen)}: must be HOST:PORT")
    return host, int(port)


def _signature(data: Path) -> tuple[int, int, int] | None:
    try:
        stat = data.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _read_again(imds: FakeImds, data: Path) -> str:
    try:
        imds.instance = read_instance(data)
    except Ec2MetadataError as error:
        return f"{error}; what it was before is still served"
    return f"{data} was read again"
