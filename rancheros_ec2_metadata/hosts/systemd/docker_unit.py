"""Docker on this machine: its unit as systemd reports it, and the daemon, asked and reloaded.

What systemd and dockerd do is in docs/plain-hosts.md.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rancheros_ec2_metadata.errors import escape
from rancheros_ec2_metadata.hosts.files import read_plain

UNIT = "docker.service"
_SNAP = "snap.docker.dockerd.service"
_ABSENT = ("not-found", "masked")
_PROPERTIES = (
    *("LoadState", "ActiveState", "ActiveEnterTimestamp"),
    *("ExecStart", "Environment", "EnvironmentFiles"),
)
_SOCKET = "/run/docker.sock"
# For one question; systemd takes some 10 ms, dockerd 70.
_SECONDS = 10.0
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_NOT_HERE = re.compile(r"--(?:label|config-file)\b")
_COMMENT = re.compile(r"^[ \t]*[#;].*$", re.MULTILINE)


class NoAnswerError(Exception):
    """systemd or dockerd could not be asked, or did not answer; the message says why."""


class DockerUnit(NamedTuple):
    """docker.service, as systemd reports it.

    Args:
        load: loaded, not-found, masked and others (LoadState).
        active: active, inactive, activating and others (ActiveState).
        command: the argv of ExecStart; variables in it are as written.
        environment: NAME=value of Environment=.
        environment_files: paths of EnvironmentFile=.
        started: when it became active, in microseconds since 1970; 0 if it is not.
        snap: there is a Docker of snap.
    """

    load: str = "not-found"
    active: str = "inactive"
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    environment_files: tuple[str, ...] = ()
    started: int = 0
    snap: bool = False

    def __repr__(self) -> str:
        return f"DockerUnit({self.load}, {self.active})"

    @property
    def is_there(self) -> bool:
        """Tell whether this machine has a Docker that systemd starts."""
        return self.load not in _ABSENT

    @property
    def may_have_read(self) -> bool:
        """Tell whether a daemon runs or starts, and may have read daemon.json."""
        return self.active not in ("inactive", "failed")

    @property
    def dockerd(self) -> tuple[str, ...]:
        """The daemon's program and flags; empty if the unit does not start it by that name."""
        names = [word.rpartition("/")[2] for word in self.command]
        return self.command[names.index("dockerd") :] if "dockerd" in names else ()

    @property
    def socket(self) -> str:
        """The path of the socket that the daemon answers on."""
        given = (word.partition("unix://")[2] for word in self.dockerd if "unix://" in word)
        return next(given, _SOCKET)


class Docker:
    """Docker on this machine; the demo and the tests have a subclass of their own.

    Args:
        path: PATH of the programs that are asked.
        seconds: how long each may take.

    Attributes:
        is_asked: whether anybody is.
    """

    is_asked = True

    def __init__(self, path: str = _PATH, seconds: float = _SECONDS) -> None:
        self.path = path
        self.seconds = seconds

    def read_unit(self) -> DockerUnit:
        """Return its unit.

        Raises:
            NoAnswerError: systemd did not say.
        """
        found = self._read_properties(UNIT)
        absent = found["LoadState"] in _ABSENT
        starts = found["ExecStart"]
        return DockerUnit(
            load=found["LoadState"],
            active=found["ActiveState"],
            command=tuple(starts[0][1]) if starts else (),
            environment=tuple(found["Environment"]),
            environment_files=tuple(path for path, _ in found["EnvironmentFiles"]),
            started=found["ActiveEnterTimestamp"] if found["ActiveState"] == "active" else 0,
            snap=absent and self._read_properties(_SNAP)["LoadState"] == "loaded",
        )

    def find_refusal(self, unit: DockerUnit, content: bytes) -> str | None:
        """Return what dockerd says against a daemon.json; None if it takes it, or is too old.

        Raises:
            NoAnswerError: it did not say.
        """
        program, *words = unit.dockerd
        plain: list[str] = []
        for word in words:
            if "$" not in word:
                plain.append(word)
            elif word.startswith("$") and re.fullmatch(r"-[^=]+", "".join(plain[-1:])):
                plain.pop()  # what the variable adds is not known, and may be this flag's value
        with tempfile.NamedTemporaryFile(prefix="ec2-metadata-", suffix=".json") as copy:
            copy.write(content)
            copy.flush()
            done = self._run([program, "--validate", f"--config-file={copy.name}", *plain])
        # Before 23 it has no such flag, and with it ends before it does anything.
        if done.returncode == 0 or b"unknown flag: --validate" in done.stderr:
            return None
        return _find_last_line(done.stderr)

    def read_labels(self, unit: DockerUnit) -> set[str] | None:
        """Return the labels that a running daemon has; None if it does not say."""
        if unit.active != "active":
            # A connection would start Docker, or deadlock with a start that waits for this run.
            return None
        connection = http.client.HTTPConnection("docker")
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(self.seconds)
            connection.sock.connect(unit.socket)
            connection.request("GET", "/info")
            answer = json.load(connection.getresponse())
            return set(map(str, answer["Labels"] or ()))
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            return None
        finally:
            connection.close()

    def reload(self) -> None:
        """Have it read daemon.json again, without waiting for it.

        If Docker waits for the unit of this run, a call that waits would deadlock.

        Raises:
            NoAnswerError: systemd refuses it.
        """
        done = self._run(["systemctl", "--no-block", "reload", UNIT])
        if done.returncode:
            raise NoAnswerError(_find_last_line(done.stderr))

    def _read_properties(self, unit: str) -> dict[str, Any]:
        """Return those that are used; busctl gives ExecStart as words, systemctl joins them."""
        path = f"/org/freedesktop/systemd1/unit/{unit.replace('.', '_2e')}"
        call = ["org.freedesktop.systemd1", path, "org.freedesktop.DBus.Properties", "GetAll"]
        done = self._run(["busctl", "--json=short", "call", *call, "s", ""])
        try:
            (found,) = json.loads(done.stdout)["data"]
            return {name: found[name]["data"] for name in _PROPERTIES}
        except (ValueError, KeyError, TypeError):
            why = _find_last_line(done.stderr) or "no answer"
            raise NoAnswerError(
                f"systemd does not tell of {unit}: {why}; run 'busctl --json=short list'"
            ) from None

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603 - no shell, and nothing of a tag's
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={"PATH": self.path, "LC_ALL": "C"},
                cwd="/",
                timeout=self.seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NoAnswerError(f"{command[0]} did not answer in {self.seconds:g} s") from None
        except OSError as why:
            raise NoAnswerError(f"{command[0]} cannot be run, {why.strerror}") from None


class SupposedDocker(Docker):
    """Docker of a machine that is only planned for, away from it: nobody is asked."""

    is_asked = False

    def read_unit(self) -> DockerUnit:
        """Return a unit that starts dockerd."""
        return DockerUnit("loaded", command=("dockerd",))


def find_other_labels(unit: DockerUnit, root: Path) -> str | None:
    """Return where flags of the unit set labels or another file: Docker would not start with both.

    Args:
        unit: as systemd reports it.
        root: the folder that stands for the machine's root.

    Raises:
        NoAnswerError: an environment file cannot be read.
    """
    sources = {
        f"ExecStart of {UNIT}": "\n".join(unit.dockerd),
        f"Environment of {UNIT}": "\n".join(unit.environment),
        **dict(_read_files(unit.environment_files, root)),
    }
    for where, text in sources.items():
        if found := _NOT_HERE.search(_COMMENT.sub("", text)):
            return f"{where} has {found[0]}"
    return None


def _read_files(paths: Sequence[str], root: Path) -> Iterator[tuple[str, str]]:
    for pattern in paths:
        for path in sorted(root.glob(pattern.lstrip("/"))):
            try:
                content = read_plain(path).decode("utf-8", "replace")
            except OSError as why:
                text = f"{path}, which {UNIT} reads, cannot be read: {why.strerror or why}"
                raise NoAnswerError(f"{text}; make it a plain file") from None
            yield f"/{path.relative_to(root)}", content


def _find_last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return escape(lines[-1][:300]) if lines else ""
