"""``clean``: everything removed and restored."""

from __future__ import annotations

from functools import partial

from rancheros_ec2_metadata import __version__, called_as
from rancheros_ec2_metadata.apply import Result, converge
from rancheros_ec2_metadata.commands.call import Call
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, worst
from rancheros_ec2_metadata.hosts.files import FileChange, Files
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.state import State
from rancheros_ec2_metadata.plan.desired import NOTHING
from rancheros_ec2_metadata.runtime import Target, make_host


def run(call: Call) -> int:
    """Remove what earlier runs wrote, and restore what they changed."""
    return clean(call, Files(partial(paths.locate, call.settings.root), dry=call.given.dry_run))


def clean(call: Call, files: Files) -> int:
    """Do so through ``files``; return the exit status.

    Raises:
        FilesError: there is nothing to write to. DeadlineError: another run is in the way.
    """
    settings, log = call.settings, call.log
    log.line(f"{called_as()} {__version__}, clean")
    limit = Limit.after(settings.deadline, Clock())
    host = make_host(settings, limit, remove_legacy=call.given.legacy)
    result = Result()
    with files.lock(paths.CONF, limit, paths.MOUNT_FIX):
        for folder in (paths.CONF, paths.CLOUD_CONFIG_D):
            files.sweep(folder)
        converge(Target(host, files, log), result, NOTHING, State())
        if result.plan is not None and not result.plan.state.edits and result.ended:
            _remove_state(call, files, result)
    if files.dry and result.plan is not None:
        from rancheros_ec2_metadata.report import diff_file  # noqa: PLC0415 - not at boot

        for change in result.plan.changes:
            call.terminal.print(diff_file(change, result.plan.items))
            result.changed[change.path] = "would remove" if change.after is None else "would change"
    status = worst(note.status for note in log.noted)
    if files.dry and result.changed:
        status = status or ExitStatus.WOULD_CHANGE
    done = ", ".join(f"{verb} {path}" for path, verb in result.changed.items())
    log.last(f"{done or 'nothing to remove'}; exit {int(status)}")
    return status


def _remove_state(call: Call, files: Files, result: Result) -> None:
    where = files.locate(paths.STATE)
    try:
        raw = where.read_bytes() if where.exists() else None
        if raw is not None:
            files.write(FileChange(paths.STATE, raw, None))
            result.changed[paths.STATE] = "would remove" if files.dry else "removed"
    except FilesError as failed:
        call.log.note(failed.note())
