"""The units of ``install``: what they hold, and where they lie. Pure."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence

from rancheros_ec2_metadata.errors import UsageError, quote

NAME = "ec2-docker-labels"
FOLDER = "/etc/systemd/system"
LIBRARY = f"/usr/local/lib/{NAME}"
SERVICE, FOLLOW, TIMER = f"{NAME}.service", f"{NAME}-follow.service", f"{NAME}-follow.timer"
UNITS = (SERVICE, FOLLOW, TIMER)
LAUNCHER = f"/usr/local/bin/{NAME}"

_FIRST_LINE = (
    "# Written by 'ec2-docker-labels install', which writes it anew; 'uninstall' removes it."
)
_FOLLOW_SECONDS = 30  # the deadline of a run of the timer

# A run asks the network and systemd, reads the firmware, and writes into /etc/docker, /run,
# /var/lib and the file of --env-file. A forbidden system call fails, and does not kill the run.
_JOB = """\
Type=oneshot
SuccessExitStatus=3 4 6
RuntimeDirectory=metadata
RuntimeDirectoryPreserve=yes
StateDirectory=ec2-docker-labels
StateDirectoryMode=0700
UMask=0077
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
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
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallFilter=@chown
"""


def render_units(
    command: Sequence[str],
    environment: Mapping[str, str],
    deadline: float,
    follow: int | None,
) -> dict[str, str]:
    """Return the text of each unit by its path.

    Args:
        command: the words of a run.
        environment: variables of a run, by name.
        deadline: of a run at boot, in seconds.
        follow: seconds between runs on the running instance; None without.

    Raises:
        UsageError: a word cannot be in a unit.
    """
    run = " ".join(map(quote_word, command))
    variables = "".join(
        f"Environment={quote_word(f'{name}={value}', is_command=False)}\n"
        for name, value in sorted(environment.items())
    )
    # The supervisor ends a run at its deadline; systemd ends what it could not. The last line of a
    # run at boot is for EC2's console output.
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
ExecStart={run}
TimeoutStartSec={math.ceil(deadline) + 10}
BindPaths=-/dev/kmsg
DeviceAllow=/dev/kmsg w
{_JOB}{variables}
[Install]
WantedBy=docker.service multi-user.target
"""
    }
    if follow is not None:
        units[FOLLOW] = f"""\
{_FIRST_LINE}
# Without Before=docker.service: Docker may be reloaded from here, and restarted meanwhile.
[Unit]
Description=EC2 tags as Docker labels, on the running instance
After=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={run} --deadline={_FOLLOW_SECONDS}
TimeoutStartSec={_FOLLOW_SECONDS + 10}
ProtectKernelLogs=yes
{_JOB}{variables}"""
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
    return f'#!/bin/sh\n{_FIRST_LINE}\nexec {shlex.join(command)} "$@"\n'


def quote_word(word: str, *, is_command: bool = True) -> str:
    """Return one word of ExecStart= or Environment= (systemd.service(5), systemd.syntax(7)).

    Only a command has variables, whose ``$`` is doubled.

    Raises:
        UsageError: it is not text.
    """
    try:
        word.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{quote(word)} cannot be in a unit: it is not text") from None
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if is_command:
        escaped = escaped.replace("$", "$$")
    return '"' + "".join(x if x.isprintable() else _escape(x) for x in escaped) + '"'


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())
