from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
import requests

from faulty_imds import Fault, FaultyImds
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

INSTANCE = FakeInstance(role="docker-node", tags={"docker.role": "wéb"}, user_data="#cloud-config")
V1 = replace(INSTANCE, tokens="optional")
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


class Time:
    """A clock that stands still until it is moved."""

    seconds = 1_770_000_000.0

    def __call__(self) -> float:
        return self.seconds


class Client:
    """Speaks to a fake as curl would."""

    def __init__(self, imds: FakeImds) -> None:
        self.imds = imds
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        return self.session.request(method, self.imds.url + path, headers=headers, timeout=90)

    def put(self, ttl: str = "60") -> requests.Response:
        return self.ask("PUT", "/latest/api/token", {TTL: ttl})

    def get(self, path: str, token: str) -> requests.Response:
        return self.ask("GET", path, {TOKEN: token})


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture
def imds(now: Time) -> Iterator[FaultyImds]:
    with FaultyImds(INSTANCE, now=now) as fake:
        yield fake


@pytest.fixture
def client(imds: FaultyImds) -> Iterator[Client]:
    made = Client(imds)
    with made.session:
        yield made


@pytest.fixture
def token(client: Client) -> str:
    return client.put().text


def connect(imds: FakeImds) -> socket.socket:
    host, port = imds.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=90)


def raw(imds: FakeImds, request: str) -> str:
    """Send a request as it is; return all that comes back."""
    with connect(imds) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.mark.parametrize("ttl", ["1", "21600"])
def test_a_put_with_a_ttl_is_answered_with_a_token(client: Client, ttl: str) -> None:
    answer = client.put(ttl)
    assert (answer.status_code, answer.headers[TTL]) == (200, ttl)
    assert client.get("/latest/meta-data/instance-id", answer.text).text == INSTANCE.instance_id


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        *[(400, {TTL: ttl}) for ttl in ("", "0", "-1", "21601", "1.5", "x", "99999999", "6 0")],
        (403, {TTL: "60", "X-Forwarded-For": "10.0.0.1"}),
    ],
)
def test_a_put_with_a_bad_ttl_or_that_was_forwarded_is_refused_with_its_page(
    client: Client, status: int, headers: dict[str, str]
) -> None:
    answer = client.ask("PUT", "/latest/api/token", headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
    assert f"<h1>{status} - " in answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/latest/api/token", "OPTIONS, PUT"),
        ("PUT", "/latest/meta-data/", "GET, HEAD, OPTIONS"),
        ("POST", "/latest/meta-data/", "GET, HEAD, OPTIONS"),
        ("DELETE", "/latest/meta-data/", "GET, HEAD, OPTIONS"),
    ],
)
def test_metadata_is_only_read_and_only_put_makes_a_token(
    client: Client, token: str, method: str, path: str, allowed: str
) -> None:
    answer = client.ask(method, path, {TOKEN: token})
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_only_a_token_of_this_instance_whose_time_is_not_over_is_taken(
    imds: FaultyImds, client: Client, now: Time
) -> None:
    token = client.put("60").text
    answers = [client.ask("GET", "/latest/"), client.get("/latest/", token[:-3] + "x==")]
    now.seconds += 59.9
    answers.append(client.get("/latest/", token))
    imds.instance = replace(INSTANCE, instance_id="i-0other")
    answers.append(client.get("/latest/", token))
    imds.instance = INSTANCE
    now.seconds += 0.1
    answers.append(client.get("/latest/", token))
    assert [answer.status_code for answer in answers] == [401, 401, 200, 401, 401]


def test_where_tokens_are_optional_none_is_needed_but_a_wrong_one_is_401(
    imds: FaultyImds, client: Client
) -> None:
    imds.instance = V1
    assert client.ask("GET", "/latest/").status_code == 200
    assert client.get("/latest/", "wrong").status_code == 401
    assert client.get("/latest/", client.put().text).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/latest/meta-data/public-ipv4",
        "/latest/meta-data/instance-id/",
        "/latest/meta-data/tags/instance/docker.none",
        "/latest/meta-data/tags/instance/..",
        "/latest/meta-data//instance-id",
        "/latest/meta-data/%2e%2e/user-data",
        "/2009-04-05/meta-data/",
        "/latest/api",
        "/meta-data/",
        "/x/latest/",
        "x/latest/",
        "http://169.254.169.254/latest/",
    ],
)
def test_what_is_not_there_is_404_with_its_page(imds: FaultyImds, token: str, path: str) -> None:
    # By hand: a client would resolve the dots itself.
    answer = raw(imds, f"GET {path} HTTP/1.1\r\nHost: x\r\n{TOKEN}: {token}\r\n\r\n")
    assert answer.startswith("HTTP/1.1 404 Not Found\r\n")
    assert "<h1>404 - Not Found</h1>" in answer


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("folder", "first"),
    [
        ("/latest", "dynamic"),
        ("/latest/meta-data", "ami-id"),
        ("/2009-04-04/meta-data/placement", "availability-zone"),
        ("/latest/meta-data/tags/instance", "docker.role"),
        ("/latest/meta-data/iam/security-credentials", "docker-node"),
    ],
)
def test_a_folder_is_listed_with_and_without_its_slash(
    client: Client, token: str, folder: str, first: str, slash: str
) -> None:
    assert client.get(folder + slash, token).text.split("\n")[0] == first


def test_the_root_lists_the_versions_and_each_is_served(client: Client, token: str) -> None:
    versions = client.get("/", token).text.split("\n")
    assert {"2009-04-04", "latest"} <= set(versions)
    statuses = {client.get(f"/{version}/user-data", token).status_code for version in versions}
    assert statuses == {200}


def test_text_is_utf_8_without_a_charset_and_a_key_may_be_percent_encoded(
    imds: FaultyImds, client: Client, token: str
) -> None:
    answer = client.get("/latest/meta-data/tags/instance/docker.role", token)
    assert answer.content == "wéb".encode()
    assert answer.headers["Content-Type"] == "text/plain"
    imds.instance = replace(INSTANCE, tags={"a:b+c": "half of a pair: \ud800"})
    answer = client.get("/latest/meta-data/tags/instance/a%3Ab+c?q=1", token)
    assert answer.text == "half of a pair: ?"


def test_each_answer_has_the_headers_of_the_real_service_and_is_the_connections_last(
    imds: FaultyImds, client: Client
) -> None:
    for answer in (client.put(), client.ask("GET", "/")):
        assert answer.raw.version == 11
        assert answer.headers["Server"] == "EC2ws"
        assert answer.headers["Connection"] == "close"
        assert answer.headers["Content-Length"] == str(len(answer.content))
    answers = raw(imds, "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n" * 2)
    assert answers.count("HTTP/1.1") == 1


def test_head_is_get_without_the_body(imds: FaultyImds, token: str) -> None:
    # By hand: a client would not look for a body.
    head = f"HEAD /latest/meta-data/mac HTTP/1.1\r\nHost: x\r\n{TOKEN}: {token}\r\n\r\n"
    answer = raw(imds, head)
    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert "Content-Length: 17\r\n" in answer
    assert answer.endswith("\r\n\r\n")


def test_a_client_that_leaves_without_a_word_disturbs_nobody_and_a_bug_is_not_hidden(
    imds: FaultyImds, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(imds) as connection:
        linger_for_nothing = b"\x01\0\0\0\0\0\0\0"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing)
        connection.sendall(b"GET / HT")  # closing now is a reset
    assert client.ask("GET", "/").status_code == 401
    assert capfd.readouterr().err == ""
    imds.faults = [Fault("/", status=999)]  # no such status: there is no page for it
    with pytest.raises(requests.ConnectionError):
        client.ask("GET", "/")
    assert "ValueError: 999" in capfd.readouterr().err


def test_an_address_in_use_is_an_os_error(imds: FaultyImds) -> None:
    port = int(imds.url.rpartition(":")[2])
    with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)), FakeImds(INSTANCE, port=port):
        pass
