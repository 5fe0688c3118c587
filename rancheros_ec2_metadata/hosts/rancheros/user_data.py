"""What RancherOS takes an instance's user-data for: pure.

Source: rancher/os, cmd/cloudinitsave/cloudinitsave.go: the first line alone says what it is.
"""

from __future__ import annotations

import zlib
from enum import Enum
from typing import NamedTuple

from rancheros_ec2_metadata.errors import Note, info, warning
from rancheros_ec2_metadata.hosts.files import SIZE_LIMIT
from rancheros_ec2_metadata.hosts.rancheros.release import Release

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # with gzip's header
# github.com/rancher/os/pull/2393, which fixes what issue 2391 says of v1.4.0.
_UNPACKS_GZIP = (1, 4, 1)

NO_FIRST_LINE = "its first line is not #cloud-config"
_BEFORE_SCRIPT = "a byte order mark, which nobody sees, or white space is before #!"
# By what the first line begins with, in lower case: why it is not saved.
_OTHERS = {
    b"content-type:": "it is MIME multipart, which no release of RancherOS reads",
    b"mime-version:": "it is MIME multipart, which no release of RancherOS reads",
    b"i2nsb3vklwnvbmzpz": "it is base64: decode it first, as EC2 does (base64 -d)",
    b"iyev": "it is base64: decode it first, as EC2 does (base64 -d)",
    b"h4si": "it is base64 of gzip: decode it first, as EC2 does (base64 -d)",
    b"\xef\xbb\xbf#cloud-config": "a byte order mark, which nobody sees, is before #cloud-config",
    b"#compose": "its first line is not #compose alone: a carriage return is too much too",
}


class Form(str, Enum):
    """A kind of file, by what RancherOS does with it as user-data."""

    __str__ = str.__str__

    CLOUD_CONFIG = "cloud-config"  # saved as it is
    COMPOSE = "compose"  # saved as rancher.services
    SCRIPT = "script"  # run once the console is up
    SERVICE_FILE = "service-file"  # nothing: it is for `ros service enable`
    UNKNOWN = "unknown"  # nothing


class UserData(NamedTuple):
    """User-data as RancherOS sees it.

    Args:
        form: what it is to RancherOS.
        plain: its bytes, unpacked if the release unpacks them.
        why: it is nothing to RancherOS.
    """

    form: Form
    plain: bytes
    why: str = ""


def classify(raw: bytes, release: Release) -> UserData:
    """Return what this release sees in the bytes that an instance was given."""
    plain, why = _unpack(raw, release) if raw.startswith(_GZIP) else (raw, "")
    if why:
        return UserData(Form.UNKNOWN, raw, why)
    header = plain.split(b"\n", 1)[0].rstrip()
    if header == b"#cloud-config":
        return UserData(Form.CLOUD_CONFIG, plain)
    if header.startswith(b"#!"):
        return UserData(Form.SCRIPT, plain)
    if plain.startswith(b"#compose\n"):
        return UserData(Form.COMPOSE, plain)
    if plain.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"#!"):
        return UserData(Form.UNKNOWN, plain, _BEFORE_SCRIPT)
    lower = header.lower()
    known = (why for start, why in _OTHERS.items() if lower.startswith(start))
    return UserData(Form.UNKNOWN, plain, next(known, NO_FIRST_LINE))


def explain(found: UserData) -> list[Note]:
    """Return what a plan for a first boot does not show of the user-data."""
    if found.form is Form.CLOUD_CONFIG:
        return []
    if found.form is Form.COMPOSE:
        return [info("the user-data is #compose: its services set nothing that is planned here")]
    if found.form is Form.SCRIPT:
        text = (
            "the user-data is a script: RancherOS runs it at each console start, after this"
            " program and before Docker; what it sets by ros config is not in the plan"
        )
        return [info(text)]
    return [warning(f"RancherOS saves nothing of this user-data: {found.why}")]


def _unpack(packed: bytes, release: Release) -> tuple[bytes, str]:
    """Return the plain bytes, and why there are none."""
    if release.is_before(_UNPACKS_GZIP):
        why = f"it is gzipped, which RancherOS unpacks from v1.4.1 on, and this is {release.text}"
        return b"", why
    unpacking = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = unpacking.decompress(packed, SIZE_LIMIT)
    except zlib.error:
        return b"", "it is gzipped, and damaged"
    if not unpacking.eof:
        return b"", "it is gzipped, and damaged or too large"
    return plain, ""
