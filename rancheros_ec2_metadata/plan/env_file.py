"""The file of --env-file: this program's variables, for containers that are started by hand.

Docker's client reads it (docker/cli, opts/file.go, later pkg/kvfile): a line is ``NAME=value`` and
nothing in it is quoted or replaced; one line that is not UTF-8 or of 64 KiB loses the whole file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from rancheros_ec2_metadata.errors import UsageError, quote

if TYPE_CHECKING:
    from rancheros_ec2_metadata.settings import Settings

# bufio.MaxScanTokenSize of Go, the line end included.
_LINE_BYTES = 64 * 1024

# A file that does not begin with this line is not this program's.
_FIRST_LINE = (
    b"# Written by rancheros-ec2-metadata, anew at every boot, for docker run --env-file.\n"
)

# The system executes these or reads them as configuration, not only as variables.
_CONF = "/var/lib/rancher/conf"
_NOT_FOR_IT = (
    *("/etc/environment", "/etc/profile", "/etc/ld.so.preload", "/run/metadata/ec2"),
    *(f"{_CONF}/{name}" for name in ("cloud-config.yml", "cloud-config-script")),
    *(f"{_CONF}/{name}" for name in ("docker", "metadata")),
)
_NO_FOLDER_FOR_IT = (
    *(f"{_CONF}/cloud-config.d/", f"{_CONF}/.ec2-metadata", "/usr/share/ros/"),
    *("/etc/profile.d/", "/proc/", "/sys/", "/dev/"),
    *("/etc/docker/", "/etc/systemd/", "/run/systemd/", "/usr/", "/lib/", "/bin/", "/sbin/"),
    *("/etc/default/", "/etc/sysconfig/", "/etc/cron.d/", "/var/lib/ec2-docker-labels/"),
)


class EnvFile(NamedTuple):
    """One such file: its path, as the machine names it, and variables that it can hold."""

    path: str
    variables: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings, variables: Mapping[str, str]) -> EnvFile | None:
        """Return the file that ``settings`` ask for, if they do."""
        return cls(settings.env_file, variables) if settings.env_file is not None else None


def parse_path(text: str) -> str:
    """Return the path that an operator gives.

    Raises:
        UsageError: it is not absolute, or something else would read what is there as its own.
    """
    plain = os.path.normpath(text).replace("//", "/")
    if not text.startswith("/") or text.endswith("/") or not text.isprintable():
        raise UsageError(f"{quote(text)} is not the absolute path of a file")
    if plain in _NOT_FOR_IT or plain.startswith(_NO_FOLDER_FOR_IT):
        raise UsageError(f"{quote(text)} is a file of the system's or of this program's own")
    return plain


def explain_unholdable(name: str, value: str) -> str | None:
    """Return why Docker would not read ``name`` with ``value`` from the file; None if it would."""
    if "\n" in value or value.endswith("\r"):
        return "it holds a line end, and a variable is one line there"
    if "\0" in value:
        return "it holds a NUL, and no container would start with it"
    try:
        line = f"{name}={value}\n".encode()
    except UnicodeEncodeError:
        return "it is not Unicode text"
    if len(line) > _LINE_BYTES:
        return f"its line would be longer than {_LINE_BYTES} bytes"
    return None


def render_env_file(variables: Mapping[str, str]) -> bytes:
    """Return the file with ``variables``."""
    return _FIRST_LINE + "".join(f"{k}={v}\n" for k, v in sorted(variables.items())).encode()


def is_ours(content: bytes) -> bool:
    """Tell whether a file is empty, or begins with our line."""
    return not content or content.startswith(_FIRST_LINE)
