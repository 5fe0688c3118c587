"""The command ``fake-imds``, as compose and an operator start it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from e2e import program


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path / "fake.json", tags={"docker.role": "web"})


def written(file: Path, **fields: object) -> Path:
    # Beside, then renamed, as editors do: the file is never half written when it is read.
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"tokens": "optional", **fields}))
    return new.rename(file)


def role(url: str) -> str:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"{url}/latest/meta-data/tags/instance/docker.role", timeout=90).text


@contextmanager
def serving(
    data: Path, *before: str, listen: str = "127.0.0.1:0"
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the program, and give its process and its URL; it is stopped by a test, or killed."""
    command = [*before, *program.command("fake-imds", f"--listen={listen}", f"--data={data}")]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=program.measured_environment()
    ) as process:
        try:
            assert process.stderr is not None
            yield process, process.stderr.readline().strip().rpartition(" ")[2]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_the_data_file_is_served_until_a_signal_ends_it_with_0(
    data: Path, number: signal.Signals, host: str
) -> None:
    with serving(data, listen=f"{host}:0") as (process, url):
        assert url.startswith(f"http://{host}:")
        assert role(url) == "web"
        process.send_signal(number)
        assert process.wait(timeout=90) == 0


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare"
)
def test_sigterm_ends_it_with_0_where_it_is_the_first_process_of_a_container(data: Path) -> None:
    unshare = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    with serving(data, *unshare) as (process, url):
        assert role(url) == "web"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        os.kill(int(children), signal.SIGTERM)
        assert process.wait(timeout=90) == 0


def test_an_edit_of_the_data_file_is_served_and_a_bad_one_is_named(data: Path) -> None:
    with serving(data) as (process, url):
        assert process.stderr is not None
        said = process.stderr.readline
        written(data, tags={"docker.role": "database"})
        assert said() == f"{data} was read again\n"
        assert role(url) == "database"
        written(data, tag={})
        assert "unknown key 'tag'" in (line := said())
        assert line.endswith("what it was before is still served\n")
        data.unlink()
        assert "No such file" in said()
        assert role(url) == "database"
        process.terminate()
        assert process.wait(timeout=90) == 0


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        *((text, "must be HOST:PORT") for text in ("", "80", ":80", "127.0.0.1", "127.0.0.1:")),
        *((text, "must be HOST:PORT") for text in ("h:http", "127.0.0.1:65536", "[]:80")),
        ("::1:80", "an IPv6 address as [::1]:80"),
        ("192.0.2.1:8080", "give another HOST:PORT"),
        ("no-such-host.invalid:8080", "give another HOST:PORT"),
        ("a..b:8080", "give another HOST:PORT"),
    ],
)
def test_an_address_that_is_none_of_this_machine_is_named(
    data: Path, listen: str, said: str
) -> None:
    done = program.ended(
        program.command("fake-imds", f"--listen={listen}", f"--data={data}"),
        env=program.measured_environment(),
    )
    assert done.returncode == 2
    assert f"error: --listen '{listen}': " in done.stderr
    assert said in done.stderr
