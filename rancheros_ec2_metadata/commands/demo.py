"""``demo``: a boot, played on this machine: a fake EC2, and a host in a folder."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator

from rancheros_ec2_metadata.commands import demo_on_rancheros, demo_on_systemd
from rancheros_ec2_metadata.commands.invocation import Invocation
from rancheros_ec2_metadata.settings import HostKind

_WIDTH = 80
_COLOURS = {"+": "32", "-": "31", "#": "1"}


def run(invocation: Invocation) -> int:
    """Play it."""
    return play(
        invocation.process.print, invocation.settings.host, colour=invocation.process.out.isatty()
    )


def play(show: Callable[[Iterable[str]], None], host: HostKind, *, colour: bool) -> int:
    """Play a boot and print what it did, in 80 columns; return its exit status.

    Args:
        show: prints lines of the story, the run's own log included.
        host: the kind of machine; RancherOS where it is auto.
        colour: with terminal colours.

    Raises:
        FilesError: there is no place for the disk.
    """
    story = demo_on_systemd.play if host == "systemd" else demo_on_rancheros.play
    return story(lambda lines: show(_drawn(lines, colour=colour)))


def _drawn(lines: Iterable[str], *, colour: bool) -> Iterator[str]:
    """Yield the lines, long ones on several."""
    for line in lines:
        code = _COLOURS.get(line[:1])
        for part in _wrap(line):
            yield f"\x1b[{code}m{part}\x1b[0m" if colour and code else part


def _wrap(line: str) -> list[str]:
    # A file's name is not broken at its hyphens.
    return textwrap.wrap(line, _WIDTH, subsequent_indent="    ", break_on_hyphens=False) or [""]
