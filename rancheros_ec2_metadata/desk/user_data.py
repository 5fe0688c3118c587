"""What RancherOS makes of an instance's user-data at its first boot: pure.

Source: rancher/os, cmd/cloudinitsave/cloudinitsave.go: only what begins with ``#cloud-config`` is
saved as it is; a script is run once the console is up; what is anything else is not saved.
"""

from __future__ import annotations

import zlib

from rancheros_ec2_metadata.errors import Note, info, warning
from rancheros_ec2_metadata.rancheros.disk import SIZE_LIMIT
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.records import dataclass

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # with gzip's header
# github.com/rancher/os/pull/2393, which mends what issue 2391 says of v1.4.0.
_UNPACKS_GZIP = (1, 4, 1)

# By what the first line begins with, in lower case: why it is not saved.
_OTHERS = {
    b"content-type:": "it is MIME multipart, which no release of RancherOS reads",
    b"mime-version:": "it is MIME multipart, which no release of RancherOS reads",
    b"i2nsb3vklwnvbmzpz": "it is base64: decode it first, as EC2 does (base64 -d)",
    b"h4si": "it is base64 of gzip: decode it first, as EC2 does (base64 -d)",
}


@dataclass(frozen=True)
class Saved:
    """What a first boot leaves of user-data.

    Args:
        boot_yml: cloud-config.d/boot.yml; None: there is none.
        notes: why not, and what else it does.
    """

    boot_yml: bytes | None
    notes: tuple[Note, ...] = ()


def saved(user_data: bytes, release: Release) -> Saved:
    """Return what this release saves of ``user_data``."""
    try:
        plain = _unpacked(user_data, release) if user_data.startswith(_GZIP) else user_data
    except _PackedError as why:
        return _nothing(str(why))
    header = plain.split(b"\n", 1)[0].rstrip()
    if header == b"#cloud-config":
        return Saved(plain)
    if header.startswith(b"#!"):
        text = (
            "the user-data is a script: RancherOS runs it when the console is up, after this"
            " program; what it sets by ros config is not in the plan"
        )
        return Saved(None, (info(text),))
    if plain.startswith(b"#compose\n"):
        text = "the user-data is #compose: its services set nothing that is planned here"
        return Saved(None, (info(text),))
    lower = header.lower()
    known = (why for start, why in _OTHERS.items() if lower.startswith(start))
    return _nothing(next(known, "its first line is not #cloud-config"))


def _nothing(why: str) -> Saved:
    return Saved(None, (warning(f"RancherOS saves nothing of this user-data: {why}"),))


class _PackedError(ValueError):
    """Gzipped user-data that does not become plain."""


def _unpacked(packed: bytes, release: Release) -> bytes:
    if release.version is not None and release.version < _UNPACKS_GZIP:
        raise _PackedError(
            f"it is gzipped, which RancherOS unpacks from v1.4.1 on, and this is {release.text}"
        )
    unpacking = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = unpacking.decompress(packed, SIZE_LIMIT)
    except zlib.error:
        raise _PackedError("it is gzipped, and damaged") from None
    if not unpacking.eof:
        raise _PackedError("it is gzipped, and damaged or too large")
    return plain
