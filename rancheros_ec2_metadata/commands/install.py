"""``install``: the program as a unit that runs before Docker at each boot."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from rancheros_ec2_metadata import options
from rancheros_ec2_metadata.apply import lock
from rancheros_ec2_metadata.commands.invocation import Invocation
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, info
from rancheros_ec2_metadata.hosts.files import FileChange, Files
from rancheros_ec2_metadata.hosts.systemd import units
from rancheros_ec2_metadata.hosts.systemd.systemd_host import make_systemd
from rancheros_ec2_metadata.runtime import Target

Systemctl: TypeAlias = Callable[..., None]
"""Runs systemctl with some words; raises FilesError if that fails."""

_SECONDS = 60.0
_MAIN = "from rancheros_ec2_metadata.__main__ import console\n\nconsole()\n"


def run(invocation: Invocation) -> int:
    """Write the units, enable them, and start the run without waiting for it."""
    folder, words = find_program()
    if invocation.given.dry_run:
        return print_units(invocation, words)
    limit = Limit.after(_SECONDS, Clock())
    host = make_systemd(invocation.settings, limit, off_machine=False)
    target = Target(host, Files(host.locate), invocation.log)
    return install(invocation, target, limit, run_systemctl, (folder, words))


def print_units(invocation: Invocation, words: Sequence[str]) -> int:
    """Print the units without installing them; they do not depend on the machine."""
    for path, text in _render(invocation, words).items():
        invocation.process.print([f"# {path}", *text.splitlines(), ""])
    return ExitStatus.OK


def _render(invocation: Invocation, words: Sequence[str]) -> dict[str, str]:
    return units.render_units(
        [*words, "apply", "--host=systemd", *options.render_flags(invocation.given)],
        options.list_variables_of_a_run(invocation.process.environ),
        invocation.settings.deadline,
        invocation.given.follow,
    )


def find_program() -> tuple[Path | None, tuple[str, ...]]:
    """Return the folder to install and the command that starts the program.

    The folder is the one into which the .pyz file was unpacked; None if there is none.
    """
    if zipfile.is_zipfile(sys.argv[0]):
        return Path(__file__).parents[2], (sys.executable, "-I", "-S", units.LIBRARY)
    return None, (sys.executable, "-I", "-m", "rancheros_ec2_metadata")


def run_systemctl(*words: str) -> None:
    """Run systemctl.

    Raises:
        FilesError: it says no.
    """
    done = subprocess.run(["systemctl", *words], capture_output=True, check=False)  # noqa: S603, S607 - root's own PATH
    if done.returncode:
        why = done.stderr.decode("utf-8", "replace").strip()
        raise FilesError(f"systemctl {' '.join(words)}: {why}")


def install(
    invocation: Invocation,
    target: Target,
    limit: Limit,
    systemctl: Systemctl,
    program: tuple[Path | None, Sequence[str]],
) -> int:
    """Install the units; return the exit status.

    Args:
        invocation: the command's.
        target: this machine.
        limit: for the lock.
        systemctl: tells systemd.
        program: the folder to copy, if there is one, and the words that start it.

    Raises:
        UsageError: a flag cannot be in a unit.
        FilesError: a file cannot be written, or systemd says no.
    """
    folder, words = program
    texts = _render(invocation, words)
    if folder is None:
        invocation.log.note(
            info("this is not the one file of 'make pyz': keep this Python as it is")
        )
    files = target.files
    with lock(target, limit):
        if folder is not None:
            _copy(folder, files.locate(units.LIBRARY))
        _put(files, units.LAUNCHER, units.render_launcher(words).encode(), 0o755)
        timer = f"{units.FOLDER}/{units.TIMER}"
        if invocation.given.follow is None and files.locate(timer).exists():
            systemctl("disable", "--now", units.TIMER)
        for path in (f"{units.FOLDER}/{name}" for name in units.UNITS):
            _put(files, path, texts[path].encode() if path in texts else None, 0o644)
    systemctl("daemon-reload")
    started = [units.SERVICE] if invocation.given.follow is None else [units.SERVICE, units.TIMER]
    systemctl("enable", *started)
    # Do not wait for the start: a boot that waits for this command would hang.
    systemctl("--no-block", "restart", *started)
    invocation.log.last(
        f"installed {', '.join(started)}; 'journalctl -u {units.SERVICE}' has its log"
    )
    return ExitStatus.OK


def _copy(folder: Path, library: Path) -> None:
    """Copy the program, whole or not at all: a boot unpacks and compiles nothing.

    Raises:
        FilesError: it cannot be copied.
    """
    new, old = library.with_name(f".{library.name}.new"), library.with_name(f".{library.name}.old")
    try:
        if _read_contents(library) == {**_read_contents(folder), "__main__.py": _MAIN.encode()}:
            return
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
        shutil.copytree(folder, new, ignore=shutil.ignore_patterns("__pycache__"))
        (new / "__main__.py").write_text(_MAIN)
        compileall.compile_dir(new, quiet=2, stripdir=new, prependdir=library)
        os.sync()
        if library.exists():
            library.rename(old)
        new.rename(library)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as why:
        raise FilesError(f"{library} cannot be written: {why}; see its file system") from why


def _read_contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a program's folder by path, without compiled ones."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def _put(files: Files, path: str, content: bytes | None, mode: int) -> None:
    file = files.locate(path)
    try:
        before = file.read_bytes() if file.exists() else None
    except OSError as why:
        raise FilesError(f"{path} cannot be read: {why.strerror}; remove it") from why
    if before != content:
        files.write(FileChange(path, before, content, mode=mode))
