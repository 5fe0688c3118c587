from __future__ import annotations

import errno
import io
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from rancheros_ec2_metadata.errors import FilesError, UsageError
from rancheros_ec2_metadata.fake_ec2.serve import serve

PROGRAM = """
import sys
from pathlib import Path
from rancheros_ec2_metadata.fake_ec2.serve import serve
sys.exit(serve(sys.argv[1], Path(sys.argv[2]), sys.stdout))
"""
V1 = {"imds": {"tokens": "optional"}}


class Lines(io.StringIO):
    """What a command says, to be waited for by another thread."""

    def __init__(self) -> None:
        super().__init__()
        self.said: queue.Queue[str] = queue.Queue()

    def write(self, text: str) -> int:
        self.said.put(text.removesuffix("\n"))
        return len(text)

    def next(self) -> str:
        return self.said.get(timeout=10)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path / "fake.json", tags={"docker.role": "web"})


def written(file: Path, **fields: object) -> Path:
    # Beside, then renamed, as editors do: the file is never half written when it is read.
    new = file.with_suffix(".new")
    new.write_text(json.dumps(V1 | fields))
    return new.rename(file)


def role(url: str) -> str:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"{url}/latest/meta-data/tags/instance/docker.role", timeout=10).text


def while_serving(listen: str, data: Path, act: Callable[[str, Lines], None]) -> None:
    """Serve in this thread; ``act`` in another with the URL; then SIGTERM, and status 0."""
    lines, ended = Lines(), threading.Event()
    failures: list[BaseException] = []

    def actor() -> None:
        try:
            act(lines.next().rpartition(" ")[2], lines)
        except BaseException as failure:  # noqa: BLE001 - raised again in the test's thread
            failures.append(failure)
        if not ended.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=actor)
    thread.start()
    try:
        status = serve(listen, data, lines)
    finally:
        ended.set()
        thread.join()
    for failure in failures:
        raise failure
    assert status == 0


def test_the_data_file_is_served_and_sigterm_ends_it_with_0(data: Path) -> None:
    seen: list[str] = []

    while_serving("127.0.0.1:0", data, lambda url, _: seen.append(role(url)))

    assert seen == ["web"]


def test_an_ipv6_address_is_written_in_brackets(data: Path) -> None:
    seen: list[str] = []

    while_serving("[::1]:0", data, lambda url, _: seen.append(url))

    assert seen[0].startswith("http://[::1]:")


def test_an_edit_of_the_data_file_is_served_while_running(data: Path) -> None:
    def edit(url: str, lines: Lines) -> None:
        written(data, tags={"docker.role": "database"})
        assert lines.next() == f"{data} was read again"
        assert role(url) == "database"
        with pytest.raises(queue.Empty):  # and is not read again while nothing changes
            lines.said.get(timeout=0.5)

    while_serving("127.0.0.1:0", data, edit)


def test_a_bad_edit_is_named_and_the_former_data_served(data: Path) -> None:
    def edit(url: str, lines: Lines) -> None:
        written(data, tag={})
        assert "unknown key 'tag'" in (said := lines.next())
        assert said.endswith("what it was before is still served")
        assert role(url) == "web"
        data.unlink()
        assert "No such file" in lines.next()
        written(data, tags={"docker.role": "again"})
        assert lines.next() == f"{data} was read again"
        assert role(url) == "again"

    while_serving("127.0.0.1:0", data, edit)


def test_the_signals_are_as_before_afterwards(data: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    while_serving("127.0.0.1:0", data, lambda _url, _lines: None)
    with pytest.raises(FilesError):
        serve("127.0.0.1:0", data.with_name("none"), Lines())

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(
    "listen",
    ["", "80", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "[]:80"],
)
def test_an_address_that_is_not_host_and_port_is_a_usage_error(data: Path, listen: str) -> None:
    with pytest.raises(UsageError, match=r"^--listen '.*': must be HOST:PORT$"):
        serve(listen, data, Lines())


def test_an_ipv6_address_without_brackets_is_told_how_to_be_written(data: Path) -> None:
    with pytest.raises(UsageError, match=r"--listen '::1:80': write an IPv6 address as \[::1\]:80"):
        serve("::1:80", data, Lines())


def test_an_address_in_use_is_named(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(
            UsageError, match=f"--listen '{listen}': {os.strerror(errno.EADDRINUSE)}"
        ):
            serve(listen, data, Lines())


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a..b"])
def test_an_address_that_is_not_this_machines_is_named(data: Path, host: str) -> None:
    with pytest.raises(UsageError, match=f"--listen '{host}:8080': "):
        serve(f"{host}:8080", data, Lines())


@contextmanager
def program(data: Path, *before: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [*before, sys.executable, "-c", PROGRAM, "127.0.0.1:0", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip().rpartition(" ")[2]
        finally:
            process.kill()


def test_ctrl_c_ends_the_program_with_0(data: Path) -> None:
    with program(data) as (process, url):
        assert role(url) == "web"
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=10) == 0


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare"
)
def test_sigterm_ends_the_program_with_0_where_it_is_pid_1(data: Path) -> None:
    unshare = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    with program(data, *unshare) as (process, url):
        assert role(url) == "web"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        os.kill(int(children), signal.SIGTERM)

        assert process.wait(timeout=10) == 0
