"""One request against servers on loopback that do everything wrong."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import responses

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.imds import Answer, make_session, send
from rancheros_ec2_metadata.ec2.retry import Reason, RequestError

Script = Callable[[socket.socket], None]
Serve = Callable[[Script], str]

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@pytest.fixture
def heads() -> list[bytes]:
    """The requests that have come, as they were on the wire."""
    return []


@pytest.fixture
def serve(heads: list[bytes]) -> Iterator[Serve]:
    """Let a script answer each connection to a server; the rest of it is torn down."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(script: Script) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        heads.append(connection.recv(65536))
                        script(connection)
                    except OSError:  # the client has had enough
                        continue

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join()


def ask(url: str, seconds: float = 60, method: str = "GET") -> Answer:
    with make_session() as session:
        return send(session, method, url, {"X-Mine": "1"}, Limit.after(seconds, Clock()))


def failure(url: str, seconds: float = 60) -> RequestError:
    with pytest.raises(RequestError) as caught:
        ask(url, seconds)
    return caught.value


def test_a_whole_answer_comes_back(serve: Serve) -> None:
    url = serve(lambda c: c.sendall(HEAD + b"Content-Length: 5\r\n\r\nhello"))
    answer = ask(url)
    assert (answer.status, answer.body) == (200, b"hello")


def test_nothing_of_the_environment_goes_into_a_request(
    serve: Serve, heads: list[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    url = serve(lambda c: c.sendall(HEAD + b"Content-Length: 0\r\n\r\n"))
    ask(f"{url}/latest/api/token", method="PUT")
    assert heads[0].split(b"\r\n") == [
        b"PUT /latest/api/token HTTP/1.1",
        b"Host: " + url.removeprefix("http://").encode(),
        b"User-Agent: rancheros-ec2-metadata",
        b"Accept-Encoding: identity",
        b"X-Mine: 1",
        b"Content-Length: 0",
        b"",
        b"",
    ]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(
            lambda c: c.sendall(HEAD + b"Content-Length: 99\r\n\r\nhal"), id="closes in the middle"
        ),
        pytest.param(lambda c: c.sendall(HEAD[:-7]), id="closes in the headers"),
        pytest.param(lambda c: c.sendall(HEAD + b"Content-Length: "), id="closes in the length"),
        pytest.param(lambda c: c.close(), id="closes at once"),
        pytest.param(lambda c: c.sendall(b"SSH-2.0-OpenSSH\r\n"), id="is no web server"),
    ],
)
def test_a_broken_connection_is_worth_another_try(serve: Serve, script: Script) -> None:
    assert failure(serve(script)).reason is Reason.UNREACHABLE


def test_a_server_that_says_nothing_is_given_as_long_as_there_is(serve: Serve) -> None:
    def silent(connection: socket.socket) -> None:
        connection.recv(1)

    caught = failure(serve(silent), seconds=1)
    assert caught.reason is Reason.TIMED_OUT
    assert "no answer for" in str(caught)


def test_an_answer_without_end_is_cut(serve: Serve) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    caught = failure(serve(endless))
    assert caught.reason is Reason.FINAL
    assert "longer than" in str(caught)


def test_a_compressed_answer_is_not_unpacked(serve: Serve) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    assert ask(serve(lambda c: c.sendall(head + bomb))).body == bomb


def test_a_redirect_is_an_answer(serve: Serve) -> None:
    asked: list[int] = []

    def script(connection: socket.socket) -> None:
        asked.append(1)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

    assert ask(serve(script)).status == 302
    assert len(asked) == 1


def test_a_refused_connection_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    caught = failure(f"http://127.0.0.1:{port}")
    assert caught.reason is Reason.UNREACHABLE
    assert "Connection refused" in str(caught)


@pytest.mark.parametrize("url", ["no-url", "ftp://127.0.0.1/", "http://", "http://[::1/"])
def test_what_is_no_url_is_not_tried_again(url: str) -> None:
    assert failure(url).reason is Reason.FINAL


@pytest.mark.parametrize("error", [requests.TooManyRedirects("x"), requests.RequestException("x")])
def test_any_other_error_of_requests_is_final(
    mock: responses.RequestsMock, error: Exception
) -> None:
    mock.add(responses.GET, "http://one/", body=error)
    assert failure("http://one/").reason is Reason.FINAL


def test_an_answer_does_not_show_its_body() -> None:
    assert "secret" not in repr(Answer("http://one/", 200, b"secret", {}))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "-7"}, 0),
        ({"Retry-After": "nan"}, 0),
        ({"Retry-After": "\xb2"}, 0),  # a digit, but no number
        ({"Retry-After": "9" * 400}, 999_999_999),
        (
            {
                "Retry-After": "Fri, 15 Jan 2027 08:00:09 GMT",
                "Date": "Fri, 15 Jan 2027 08:00:00 GMT",
            },
            9,
        ),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:09 GMT"}, 0),
        ({"Retry-After": "soon", "Date": "now"}, 0),
    ],
)
def test_retry_after_is_read_in_both_its_forms(headers: dict[str, str], seconds: float) -> None:
    assert Answer("", 503, b"", headers).retry_after() == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "Fri, 99 Jan 2027 08:00:00 GMT"])
def test_a_date_that_is_none_is_not_known(text: str) -> None:
    assert Answer("", 200, b"", {"Date": text}).date() is None
