"""Docker's unit, asked of programs that print what real ones printed, and of a real socket."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from rancheros_ec2_metadata.hosts.systemd.docker_unit import (
    Docker,
    DockerUnit,
    NoAnswerError,
)

# As systemd 252 and 257 printed them.
COMMAND = ["/usr/sbin/dockerd", "-H", "fd://", "--label=x=y z", "$DOCKER_OPTS"]
START = ["/usr/sbin/dockerd", COMMAND, False, 1795911825134485, 11682376353, 0, 0, 65, 0, 0]


def printed(load: str, active: str, since: int = 0, *, is_debians: bool = False) -> str:
    """Return what busctl prints of a unit, with one more of its hundreds of properties."""
    environment = ["DOCKER_OPTS=--label a=b c", "OTHER=1"]
    properties = {
        "Id": ("s", "docker.service"),
        "LoadState": ("s", load),
        "ActiveState": ("s", active),
        "ActiveEnterTimestamp": ("t", since),
        "ExecStart": ("a(sasbttttuii)", [START] if is_debians else []),
        "Environment": ("as", environment if is_debians else []),
        "EnvironmentFiles": ("a(sb)", [["/etc/default/docker", True]] if is_debians else []),
    }
    tree = {name: {"type": kind, "data": value} for name, (kind, value) in properties.items()}
    return json.dumps({"type": "a{sv}", "data": [tree]}, separators=(",", ":")) + "\n"


WORDS = tuple(COMMAND)
UNIT = DockerUnit(
    "loaded",
    "inactive",
    WORDS,
    ("DOCKER_OPTS=--label a=b c", "OTHER=1"),
    ("/etc/default/docker",),
)


@dataclass(frozen=True)
class Programs:
    """A folder of programs that stand in for others."""

    folder: Path

    def add(self, name: str, script: str) -> Path:
        """Make one that writes its words, a line each, to NAME.asked, and runs a script."""
        program = self.folder / name
        asked = shlex.quote(f"{program}.asked")
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >>{asked}\n{script}\n")
        program.chmod(0o755)
        return program

    def busctl(self, unit: str, snap: str) -> None:
        """Make a busctl that answers what is asked of each unit."""
        answers = {"snap_2edocker_2edockerd_2eservice": snap, "unit/docker_2eservice": unit}
        cases = (
            f"*{asked}*) printf %s {shlex.quote(answer)};;" for asked, answer in answers.items()
        )
        self.add("busctl", f'case "$*" in {" ".join(cases)} *) exit 9;; esac')

    def asked(self, name: str) -> list[str]:
        file = self.folder / f"{name}.asked"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def docker(self) -> Docker:
        return Docker(f"{self.folder}:/usr/bin:/bin")


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


@pytest.mark.parametrize(
    ("load", "active", "snap", "expected"),
    [
        ("loaded", "active", "", UNIT._replace(active="active", started=1795911825)),
        ("loaded", "inactive", "", UNIT),
        ("loaded", "activating", "", UNIT._replace(active="activating")),
        ("bad-setting", "inactive", "", DockerUnit("bad-setting", "inactive")),
        ("masked", "inactive", "not-found", DockerUnit("masked", "inactive")),
        ("not-found", "inactive", "not-found", DockerUnit("not-found", "inactive")),
        ("not-found", "inactive", "loaded", DockerUnit("not-found", "inactive", snap=True)),
    ],
)
def test_the_unit_is_as_systemd_tells_it(
    programs: Programs, load: str, active: str, snap: str, expected: DockerUnit
) -> None:
    unit = printed(load, active, 1795911825, is_debians=load == "loaded")
    programs.busctl(unit, printed(snap, "inactive"))
    assert programs.docker.read_unit() == expected
    assert "a=b" not in repr(expected).replace(repr(WORDS), "")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "echo 'Failed to connect to bus: Connection refused\x1b' >&2; exit 1",
            "docker.service: Failed to connect to bus: Connection refused\\x1b; run 'busctl ",
        ),
        ("exit 1", "no answer"),
        ("echo garbage", "no answer"),
        ("echo '{}'", "no answer"),
        ("echo '[]'", "no answer"),
        ('echo \'{"data":[{"LoadState":5}]}\'', "no answer"),
        ("exec /bin/sleep 60", "busctl did not answer in 0.5 s"),
        (None, "busctl cannot be run, No such file or directory"),
    ],
)
def test_a_systemd_that_does_not_say_is_named(
    programs: Programs, script: str | None, words: str
) -> None:
    if script is not None:
        programs.add("busctl", script)
    with pytest.raises(NoAnswerError) as raised:
        Docker(str(programs.folder), 0.5 if script and "sleep" in script else 10).read_unit()
    assert words in str(raised.value)


def test_dockerd_is_given_the_file_and_the_flags_that_are_known(programs: Programs) -> None:
    show = 'for one in "$@"; do case $one in --config-file=*) cat "${one#*=}" >&2;; esac; done'
    dockerd = programs.add("dockerd", f"{show}; [ $# -lt 6 ]")
    words = (str(dockerd), "-H", "fd://", "--data-root", "$ROOT", "--debug", "$DOCKER_OPTS")
    unit = DockerUnit(command=("/usr/bin/env", *words))
    assert programs.docker.find_refusal(unit, b'{"a": 1}') is None
    validate, file, *others = programs.asked("dockerd")
    assert (validate, others) == ("--validate", ["-H", "fd://"])
    assert not Path(file.partition("=")[2]).exists()
    unit = DockerUnit(command=(str(dockerd), "-H", "fd://", "--debug", "--log-opt=a=$x", "-D"))
    assert programs.docker.find_refusal(unit, b'x\n{"a": 1}') == '{"a": 1}'
    assert programs.asked("dockerd")[-3:] == ["fd://", "--debug", "-D"]


def test_a_dockerd_that_cannot_validate_refuses_nothing(programs: Programs) -> None:
    dockerd = programs.add("dockerd", "echo 'unknown flag: --validate' >&2; exit 125")
    assert programs.docker.find_refusal(DockerUnit(command=(str(dockerd),)), b"{}") is None
    with pytest.raises(NoAnswerError, match="/none/dockerd cannot be run"):
        programs.docker.find_refusal(DockerUnit(command=("/none/dockerd",)), b"{}")


def test_a_reload_waits_for_nothing_and_says_why_it_is_refused(programs: Programs) -> None:
    programs.add("systemctl", "exit 0")
    programs.docker.reload()
    assert programs.asked("systemctl") == ["--no-block", "reload", "docker.service"]
    programs.add("systemctl", "echo 'Job type reload is not applicable' >&2; exit 1")
    with pytest.raises(NoAnswerError, match="Job type reload is not applicable"):
        programs.docker.reload()


class Daemon(UnixStreamServer):
    """Answers HTTP on a socket."""

    status, body = 200, b""
    paths: list[str]

    def get_request(self) -> tuple[object, tuple[str, int]]:  # type: ignore[override] # as named
        return super().get_request()[0], ("local", 0)


class Answer(BaseHTTPRequestHandler):
    server: Daemon

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(str(tmp_path / "docker.sock"), Answer) as server:
        server.paths = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "labels"),
    [
        (200, json.dumps({"Labels": ["a=1", "é=\0"]}), {"a=1", "é=\0"}),
        (200, '{"Labels": null}', set()),
        (200, '{"Labels": []}', set()),
        (200, '{"Labels": 5}', None),
        (200, "[]", None),
        (200, "{}", None),
        (503, '{"message": "it starts"}', None),
        (200, "\xff", None),
    ],
)
def test_a_running_docker_is_asked_for_its_labels(
    daemon: Daemon, tmp_path: Path, status: int, body: str, labels: set[str] | None
) -> None:
    daemon.status, daemon.body = status, body.encode("latin-1" if body == "\xff" else "utf-8")
    flag = ("dockerd", f"--host=unix://{tmp_path}/docker.sock")
    assert Docker().read_labels(DockerUnit("loaded", "active", flag)) == labels
    assert daemon.paths == ["/info"]
    # A connection would start it, or wait for a start that waits for the run.
    for active in ("inactive", "activating", "failed", "reloading"):
        assert Docker().read_labels(DockerUnit("loaded", active, flag)) is None
    assert daemon.paths == ["/info"]


def test_a_docker_that_does_not_answer_has_said_nothing(tmp_path: Path) -> None:
    unit = DockerUnit("loaded", "active", ("dockerd", "-H", f"unix://{tmp_path}/none.sock"))
    assert Docker().read_labels(unit) is None


@pytest.mark.parametrize(
    ("words", "socket"),
    [
        (("dockerd", "-H", "fd://"), "/run/docker.sock"),
        (("dockerd", "-H", "tcp://0.0.0.0", "-H", "unix:///a.sock"), "/a.sock"),
        (("sh", "-H=unix:///b.sock"), "/run/docker.sock"),
    ],
)
def test_the_socket_is_the_one_of_its_flags(words: tuple[str, ...], socket: str) -> None:
    assert DockerUnit(command=words).socket == socket
