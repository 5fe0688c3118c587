"""The end of a run: what it was is said, and kept for `status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rancheros_ec2_metadata import __version__, history, summary
from rancheros_ec2_metadata.errors import Level
from rancheros_ec2_metadata.rancheros.runs import Run

if TYPE_CHECKING:
    from rancheros_ec2_metadata.boot import Edges
    from rancheros_ec2_metadata.ec2.facts import Facts
    from rancheros_ec2_metadata.rancheros.state import State
    from rancheros_ec2_metadata.writing import Writer


def close(
    edges: Edges,
    writer: Writer,
    before: State,
    facts: Facts,
    seconds: Mapping[str, float],
) -> None:
    """Write the summary and the last line, unless it is `plan`, which tells more; the lock is held.

    Args:
        edges: the run's.
        writer: has written.
        before: the state that the run found.
        facts: what EC2 said.
        seconds: that each part took.
    """
    if edges.store.dry:
        return
    log, plan = edges.log, writer.plan
    now = writer.left(before)
    outcome = plan.state.status if plan is not None else None
    said = tuple(summary.lines(facts, plan, seconds))
    run = Run(
        time=f"{edges.now:%Y-%m-%dT%H:%M:%SZ}",
        boot_id=edges.boot_id,
        version=__version__,
        instance_id=facts.identity.instance_id if facts.identity else None,
        release=writer.release.text or None,
        command="apply",
        outcome=outcome,
        exit_status=int(log.status()),
        summary=said,
        seconds={part: round(taken, 3) for part, taken in seconds.items()},
        notes=tuple(
            f"{note.level}: {note.text}" for note in log.noted if note.level is not Level.INFO
        ),
        files=now.digests,
    )
    changed = now.items != frozenset(before.items)
    history.add(edges.store, log, lambda runs: runs.with_run(run, changed_labels=changed))
    for line in said:
        log.line(line)
    in_force = now.labels, now.variables
    log.last(summary.last_line(log.status(), outcome, in_force, writer.written))
