"""The units of ``install``: what they hold, and where they lie. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rancheros_ec2_metadata.errors import UsageError, shown

NAME = "ec2-docker-labels"
FOLDER = "/etc/systemd/system"
LIBRARY = f"/usr/local/lib/{NAME}"
SERVICE, FOLLOW, TIMER = f"{NAME}.service", f"{NAME}-follow.service", f"{NAME}-follow.timer"
UNITS = (SERVICE, FOLLOW, TIMER)
PYZ = f"{LIBRARY}/{NAME}.pyz"
LAUNCHER = f"/usr/local/bin/{NAME}"

_FIRST_LINE = (
    "# Written by 'ec2-docker-labels install', which writes it anew; 'uninstall' removes it."
)
_FOLLOW_SECONDS = 30  # the deadline of a run of the timer
_SPARE_SECONDS = 10  # after which systemd ends one that did not end itself

# The job asks the network and systemd, reads the firmware, and writes into /etc/docker, /run,
# /var/lib and the file of --env-file. Older systemd asks CAP_SYS_ADMIN of who reloads a unit.
_SERVICE = """\
Type=oneshot
ExecStart={command}
TimeoutStartSec={timeout}
SuccessExitStatus=3 4 6
RuntimeDirectory=metadata
RuntimeDirectoryPreserve=yes
StateDirectory=ec2-docker-labels
StateDirectoryMode=0700
UMask=0077
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_SYS_ADMIN
DeviceAllow=/dev/kmsg w
DevicePolicy=closed
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateMounts=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""


def render_units(
    command: Sequence[str], follow: int | None, deadline: float = 120
) -> dict[str, str]:
    """Return the text of each unit by its path.

    Args:
        command: the words of a run.
        follow: seconds between runs on the running instance; None without.
        deadline: seconds of a run before Docker, which ends itself then.

    Raises:
        UsageError: a word cannot be in a unit.
    """
    run, timeout = " ".join(map(quote_word, command)), math.ceil(deadline) + _SPARE_SECONDS
    units = {
        SERVICE: f"""\
{_FIRST_LINE}
[Unit]
Description=EC2 tags as Docker labels and environment variables
Wants=network-online.target
After=network-online.target
Before=docker.service
StartLimitIntervalSec=0

[Service]
{_SERVICE.format(command=run, timeout=timeout)}
[Install]
WantedBy=docker.service multi-user.target
"""
    }
    if follow is not None:
        run = f"{run} --deadline={_FOLLOW_SECONDS}"
        units[FOLLOW] = f"""\
{_FIRST_LINE}
# Without Before=docker.service: Docker may be reloaded from here, and restarted meanwhile.
[Unit]
Description=EC2 tags as Docker labels, on the running instance
After=network-online.target
StartLimitIntervalSec=0

[Service]
{_SERVICE.format(command=run, timeout=_FOLLOW_SECONDS + _SPARE_SECONDS)}"""
        units[TIMER] = f"""\
{_FIRST_LINE}
[Unit]
Description=EC2 tags as Docker labels, every {follow} seconds

[Timer]
OnActiveSec={follow}
OnUnitInactiveSec={follow}
AccuracySec=1
Unit={FOLLOW}

[Install]
WantedBy=timers.target
"""
    return {f"{FOLDER}/{name}": text for name, text in units.items()}


def render_launcher(command: Sequence[str]) -> str:
    """Return the script that starts the program with the operator's own arguments."""
    words = " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)
    return f'#!/bin/sh\n{_FIRST_LINE}\nexec {words} "$@"\n'


def quote_word(word: str) -> str:
    """Return one word of ExecStart= (systemd.service(5), "Command lines"; systemd.syntax(7)).

    Raises:
        UsageError: it is not text, or holds a NUL.
    """
    try:
        word.encode()
    except UnicodeEncodeError:
        word = "\0"
    if "\0" in word:
        raise UsageError(f"{shown(word)} cannot be in a unit: it is not text")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return '"' + "".join(x if x.isprintable() else _escape(x) for x in escaped) + '"'


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())
