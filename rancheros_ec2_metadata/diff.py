"""What a plan changes, for an operator to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.change import FileChange


def diff(changes: Sequence[FileChange]) -> Iterator[str]:
    """Yield the lines of a diff, without context: private keys are in cloud-config.yml.

    The state file is ours alone and is only named.
    """
    for change in changes:
        if change.path == paths.STATE:
            yield f"{'write' if change.after else 'remove'} {change.path}"
            continue
        yield from difflib.unified_diff(
            _lines(change.before),
            _lines(change.after),
            change.path if change.before is not None else "/dev/null",
            change.path if change.after is not None else "/dev/null",
            n=0,
            lineterm="",
        )


def _lines(content: bytes | None) -> list[str]:
    return (content or b"").decode("utf-8", "replace").splitlines()
