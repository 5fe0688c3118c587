"""``clean``: everything removed and restored."""

from __future__ import annotations

from rancheros_ec2_metadata import __version__, called_as
from rancheros_ec2_metadata.apply import Result, converge, lock
from rancheros_ec2_metadata.commands.invocation import Invocation
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, error, worst
from rancheros_ec2_metadata.hosts.files import FileChange, Files, read_plain
from rancheros_ec2_metadata.hosts.selection import make_host
from rancheros_ec2_metadata.hosts.state import State
from rancheros_ec2_metadata.plan.desired import NOTHING
from rancheros_ec2_metadata.runtime import Target

_LOOK_SECONDS = 10.0  # for which a running Docker is asked whether its labels are gone


def run(invocation: Invocation) -> int:
    """Remove what earlier runs wrote, and restore what they changed."""
    limit = Limit.after(invocation.settings.deadline, Clock())
    host = make_host(invocation.settings, limit, remove_legacy=invocation.given.legacy)
    return clean(
        invocation,
        Target(host, Files(host.locate, dry=invocation.given.dry_run), invocation.log),
        limit,
    )


def clean(invocation: Invocation, target: Target, limit: Limit) -> int:
    """Remove and restore with a given target; return the exit status.

    Raises:
        FilesError: there is nothing to write to. DeadlineError: another run is in the way.
    """
    host, files, log = target.host, target.files, target.log
    log.line(f"status: started; {called_as()} {__version__}, clean")
    result = Result()
    with lock(target, limit):
        converge(target, result, NOTHING, State())
        if result.ended and not files.dry and (notes := list(host.activate(_LOOK_SECONDS))):
            log.notes(notes)
            converge(target, result, NOTHING, State())  # what a running Docker needed until here
        if result.ended and not result.plan.state.edits:
            _remove_state(target, result)
    if files.dry:
        from rancheros_ec2_metadata.report import diff_file  # noqa: PLC0415 - not at boot

        for change in result.plan.changes:
            invocation.process.print(diff_file(change))
            result.changed[change.path] = "would remove" if change.after is None else "would change"
    status = worst(note.status for note in log.noted)
    if files.dry and result.changed:
        status = status or ExitStatus.WOULD_CHANGE
    done = ", ".join(f"{verb} {path}" for path, verb in result.changed.items())
    log.last(f"{done or 'nothing to remove'}; exit {int(status)}")
    return status


def _remove_state(target: Target, result: Result) -> None:
    files, path = target.files, target.host.places.state
    try:
        raw = read_plain(files.locate(path))
        files.write(FileChange(path, raw, None, is_record=True))
        result.changed[path] = "would remove" if files.dry else "removed"
    except FileNotFoundError:
        pass
    except OSError as why:
        text = f"{path} cannot be read: {why.strerror or why}; remove it"
        target.log.note(error(ExitStatus.FILES, text))
    except FilesError as failed:
        target.log.note(failed.note())
