from __future__ import annotations

import errno
import os
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest
import requests

from rancheros_ec2_metadata.fake_ec2.data import FakeInstance, ImdsOptions
from rancheros_ec2_metadata.fake_ec2.faults import Fault
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

INSTANCE = FakeInstance(role="docker-node", tags={"docker.role": "wéb"}, user_data="#cloud-config")
V1 = replace(INSTANCE, imds=ImdsOptions(tokens="optional"))
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"
SHORT = 0.1  # seconds to wait for an answer that never comes


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_770_000_000.0

    def __call__(self) -> float:
        return self.seconds


class Client:
    """Speaks to a fake as curl would."""

    def __init__(self, imds: FakeImds) -> None:
        self.imds = imds
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10,
    ) -> requests.Response:
        return self.session.request(
            method, self.imds.url + path, headers=headers, timeout=timeout, allow_redirects=False
        )

    def put(self, ttl: str = "60") -> requests.Response:
        return self.ask("PUT", "/latest/api/token", {TTL: ttl})

    def get(self, path: str, token: str) -> requests.Response:
        return self.ask("GET", path, {TOKEN: token})


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture
def imds(now: Time) -> Iterator[FakeImds]:
    with FakeImds(INSTANCE, now=now) as fake:
        yield fake


@pytest.fixture
def client(imds: FakeImds) -> Iterator[Client]:
    made = Client(imds)
    with made.session:
        yield made


@pytest.fixture
def token(client: Client) -> str:
    return client.put().text


@pytest.mark.parametrize("ttl", ["1", "21600"])
def test_a_put_with_a_ttl_is_answered_with_a_token(client: Client, ttl: str) -> None:
    answer = client.put(ttl)

    assert answer.status_code == 200
    assert answer.headers[TTL] == ttl
    assert client.get("/latest/meta-data/instance-id", answer.text).text == INSTANCE.instance_id


@pytest.mark.parametrize("ttl", ["", "0", "-1", "21601", "1.5", "x", "99999999", "6 0"])
def test_a_bad_ttl_is_400(client: Client, ttl: str) -> None:
    assert client.put(ttl).status_code == 400


def test_a_missing_ttl_is_400_with_its_page(client: Client) -> None:
    answer = client.ask("PUT", "/latest/api/token")

    assert answer.status_code == 400
    assert "<h1>400 - Bad Request</h1>" in answer.text


def test_a_put_that_was_forwarded_is_403(client: Client) -> None:
    headers = {TTL: "60", "X-Forwarded-For": "10.0.0.1"}

    assert client.ask("PUT", "/latest/api/token", headers).status_code == 403


def test_only_put_makes_a_token(client: Client) -> None:
    answer = client.ask("GET", "/latest/api/token", {TTL: "60"})

    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, PUT")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PURGE"])
def test_metadata_is_only_read(client: Client, token: str, method: str) -> None:
    assert client.ask(method, "/latest/meta-data/", {TOKEN: token}).status_code == 405


def test_a_get_without_a_token_is_401_with_its_page(client: Client) -> None:
    answer = client.ask("GET", "/latest/meta-data/instance-id")

    assert answer.status_code == 401
    assert "<h1>401 - Unauthorized</h1>" in answer.text
    assert answer.text.startswith("<?xml")


def test_a_wrong_token_is_401(client: Client, token: str) -> None:
    assert client.get("/latest/meta-data/instance-id", token[:-3] + "x==").status_code == 401


def test_a_token_ends_with_its_ttl(client: Client, now: Time) -> None:
    token = client.put("60").text

    now.seconds += 59.9
    assert client.get("/latest/", token).status_code == 200
    now.seconds += 0.1
    assert client.get("/latest/", token).status_code == 401


def test_expired_tokens_are_401_and_a_new_one_works(
    imds: FakeImds, client: Client, token: str
) -> None:
    imds.expire_tokens()

    assert client.get("/latest/", token).status_code == 401
    assert client.get("/latest/", client.put().text).status_code == 200


def test_a_token_is_valid_for_its_instance_only(imds: FakeImds, client: Client, token: str) -> None:
    imds.instance = replace(INSTANCE, instance_id="i-0other")

    assert client.get("/latest/", token).status_code == 401


def test_where_tokens_are_optional_none_is_needed_but_a_wrong_one_is_401(
    imds: FakeImds, client: Client
) -> None:
    imds.instance = V1

    assert client.ask("GET", "/latest/").status_code == 200
    assert client.get("/latest/", "wrong").status_code == 401
    assert client.get("/latest/", client.put().text).status_code == 200


def test_a_disabled_service_is_403_for_everything(imds: FakeImds, client: Client) -> None:
    imds.instance = replace(INSTANCE, imds=ImdsOptions(enabled=False))

    assert client.put().status_code == 403
    assert client.ask("GET", "/latest/").status_code == 403


def test_beyond_the_hop_limit_the_put_gets_no_answer_and_a_get_does(
    imds: FakeImds, client: Client
) -> None:
    imds.instance = replace(INSTANCE, imds=ImdsOptions(hop_limit_lost=True))

    with pytest.raises(requests.ReadTimeout):
        client.ask("PUT", "/latest/api/token", {TTL: "60"}, timeout=SHORT)
    assert client.ask("GET", "/latest/").status_code == 401
    assert imds.requests == [("PUT", "/latest/api/token", 0), ("GET", "/latest/", 401)]


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
def test_what_is_not_there_is_404_with_its_page(imds: FakeImds, token: str, path: str) -> None:
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


def test_every_listed_leaf_answers_200(client: Client, token: str) -> None:
    folders = ["/latest/dynamic/", "/latest/meta-data/"]
    leaves = ["/latest/user-data"]
    for folder in folders:
        for name in client.get(folder, token).text.split("\n"):
            (folders if name.endswith("/") else leaves).append(folder + name)

    statuses = {leaf: client.get(leaf, token).status_code for leaf in leaves}
    assert "/latest/meta-data/tags/instance/docker.role" in statuses
    assert "/latest/dynamic/instance-identity/document" in statuses
    assert set(statuses.values()) == {200}


def test_text_is_utf_8_and_no_charset_is_named(client: Client, token: str) -> None:
    answer = client.get("/latest/meta-data/tags/instance/docker.role", token)

    assert answer.content == "wéb".encode()
    assert answer.headers["Content-Type"] == "text/plain"


def test_a_percent_encoded_key_and_a_query_are_understood(
    imds: FakeImds, client: Client, token: str
) -> None:
    imds.instance = replace(INSTANCE, tags={"a:b+c": "x"})

    assert client.get("/latest/meta-data/tags/instance/a%3Ab+c?q=1", token).text == "x"


def test_every_answer_has_the_headers_of_the_real_service(client: Client, now: Time) -> None:
    for answer in (client.put(), client.ask("GET", "/")):
        assert answer.raw.version == 11
        assert answer.headers["Server"] == "EC2ws"
        assert answer.headers["Connection"] == "close"
        assert answer.headers["Content-Length"] == str(len(answer.content))
        assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == now()


def test_head_is_get_without_the_body(imds: FakeImds, token: str) -> None:
    # By hand: a client would not look for a body.
    answer = raw(
        imds, f"HEAD /latest/meta-data/mac HTTP/1.1\r\nHost: x\r\n{TOKEN}: {token}\r\n\r\n"
    )

    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert "Content-Length: 17\r\n" in answer
    assert answer.endswith("\r\n\r\n")


def test_tags_change_while_running(imds: FakeImds, client: Client, token: str) -> None:
    imds.instance = replace(imds.instance, tags={"docker.role": "db"})

    assert client.get("/latest/meta-data/tags/instance/docker.role", token).text == "db"


def test_requests_are_noted_in_order_with_what_they_were_answered(
    imds: FakeImds, client: Client, token: str
) -> None:
    client.get("/latest/meta-data/mac?x", token)
    client.ask("GET", "/latest/x")

    assert imds.requests == [
        ("PUT", "/latest/api/token", 200),
        ("GET", "/latest/meta-data/mac?x", 200),
        ("GET", "/latest/x", 401),
    ]


def test_a_fault_befalls_its_path_so_many_times_and_then_the_truth_is_told(
    imds: FakeImds, client: Client, token: str
) -> None:
    fault = Fault("/latest/meta-data/tags/*", status=503, headers={"Retry-After": "7"}, times=2)
    imds.faults = [fault]

    def ask() -> requests.Response:
        return client.get("/latest/meta-data/tags/instance", token)

    assert client.get("/latest/meta-data/mac", token).status_code == 200
    assert [ask().headers.get("Retry-After") for _ in range(3)] == ["7", "7", None]
    assert [status for _, path, status in imds.requests if "tags" in path] == [503, 503, 200]
    assert fault.times == 0


def test_a_fault_without_times_befalls_for_ever_and_hides_those_after_it(
    imds: FakeImds, client: Client
) -> None:
    imds.faults = [Fault("*", method="GET", status=404, times=None), Fault("*", status=500)]

    assert [client.ask("GET", "/").status_code for _ in range(3)] == [404, 404, 404]
    assert [client.put().status_code for _ in range(2)] == [500, 200]


def test_a_fault_can_answer_any_bytes(imds: FakeImds, client: Client) -> None:
    imds.faults = [Fault("/x", status=200, body=b"\xff\0", headers={"Content-Type": "text/html"})]

    answer = client.ask("GET", "/x")
    assert (answer.content, answer.headers["Content-Type"]) == (b"\xff\0", "text/html")


def test_a_fault_can_close_the_connection(imds: FakeImds, client: Client) -> None:
    imds.faults = [Fault("/latest/", close=True)]

    with pytest.raises(requests.ConnectionError):
        client.ask("GET", "/latest/")
    assert imds.requests == [("GET", "/latest/", 0)]


def test_a_fault_can_expire_all_tokens_once(imds: FakeImds, client: Client, token: str) -> None:
    imds.faults = [Fault("/latest/meta-data/*", expire_tokens=True)]

    assert client.get("/latest/", token).status_code == 200
    assert client.get("/latest/meta-data/mac", token).status_code == 401
    assert client.get("/latest/meta-data/mac", client.put().text).status_code == 200


def test_a_fault_can_delay_an_answer(imds: FakeImds, client: Client) -> None:
    imds.faults = [Fault("/slow", delay=3 * SHORT)]

    with pytest.raises(requests.ReadTimeout):
        client.ask("GET", "/slow", timeout=SHORT)
    imds.faults = [Fault("/slow", delay=SHORT)]
    assert client.ask("GET", "/slow", timeout=10).status_code == 401


def raw(imds: FakeImds, request: str) -> str:
    """Send bytes as they are; return all that comes back."""
    host, port = imds.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def test_a_request_that_is_no_http_is_400(imds: FakeImds) -> None:
    assert " 400 " in raw(imds, "what\r\n\r\n").split("\r\n")[0]


def test_the_connection_is_closed_after_an_answer_whatever_the_client_asks(imds: FakeImds) -> None:
    answers = raw(imds, "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n" * 2)

    assert answers.count("HTTP/1.1") == 1


def test_a_client_that_leaves_without_a_word_disturbs_nobody(
    imds: FakeImds, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    host, port = imds.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        linger_for_nothing = b"\x01\0\0\0\0\0\0\0"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing)
        connection.sendall(b"GET / HT")  # closing now is a reset

    assert client.ask("GET", "/").status_code == 401
    assert capfd.readouterr().err == ""


def test_a_bug_in_the_fake_is_not_hidden(
    imds: FakeImds, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    imds.faults = [Fault("/", status=999)]  # no such status: there is no page for it

    with suppress(requests.ConnectionError):
        client.ask("GET", "/")
    assert "ValueError: 999" in capfd.readouterr().err


def test_stopping_is_quick_and_leaves_no_thread_whatever_is_waited_for() -> None:
    before = set(threading.enumerate())
    lost = replace(INSTANCE, imds=ImdsOptions(hop_limit_lost=True))
    request = b"%s HTTP/1.1\r\nHost: x\r\n\r\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with FakeImds(lost) as imds:
            imds.faults = [Fault("/delayed", delay=3600)]
            host, port = imds.url.removeprefix("http://").split(":")
            clients = [socket.create_connection((host, int(port))) for _ in range(3)]
            clients[1].sendall(request % b"GET /delayed")
            clients[2].sendall(request % b"PUT /latest/api/token")
            wait_for(lambda: len(imds.requests) == 2)
            began = time.monotonic()
        took = time.monotonic() - began

    for connection in clients:
        connection.close()
    assert took < 1
    assert set(threading.enumerate()) <= before


def wait_for(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_ipv6_is_served_too() -> None:
    with FakeImds(V1, host="::1") as imds:
        assert imds.url.startswith("http://[::1]:")
        assert requests.get(f"{imds.url}/latest/meta-data/mac", timeout=10).text == V1.mac


def test_an_address_in_use_is_an_os_error(imds: FakeImds) -> None:
    port = int(imds.url.rpartition(":")[2])

    with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)), FakeImds(port=port):
        pass
