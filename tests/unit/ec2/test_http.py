"""One request against servers on loopback that do everything wrong."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pytest
import requests
import responses

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.imds import IMDS_BOUNDS, Answer, HttpClient
from rancheros_ec2_metadata.ec2.retry import Reason, RequestError
from unit.ec2.scripted_server import Script, Serve, closed_url

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


def ask(url: str, seconds: float = 60, method: str = "GET") -> Answer:
    request = requests.Request(method, url, {"X-Mine": "1"})
    return HttpClient(IMDS_BOUNDS).send(request, Limit.after(seconds, Clock()))


def failure(url: str, seconds: float = 60) -> RequestError:
    with pytest.raises(RequestError) as caught:
        ask(url, seconds)
    return caught.value


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


def silent(connection: socket.socket) -> None:
    connection.recv(1)


def endless(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"\r\n")
    while True:
        connection.sendall(b"x" * 65536)


@pytest.mark.parametrize(
    ("script", "seconds", "reason", "said"),
    [
        (silent, 1, Reason.TIMED_OUT, "no answer for"),
        (endless, 60, Reason.FINAL, "longer than"),
    ],
)
def test_a_server_without_an_answer_or_an_end_is_left(
    serve: Serve, script: Script, seconds: float, reason: Reason, said: str
) -> None:
    caught = failure(serve(script), seconds)
    assert caught.reason is reason
    assert said in str(caught)


BOMB = gzip.compress(b"0" * 10_000_000, mtime=0)


@pytest.mark.parametrize(
    ("head", "status", "body"),
    [
        (HEAD + b"Content-Length: 5\r\n", 200, b"hello"),
        # Nothing is unpacked, and no redirect followed.
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(BOMB), 200, BOMB),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n", 302, b""),
    ],
    ids=["plain", "gzip", "redirect"],
)
def test_an_answer_is_what_came_over_the_wire(
    serve: Serve, heads: list[bytes], head: bytes, status: int, body: bytes
) -> None:
    answer = ask(serve(lambda c: c.sendall(head + b"\r\n" + body)))
    assert (answer.status, answer.body, len(heads)) == (status, body, 1)
    assert "hello" not in repr(answer)


def test_a_refused_connection_says_so() -> None:
    caught = failure(closed_url())
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


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "-7"}, 0),
        ({"Retry-After": "nan"}, 0),
        ({"Retry-After": "\xb2"}, 0),  # a digit, but no number
        ({"Retry-After": "9" * 400}, 999_999_999),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:09 GMT"}, 0),
    ],
)
def test_only_seconds_are_a_wish_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert Answer("", 503, b"", headers).make_error().retry_after == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "Fri, 99 Jan 2027 08:00:00 GMT"])
def test_a_date_that_is_none_is_not_known(text: str) -> None:
    assert Answer("", 200, b"", {"Date": text}).parse_date() is None
