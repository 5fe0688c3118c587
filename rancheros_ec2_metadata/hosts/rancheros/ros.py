"""``ros`` itself, asked what it reads."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from rancheros_ec2_metadata.hosts.rancheros import ros_yaml
from rancheros_ec2_metadata.hosts.rancheros.ros_yaml import Tree

SECONDS = 10.0  # for one question, which takes some 45 ms
OUTPUT_LIMIT = 4 * 1024 * 1024  # bytes
_LOOK = 0.003  # seconds between checks whether they have ended

# Nothing of ours goes to it, AWS_ variables least of all.
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
# v0.9 logs to standard output, before the answer.
_LOG_LINES = re.compile(r"(?:(?:> )?(?:time|level)=[^\n]*\n)*")
_QUESTIONS = ("rancher", "write_files", "runcmd", "hostname")


class NoAnswerError(Exception):
    """``ros`` could not be asked, or did not answer; the message says why."""


class Printed(NamedTuple):
    """What a program printed; it may hold private keys.

    Args:
        status: its exit status, negative if a signal ended it; None if it did not end in time.
        output: its standard output.
    """

    status: int | None
    output: bytes

    def __repr__(self) -> str:
        return f"Printed({self.status}, {len(self.output)} bytes)"


Run: TypeAlias = Callable[[Sequence[Sequence[str]], float], list[Printed]]


def run_programs(commands: Sequence[Sequence[str]], seconds: float) -> list[Printed]:
    """Run programs at once for some seconds, and leave nothing of them running.

    Each prints into memory of its own and runs in a process group of its own, which is killed in
    the end: neither a child that stays nor output without end holds the caller up.

    Raises:
        OSError: one could not be started.
    """
    ends = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        started: list[tuple[subprocess.Popen[bytes], int]] = []
        for command in commands:
            memory = os.memfd_create("ros")
            stack.callback(os.close, memory)
            process = subprocess.Popen(  # noqa: S603 - the operator names it; no shell, no input of others
                command,
                stdin=subprocess.DEVNULL,
                stdout=memory,
                stderr=subprocess.DEVNULL,  # v0.4 prints the configuration there, keys included
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
            stack.callback(_end_process, process)
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (OUTPUT_LIMIT, OUTPUT_LIMIT))
            started.append((process, memory))
        # Popen.wait(timeout) polls 31 ms after the start, and then not before 63.
        while time.monotonic() < ends and any(process.poll() is None for process, _ in started):
            time.sleep(_LOOK)
        return [
            Printed(process.poll(), os.pread(memory, OUTPUT_LIMIT, 0))
            for process, memory in started
        ]


def _end_process(process: subprocess.Popen[bytes]) -> None:
    # The group may be there when the child has ended: what it has started is killed too.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Answers(NamedTuple):
    """What ``ros`` reads from the files; private keys are among it.

    Args:
        rancher: the map at ``rancher``; every value a text, a list or a map.
        write_files: the files that the console writes, in order.
        runcmd: what it runs.
        hostname: the host name that is set.
    """

    rancher: dict[str, Tree]
    write_files: list[Tree]
    runcmd: list[Tree]
    hostname: str

    def __repr__(self) -> str:
        return f"Answers(hostname={self.hostname!r})"

    def get(self, *keys: str) -> Tree:
        """Return what is at ``keys``; empty text if nothing is."""
        return ros_yaml.get(self._asdict(), *keys)

    def arguments(self, key: str) -> tuple[str, ...]:
        """Return the list rancher.docker.``key``; empty if there is none.

        Raises:
            NoAnswerError: it is no list of texts.
        """
        items = self.get("rancher", "docker", key)
        if items in ("", "null"):
            return ()
        texts = tuple(item for item in items if isinstance(item, str))
        if not isinstance(items, list) or len(texts) < len(items):
            raise NoAnswerError(f"rancher.docker.{key} in its answer is not a list of texts")
        return texts


class Ros(NamedTuple):
    """The ``ros`` at ``path``.

    Args:
        path: the executable.
        run: starts programs and returns what they printed, as :func:`run_programs` does.
    """

    path: str
    run: Run = run_programs

    def ask(self, seconds: float = SECONDS) -> Answers:
        """Return what ``ros`` reads: four questions, asked at once.

        Raises:
            NoAnswerError: it gave no answer, or none that can be used.
        """
        questions = [f"config get {key}" for key in _QUESTIONS]
        try:
            printed = self.run([[self.path, *one.split()] for one in questions], seconds)
        except OSError as error:
            raise NoAnswerError(f"it could not be started, {error.strerror}") from None
        rancher, write_files, runcmd, hostname = map(_read_answer, questions, printed)
        return Answers(
            rancher=_load(rancher, "rancher", dict),
            write_files=_load(write_files, "write_files", list),
            runcmd=_load(runcmd, "runcmd", list),
            hostname=hostname.removesuffix("\n"),
        )


def _read_answer(question: str, printed: Printed) -> str:
    if printed.status is None:
        raise NoAnswerError(f"'{question}' was not answered in time")
    if len(printed.output) >= OUTPUT_LIMIT:
        raise NoAnswerError(f"'{question}' printed more than {OUTPUT_LIMIT // 1024**2} MiB")
    if printed.status != 0:
        raise NoAnswerError(f"'{question}' ended with status {printed.status}")
    try:
        text = printed.output.decode("utf-8")
    except UnicodeDecodeError:
        raise NoAnswerError(f"'{question}' was not answered in UTF-8") from None
    # The answer is followed by one line end, which a block text at its end would take in.
    return _LOG_LINES.sub("", text, count=1).removesuffix("\n")


def _load(text: str, key: str, kind: type[dict[str, Tree] | list[Tree]]) -> Any:
    try:
        found = ros_yaml.load(text)
    except ValueError:
        raise NoAnswerError(f"{key} was not answered in YAML") from None
    if found in ("", "null"):
        return kind()
    if not isinstance(found, kind):
        what = "map" if kind is dict else "list"
        raise NoAnswerError(f"{key} was not answered with a {what}")
    return found
