"""The files of --env-file: which are written, removed or left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rancheros_ec2_metadata.errors import ExitStatus, Note, error
from rancheros_ec2_metadata.plan import env_file
from rancheros_ec2_metadata.plan.env_file import EnvFile


def plan_env_files(
    former: Iterable[str],
    wanted: EnvFile | None,
    files: Mapping[str, bytes],
    unreadable: Mapping[str, str],
) -> tuple[dict[str, bytes | None], list[Note]]:
    """Return what each file shall be, None to remove it.

    Args:
        former: the paths that an earlier run wrote.
        wanted: the one that is asked for, if one is.
        files: what is there, by path.
        unreadable: why a file that is there could not be read, by path.
    """
    planned, notes = dict[str, bytes | None](), list[Note]()
    for path in former:
        if path in files or path in unreadable:
            planned[path] = None
    if wanted is not None and wanted.variables:
        planned[wanted.path] = env_file.render_env_file(wanted.variables)
    for path in list(planned):
        why = unreadable.get(path)
        if why is None and not env_file.is_ours(files.get(path, b"")):
            why = "it does not begin with this program's line"
        if why is not None:
            del planned[path]
            text = f"{path} is left as it is: {why}; move it away, or name another file"
            notes.append(error(ExitStatus.FILES, text))
    return planned, notes
