"""Cut debug information and symbol tables off the shared libraries of wheels.

Run while the image is built: ``python strip_debug.py FOLDER``. PyYAML's library is 1.9 MB, of which
0.4 MB are ever loaded. The base image has no ``strip``; but a loader reads only the segments, and
what is not in one lies behind them.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

# ELF header of 64-bit little-endian files (amd64, arm64), from e_type on; then a program header.
_MAGIC = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTIONS_AT = 0x28  # e_shoff
_SECTION_COUNT_AT = 0x3C  # e_shnum, e_shstrndx


def stripped(library: bytes) -> bytes:
    """Return a shared library without anything that is not loaded.

    Raises:
        ValueError: it is no 64-bit little-endian ELF file.
    """
    if not library.startswith(_MAGIC):
        raise ValueError("not a 64-bit little-endian ELF file")
    segments_at, segment_size, segments = _segments(library)
    ends = [_HEADER.size, segments_at + segment_size * segments]
    for number in range(segments):
        at = segments_at + segment_size * number
        _, _, offset, _, _, size, _, _ = _SEGMENT.unpack_from(library, at)
        ends.append(offset + size)
    kept = bytearray(library[: max(ends)])
    struct.pack_into("<Q", kept, _SECTIONS_AT, 0)
    struct.pack_into("<HH", kept, _SECTION_COUNT_AT, 0, 0)
    return bytes(kept)


def _segments(library: bytes) -> tuple[int, int, int]:
    """Return where the program headers begin, the size of one, and their number."""
    header = _HEADER.unpack_from(library)
    return header[4], header[8], header[9]


def main(folder: Path) -> None:
    """Strip all shared libraries below a folder."""
    for path in folder.rglob("*.so"):
        path.write_bytes(stripped(path.read_bytes()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
