"""``ros`` itself, asked what it reads from the files."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.errors import DeadlineError, FilesError

if TYPE_CHECKING:
    import subprocess

PATIENCE = 10.0  # seconds for one question, which takes some 45 ms
OUTPUT_LIMIT = 4 * 1024 * 1024  # bytes

_BaseLoader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
# Nothing of ours goes to it, AWS_ variables least of all.
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
# v0.9 logs to standard output, before the answer.
_LOG_LINES = re.compile(r"(?:(?:> )?(?:time|level)=[^\n]*\n)*")
_POLL = 0.005  # seconds between looks at a child that says nothing
_CHUNK = 65536


@dataclass(frozen=True)
class Answer:
    """What a program answered; it may hold private keys.

    Args:
        status: its exit status, negative if a signal ended it.
        output: its standard output.
    """

    status: int
    output: bytes

    def __repr__(self) -> str:
        return f"Answer(status={self.status}, output=<{len(self.output)} bytes>)"


class NoAnswerError(Exception):
    """A program did not end in time, or printed without end."""


Run: TypeAlias = Callable[[Sequence[str], Limit], Answer]


def run_program(command: Sequence[str], limit: Limit) -> Answer:
    """Return what ``command`` answers within ``limit``, and leave nothing of it running.

    It runs in a process group of its own, which is killed in the end: what it has started may
    hold on to its output for ever.

    Raises:
        NoAnswerError: it did not end within ``limit``, or printed more than OUTPUT_LIMIT.
        OSError: it could not be started.
    """
    import subprocess  # noqa: PLC0415 - only where something was written

    with subprocess.Popen(  # noqa: S603 - the operator names the program; no shell, no input of others
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # v0.4 prints the whole configuration there, keys included
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    ) as process:
        try:
            output = _output(process, limit)
        finally:
            # The child is not waited for before, so its number cannot be another's yet.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return Answer(process.returncode, output)


def _output(process: subprocess.Popen[bytes], limit: Limit) -> bytes:
    """Return what the child printed until it ended, whoever else still holds its output."""
    pipe = process.stdout.fileno() if process.stdout else -1
    os.set_blocking(pipe, False)
    output = bytearray()
    waiting_for = [pipe]
    while True:
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if not _drained(pipe, output):
            waiting_for = []
        if len(output) > OUTPUT_LIMIT:
            raise NoAnswerError(f"printed more than {OUTPUT_LIMIT // 1024**2} MiB")
        if ended:
            return bytes(output)
        if limit.passed():
            raise NoAnswerError("did not answer in time")
        select.select(waiting_for, [], [], min(_POLL, limit.left()))


def _drained(pipe: int, output: bytearray) -> bool:
    """Take what is in the pipe; tell whether more can come."""
    while len(output) <= OUTPUT_LIMIT:
        try:
            chunk = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        output += chunk
    return True


@dataclass(frozen=True)
class Ros:
    """The ``ros`` at ``path``.

    Args:
        path: the executable.
        run: starts a program and returns its answer, as ``run_program`` does.
    """

    path: str
    run: Run = run_program

    def version(self, limit: Limit) -> str:
        """Return the first line that ``ros --version`` prints.

        Raises:
            FilesError: it gave no answer. DeadlineError: ``limit`` had passed.
        """
        text = self._ask("--version", limit=limit)
        return text.partition("\n")[0]

    def list(self, key: str, limit: Limit) -> tuple[str, ...]:
        """Return the list in force at ``key``, its items as text; empty where nothing is.

        Raises:
            FilesError: it gave no answer, or none that is a list of texts.
            DeadlineError: ``limit`` had passed.
        """
        items = self._get(key, limit) or []
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise self._failed(f"config get {key}", "did not answer with a list of texts")
        return tuple(items)

    def map(self, key: str, limit: Limit) -> dict[str, str]:
        """Return the map in force at ``key``, its values as text; empty where nothing is.

        Raises:
            FilesError: it gave no answer, or none that is a map of texts.
            DeadlineError: ``limit`` had passed.
        """
        values = self._get(key, limit) or {}
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            raise self._failed(f"config get {key}", "did not answer with a map of texts")
        return values

    def _get(self, key: str, limit: Limit) -> Any:
        # The answer is followed by one line end, which a block text at its end would take in.
        text = self._ask("config", "get", key, limit=limit).removesuffix("\n")
        try:
            return yaml.load(text, Loader=_BaseLoader)  # noqa: S506 - it makes texts, lists and maps only
        except (yaml.YAMLError, RecursionError):
            raise self._failed(f"config get {key}", "did not answer in YAML") from None

    def _ask(self, *arguments: str, limit: Limit) -> str:
        if limit.passed():
            raise DeadlineError(f"no time was left to ask {self.path} {' '.join(arguments)}")
        question = " ".join(arguments)
        try:
            answer = self.run((self.path, *arguments), limit.within(PATIENCE))
        except OSError as error:
            raise self._failed(question, f"could not be started ({error.strerror})") from None
        except NoAnswerError as error:
            raise self._failed(question, str(error)) from None
        if answer.status != 0:
            raise self._failed(question, f"ended with status {answer.status}")
        try:
            return _LOG_LINES.sub("", answer.output.decode("utf-8"), count=1)
        except UnicodeDecodeError:
            raise self._failed(question, "did not answer in UTF-8") from None

    def _failed(self, question: str, what: str) -> FilesError:
        return FilesError(
            f"{self.path} {question} {what}; run it by hand on the machine to see why,"
            " or give --ros none to do without it"
        )
