"""Many lists of Docker's arguments through one real bash."""

from __future__ import annotations

import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

# Each list is evaluated once, in a shell of its own, as the system's ``bash -c`` does.
_LOOP = """
while IFS= read -r -d '' command; do
    ( eval "printf '%s\\0' dockerd $command" ) </dev/null
    printf '%s\\0' "$0"
done <"$1"
"""


class CommandRanError(AssertionError):
    """An argument left a file behind."""


def evaluated(lists: Sequence[Sequence[str]]) -> list[list[str] | None]:
    """Return what dockerd gets for each list of items; None where bash cannot read it.

    Raises:
        CommandRanError: something was written where they are evaluated.
    """
    separator = uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as folder:
        commands, working = Path(folder) / "commands", Path(folder) / "working"
        working.mkdir()
        joined = (" ".join(items).encode("utf-8", "surrogateescape") + b"\0" for items in lists)
        commands.write_bytes(b"".join(joined))
        done = subprocess.run(
            ["bash", "--norc", "-c", _LOOP, separator, str(commands)],
            cwd=working,
            env={"PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        if left := [file.name for file in working.iterdir()]:
            raise CommandRanError(f"files were made: {left}")
    printed = done.stdout.split(separator.encode() + b"\0")[:-1]
    found = [
        one.decode("utf-8", "surrogateescape").split("\0")[1:-1] if one else None for one in printed
    ]
    assert len(found) == len(lists)
    return found


def labels(argv: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the labels that arguments set, and all other arguments."""
    pairs: list[tuple[str, str]] = []
    rest: list[str] = []
    left = iter(argv)
    for argument in left:
        text = argument.removeprefix("--label=") if argument.startswith("--label=") else None
        if argument == "--label":
            text = next(left, None)
        if text is None:
            rest.append(argument)
        else:
            key, _, value = text.partition("=")
            pairs.append((key, value))
    return pairs, rest
