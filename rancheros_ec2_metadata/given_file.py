"""A file that an operator names; ``-`` is standard input."""

from __future__ import annotations

from rancheros_ec2_metadata.errors import FilesError, quote

STANDARD_INPUT = "-"


def read(name: str, most: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        FilesError: it cannot be read, or has more than ``most``.
    """
    try:
        # By its number: sys.stdin is None if it was closed.
        source = 0 if name == STANDARD_INPUT else name
        with open(source, "rb", closefd=source != 0) as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise FilesError(f"{quote(name)} cannot be read: {why}") from None
    if len(content) > most:
        raise FilesError(f"{quote(name)} is larger than {most // 1024} KiB; EC2 takes 16")
    return content
