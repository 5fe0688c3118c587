"""``fake-imds``: the fake metadata service alone."""

from __future__ import annotations

from pathlib import Path

from rancheros_ec2_metadata.fake_ec2 import serve

from .call import Call


def run(call: Call) -> int:
    """Serve until the process is stopped."""
    return serve.serve(call.given.listen, Path(call.given.data), call.terminal.err)
