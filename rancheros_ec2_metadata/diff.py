"""What a plan changes, for an operator to read."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

from rancheros_ec2_metadata.errors import printable, shown
from rancheros_ec2_metadata.plan import arguments
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import DOCKER, Layers, stack

_MISSING = "/dev/null"


def diff(changes: Sequence[FileChange], ours: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of a diff.

    The state file is ours alone and is only named. Of cloud-config.yml, where private keys and old
    credentials are, no text is shown: only the arguments that come and go, those of the user's by
    their options alone, and the names of the variables that do.

    Args:
        changes: of a plan.
        ours: items of Docker's arguments that are ours, or were.
    """
    for change in changes:
        if change.path == paths.STATE:
            yield f"{'write' if change.after else 'remove'} {change.path}"
        elif change.path == paths.CLOUD_CONFIG:
            yield f"--- {change.path}"
            yield f"+++ {change.path}"
            yield from _cloud_config(change, ours)
        else:
            yield from difflib.unified_diff(
                _lines(change.before),
                _lines(change.after),
                change.path if change.before is not None else _MISSING,
                change.path if change.after is not None else _MISSING,
                n=0,
                lineterm="",
            )


def _lines(content: bytes | None) -> list[str]:
    text = (content or b"").decode("utf-8", "replace")
    return [printable(line) for line in text.split("\n")[: -1 if text.endswith("\n") else None]]


def _cloud_config(change: FileChange, ours: Collection[str]) -> Iterator[str]:
    before, after = _layers(change.before), _layers(change.after)
    for key in ("args", "extra_args"):
        old, new = before.texts((*DOCKER, key)), after.texts((*DOCKER, key))
        for sign, items, others in (("-", old, new), ("+", new, old)):
            yield from (
                f"{sign}rancher.docker.{key}: {_item(item, ours)}"
                for item in items
                if item not in others
            )
    yield from _names("-", before.environment(), after.environment())
    yield from _names("+", after.environment(), before.environment())


def _item(item: str, ours: Collection[str]) -> str:
    return shown(item if item in ours else arguments.named(item), 300)


def _names(sign: str, there: Mapping[str, str], others: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(there.keys() - others.keys()):
        yield f"{sign}rancher.environment.{name}: (its value is not shown)"


def _layers(content: bytes | None) -> Layers:
    disk = Disk({paths.CLOUD_CONFIG: content or b""})
    return stack(disk, releases.of(disk)).only(paths.CLOUD_CONFIG)
