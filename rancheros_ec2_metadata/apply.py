"""A run: read EC2 and the machine, plan, rehearse, write."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from rancheros_ec2_metadata import __version__, called_as
from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.errors import (
    ExitStatus,
    FilesError,
    Level,
    Note,
    count,
    error,
    info,
    quote,
    worst,
)
from rancheros_ec2_metadata.hosts.base import Ours, Plan
from rancheros_ec2_metadata.hosts.files import ChangedError, FileChange, digest_file, read_plain
from rancheros_ec2_metadata.hosts.state import LastRun, State, cut_notes, render_state
from rancheros_ec2_metadata.plan import last_known_good
from rancheros_ec2_metadata.plan.desired import NOTHING, Desired
from rancheros_ec2_metadata.runtime import Runtime, Target, make_runtime

if TYPE_CHECKING:
    from rancheros_ec2_metadata.commands.invocation import Invocation
    from rancheros_ec2_metadata.ec2.facts import Facts
    from rancheros_ec2_metadata.settings import Settings

# The system writes cloud-config.yml at most twice at a boot. More changes are a fault.
_ATTEMPTS = 5
_MOST_LEFT_OUT = 3
_LOOK_SECONDS = 2.0  # for which a running Docker is asked whether it has its new labels
_SOURCES = {"imds": "IMDS", "api": "the EC2 API", None: "nowhere"}


def run(invocation: Invocation) -> int:
    """Run at boot; the supervisor ends it at the deadline in any state."""
    started = invocation.process.started
    age = 0.0 if started is None else time.monotonic() - started
    settings, log = invocation.settings, invocation.log
    result = apply(settings, make_runtime(settings, log, age=age))
    log.last(render_last_line(result))
    return result.status


class Result:
    """How a run ended.

    Attributes:
        plan: the last one.
        status: the exit status.
        outcome: what EC2_METADATA_STATUS is set to; None if it is not set.
        in_effect: this program's values that the machine has now.
        changed: the files that were written, and those that were removed, by path.
        ended: whether the last plan was written completely.
        sources: where EC2 says each variable of the metadata.
    """

    def __init__(self) -> None:
        self.plan = Plan((), State(), NOTHING, Ours(), Ours())
        self.status = ExitStatus.OK
        self.outcome: str | None = None
        self.in_effect = Ours()
        self.changed: dict[str, str] = {}
        self.ended = False
        self.sources: Mapping[str, str] = {}


def apply(settings: Settings, runtime: Runtime) -> Result:
    """Run once: read EC2, and bring the machine to what its tags ask for.

    It converges twice: before the first request with the last known good values, and with what EC2
    said. A plan that changes nothing writes nothing.

    Raises:
        FilesError: there is nothing to write to. DeadlineError: another run is in the way.
    """
    target, machine = runtime.target, runtime.machine
    log, host, files = target.log, target.host, target.files
    log.line(
        f"status: started; {called_as()} {__version__}, {runtime.now:%Y-%m-%dT%H:%M:%SZ},"
        f" {machine.instance_id or 'instance not known yet'},"
        f" {host.description or 'release not known'}"
    )
    result, began = Result(), runtime.deadline.clock.now()
    with lock(target, runtime.deadline):
        state, notes = host.read_state()
        log.notes(notes)
        if state.holds_values():
            wanted, kept = last_known_good.make_desired_before_requests(
                settings, state, machine, host.carries
            )
            converge(target, result, wanted, kept)
        # Notes about the last known good values are out of date once EC2's values are planned.
        earlier = {note.text for note in result.plan.notes}

        def converge_on(said: Facts, *, so_far: bool = False) -> None:
            wanted, kept = last_known_good.make_desired_after_requests(
                settings, state, machine, said, host.carries
            )
            if said.on_ec2 is False:
                wanted = NOTHING.with_outcome("none") if host.always_says_outcome else NOTHING
                kept = State()
            # Do not write only because of an outcome that is not final.
            if not so_far or not _sets_the_same(wanted, result.plan.desired):
                converge(target, result, wanted, kept)

        same = last_known_good.is_same_machine(state, machine) is True
        facts = runtime.ec2.read(
            kept=same and state.holds_values(), so_far=partial(converge_on, so_far=True)
        )
        if facts.identity is not None:
            log.note(info(f"instance {quote(facts.identity.instance_id)}"))
        result.sources = facts.sources
        converge_on(facts)
        if result.ended and not files.dry:
            log.notes(host.activate(_LOOK_SECONDS))
        past = earlier - {note.text for note in result.plan.notes}
        result.status = worst(note.status for note in log.noted if note.text not in past)
        seconds = runtime.deadline.clock.now() - began
        summary = tuple(_summarise(facts, result.plan, seconds))
        if not files.dry:
            _keep(runtime, result, state, summary)
            for line in summary:
                log.line(line)
    return result


@contextlib.contextmanager
def lock(target: Target, limit: Limit) -> Iterator[None]:
    """Hold the lock of a host, and remove what a run that was killed has left.

    Raises:
        FilesError: there is nothing to write to. DeadlineError: another run held it.
    """
    places, files = target.host.places, target.files
    with files.lock(places.lock, limit, places.lock_fix, is_ours=places.lock_is_ours):
        for folder in places.swept:
            files.sweep(folder)
        yield


def converge(target: Target, result: Result, desired: Desired, kept: State) -> None:
    """Plan from the disk as it is now, rehearse, write what differs, and fill the result.

    Args:
        target: what is configured.
        result: of the run.
        desired: the labels, variables and config values to set, and the outcome.
        kept: the instance, tags and metadata for the new state.
    """
    host, files, log = target.host, target.files, target.log
    result.ended = False
    for _ in range(_ATTEMPTS):
        result.plan = plan = host.plan(desired, kept)
        result.outcome = plan.state.status
        result.in_effect = plan.after
        log.notes(plan.notes)
        try:
            for change in plan.changes:
                files.write(change)
                if not change.is_record:
                    result.changed[change.path] = "removed" if change.after is None else "wrote"
        except ChangedError as changed:
            log.note(info(f"{changed}; planned again"))
            continue
        except FilesError as failed:
            log.note(failed.note())
            result.in_effect = host.read_ours(plan)
            result.outcome = "partial" if result.outcome == "complete" else result.outcome
        else:
            result.ended = True
        return
    text = "files kept changing while this program ran; see what else writes them"
    log.note(error(ExitStatus.FILES, text))


def _sets_the_same(one: Desired, other: Desired) -> bool:
    """Tell whether two desired states are equal except for the outcome of the run."""
    one, other = one.with_outcome("none"), other.with_outcome("none")
    return (one.labels, one.variables, one.config) == (other.labels, other.variables, other.config)


def _keep(runtime: Runtime, result: Result, before: State, summary: tuple[str, ...]) -> None:
    """Write the state and the result of this run; if that fails, the status is that of files."""
    log, files, plan = runtime.target.log, runtime.target.files, result.plan
    notes = [f"{one.level}: {one.text}" for one in log.noted if one.level is not Level.INFO]
    host = runtime.target.host
    digests = {path: digest_file(files.locate(path)) for path in plan.our_files}
    stamp = f"{runtime.now:%Y-%m-%dT%H:%M:%SZ}"
    run = LastRun(
        time=stamp,
        boot_id=runtime.boot_id,
        version=__version__,
        release=host.description or None,
        exit_status=int(result.status),
        summary=summary,
        notes=cut_notes(notes),
        files=digests,
    )
    labels = dict(result.in_effect.labels)
    # A killed run has not recorded when it changed the labels.
    changed = labels != dict(before.labels) or (labels and not before.labels_changed)
    moment = (stamp, runtime.boot_id or "") if changed else before.labels_changed
    state = plan.state._replace(
        labels=labels, status=result.outcome, last_run=run, labels_changed=moment
    )
    if not result.ended:
        # What could not be removed is still on the disk: the next run must know it as ours.
        state = state.with_former(host.read_state()[0])
    raw = None
    with contextlib.suppress(OSError):
        raw = read_plain(files.locate(host.places.state))
    try:
        files.write(FileChange(host.places.state, raw, render_state(state), is_record=True))
    except FilesError as why:
        log.note(error(ExitStatus.FILES, f"this run will not be in 'status': {why}"))
        result.status = worst((result.status, ExitStatus.FILES))


def render_last_line(result: Result) -> str:
    """Return what is set, what was written, and the exit status."""
    labels = count(len(result.in_effect.labels), "label")
    variables = count(len(result.in_effect.variables), "variable")
    # The name alone if it says which file it is.
    files = [
        f"{verb} {name if '.' in (name := path.rpartition('/')[2]) else path}"
        for path, verb in result.changed.items()
    ]
    return (
        f"status: {result.outcome or 'nothing set'}; {labels}, {variables};"
        f" {', '.join(files) or 'wrote no file'}; exit {int(result.status)}"
    )


def _summarise(facts: Facts, plan: Plan, seconds: float) -> Iterator[str]:
    """Yield the summary: the sources, what was left out, and the requests."""
    tags = _render_origins(_SOURCES[facts.tags_source], facts.tags or {}, plan.state.tags)
    metadata = _render_origins("IMDS", facts.variables, plan.state.metadata)
    yield f"metadata: {metadata}; tags: {tags}"
    yield from _render_left_out(plan.notes)
    requests = count(facts.imds_requests, "IMDS request")
    yield f"{requests}, {count(facts.api_calls, 'API call')}; {seconds:.1f} s"


def _render_origins(source: str, said: Collection[str], used: Collection[str]) -> str:
    """Return how many of the used names come from the source, and how many from the last run."""
    now = sum(name in said for name in used)
    parts = [f"{now} from {source}"] if now else []
    if len(used) > now:
        parts.append(f"{len(used) - now} from the last run")
    return ", ".join(parts) or "none"


def _render_left_out(notes: Iterable[Note]) -> Iterator[str]:
    texts = [
        note.text
        for note in notes
        if note.left_out
        and (note.level is not Level.INFO or note.left_out[0].reason.startswith("no tag"))
    ]
    for text in texts[:_MOST_LEFT_OUT]:
        yield f"left out: {text.removesuffix('; left out')}"
    if len(texts) > _MOST_LEFT_OUT:
        yield f"left out: {len(texts) - _MOST_LEFT_OUT} more, named above"
