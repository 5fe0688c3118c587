"""What is said of a run as a whole: its first line, its summary and its last line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from rancheros_ec2_metadata import __version__
from rancheros_ec2_metadata.errors import Level
from rancheros_ec2_metadata.log import PREFIX

if TYPE_CHECKING:
    from rancheros_ec2_metadata.ec2.facts import Facts
    from rancheros_ec2_metadata.errors import ExitStatus, Note
    from rancheros_ec2_metadata.plan.planning import Plan
    from rancheros_ec2_metadata.rancheros.release import Release

# What a serial console shows of a line, less what each line of the log begins with.
_WIDTH = 80 - len(PREFIX)
# Asking EC2; planning and writing; reading back.
_PARTS = ("EC2", "files", "ros")
_MOST_LEFT_OUT = 3
_SOURCES = {"imds": "IMDS", "api": "the EC2 API", None: "nowhere"}


def first_line(now: datetime, instance_id: str | None, release: Release) -> str:
    """Return what runs, when and where."""
    return (
        f"rancheros-ec2-metadata {__version__}, {now:%Y-%m-%dT%H:%M:%SZ},"
        f" {instance_id or 'instance not known yet'},"
        f" {release.text or 'release not known'}"
    )


def lines(facts: Facts, plan: Plan | None, seconds: Mapping[str, float]) -> Iterator[str]:
    """Yield what came from where, what was left out, and what it took, in 80 columns.

    Args:
        facts: what EC2 said.
        plan: the last one.
        seconds: that each part took.
    """
    metadata, tags = (plan.state.metadata, plan.state.tags) if plan is not None else ({}, {})
    source = _SOURCES[facts.tags_source]
    yield (
        f"metadata: {_from('IMDS', facts.variables, metadata)};"
        f" tags: {_from(source, facts.tags or {}, tags)}"
    )
    yield from _left_out(plan.notes if plan is not None else ())
    asked = f"{facts.imds_requests} IMDS requests, {facts.api_calls} API calls"
    took = [f"{part} {_seconds(seconds[part])}" for part in _PARTS if seconds.get(part, 0) >= 0.001]
    together = "; ".join(filter(None, (asked, ", ".join(took))))
    yield from [together] if len(together) <= _WIDTH else [asked, ", ".join(took)]


def last_line(
    status: ExitStatus, outcome: str | None, in_force: tuple[int, int], wrote: Iterable[str]
) -> str:
    """Return what is set, what was written, and the exit status."""
    labels, variables = in_force
    files = ", ".join(path.rpartition("/")[2] for path in wrote) or "no file"
    return (
        f"{outcome or 'nothing'}: {labels} labels, {variables} variables;"
        f" wrote {files}; exit {int(status)}"
    )


def _from(source: str, said: Collection[str], used: Collection[str]) -> str:
    """Return how many of the names that are used were said now, and how many are kept."""
    now = sum(name in said for name in used)
    parts = [f"{now} from {source}"] if now else []
    if len(used) > now:
        parts.append(f"{len(used) - now} kept from the last run")
    return ", ".join(parts) or "none"


def _left_out(notes: Iterable[Note]) -> Iterator[str]:
    refused = (Level.WARNING, Level.ERROR)
    texts = [note.text for note in notes if note.left_out and note.level in refused]
    for text in texts[:_MOST_LEFT_OUT]:
        line = f"left out: {text}"
        yield line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
    if len(texts) > _MOST_LEFT_OUT:
        yield f"left out: {len(texts) - _MOST_LEFT_OUT} more, named above"


def _seconds(taken: float) -> str:
    return f"{taken:.1f} s" if taken >= 1 else f"{taken * 1000:.0f} ms"
