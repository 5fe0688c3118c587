"""``fake-imds``: the fake metadata service alone, its data in a file."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from rancheros_ec2_metadata.commands.invocation import Invocation
from rancheros_ec2_metadata.errors import Ec2MetadataError, UsageError, quote
from rancheros_ec2_metadata.fake_ec2.data import read_instance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

_LOOK = 0.2  # seconds between looks at the data file, and at the signals


def run(invocation: Invocation) -> int:
    """Serve what the data file describes until SIGINT or SIGTERM; it may be edited meanwhile.

    Raises:
        UsageError: the address cannot be listened on, or the file does not describe an instance.
        FilesError: the file cannot be read.
    """
    listen, data, err = invocation.given.listen, Path(invocation.given.data), invocation.process.err
    host, port = _parse_address(listen)
    stop: list[int] = []
    # PID 1 of a container ignores a signal that has no handler.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: stop.append(number))
    seen = _read_signature(data)
    instance = read_instance(data)
    try:
        imds = FakeImds(instance, host=host, port=port)
    except (OSError, UnicodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "no host's name"
        raise UsageError(f"--listen {quote(listen)}: {reason}; give another HOST:PORT") from cause
    with imds:
        _say(err, f"the metadata of {data} is at {imds.url}")
        while not stop:
            time.sleep(_LOOK)
            if (signature := _read_signature(data)) != seen:
                seen = signature
                _say(err, _read_again(imds, data))
    return 0


def _say(err: TextIO, line: str) -> None:
    err.write(f"{line}\n")
    err.flush()


def _parse_address(listen: str) -> tuple[str, int]:
    with contextlib.suppress(ValueError):
        address = urlsplit(f"//{listen}")
        if address.netloc == listen and address.hostname and address.port is not None:
            return address.hostname, address.port
    raise UsageError(f"--listen {quote(listen)}: must be HOST:PORT, an IPv6 address as [::1]:80")


def _read_signature(data: Path) -> tuple[int, int, int] | None:
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
