"""``demo``: a boot, played on this machine."""

from __future__ import annotations

from rancheros_ec2_metadata.fake_ec2 import demo

from .call import Call


def run(call: Call) -> int:
    """Play it."""
    return demo.play(call.terminal.print, colour=call.terminal.out.isatty())
