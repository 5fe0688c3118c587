"""Modes of hostile_imds that a client could survive were they weaker than their names say.

What the others send is to be read in one line each.
"""

from __future__ import annotations

import json
import socket
import zlib
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from hostile_imds import (
    BOMB_MEMBER,
    BOMB_MEMBERS,
    TAG_LIST,
    TOKEN_PATH,
    HostileImds,
)

SHORT = 0.2  # seconds to wait for what never comes


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=SHORT)


def asked(url: str, path: str = "/") -> socket.socket:
    connection = connected(url)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return connection


def everything(url: str, path: str = "/") -> bytes:
    with closing(asked(url, path)) as connection:
        connection.settimeout(10)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def token(session: requests.Session, url: str) -> dict[str, str]:
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    answer = session.put(url + TOKEN_PATH, headers=ttl, timeout=90)
    return {"X-aws-ec2-metadata-token": answer.text}


def test_never_accepts_lets_no_connection_be_made() -> None:
    with HostileImds("never-accepts") as url:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                connected(url)


@pytest.mark.parametrize(
    ("mode", "start"),
    [
        ("one-byte-a-second", b"HTTP/1.1 200 OK\r\n"),
        ("one-byte-a-second-body", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n"),
    ],
)
def test_the_slow_modes_send_one_byte_at_a_time_without_end(mode: str, start: bytes) -> None:
    with HostileImds(mode, pause=0.001) as url, closing(asked(url)) as connection:
        pieces = [connection.recv(65536) for _ in range(100)]

    sent = b"".join(pieces)
    assert sent.startswith(start)
    assert sent.endswith(b"aa")
    assert len(pieces[-1]) < 20
    assert sent.count(b"\r\n\r\n") == (mode == "one-byte-a-second-body")


@pytest.mark.parametrize("mode", ["sends-without-end", "headers-without-end"])
def test_the_endless_modes_go_on_beyond_any_cap_and_count_what_they_sent(mode: str) -> None:
    hostile = HostileImds(mode)
    with hostile as url, closing(asked(url)) as connection:
        received = 0
        while received < 20_000_000:
            received += len(connection.recv(1 << 20))

    assert hostile.sent > 19_000_000


def test_a_gzip_bomb_unpacks_to_a_thousand_times_its_size() -> None:
    with HostileImds("gzip-bomb") as url:
        head, _, body = everything(url).partition(b"\r\n\r\n")

    unpacked = zlib.decompressobj(wbits=31)
    assert b"Content-Encoding: gzip" in head
    assert len(unpacked.decompress(body)) == BOMB_MEMBER
    assert BOMB_MEMBER * BOMB_MEMBERS > 1_000_000_000
    assert len(body) < 2_000_000
    assert len(unpacked.unused_data) * BOMB_MEMBERS == len(body) * (BOMB_MEMBERS - 1)


def test_dotted_keys_lead_out_of_the_tags_if_they_are_followed(session: requests.Session) -> None:
    with HostileImds("dotted-keys") as url:
        headers = token(session, url)
        keys = session.get(url + TAG_LIST, headers=headers, timeout=90).text.split("\n")
        texts = {
            key: session.get(f"{url}{TAG_LIST}/{key}", headers=headers, timeout=90).text
            for key in keys
        }

    assert texts["docker.role"] == "web"
    for key in keys:
        if "iam" in key:
            assert json.loads(texts[key])["Code"] == "Success"
    assert sum("iam" in key for key in keys) == 3
    assert any("%2e" in key for key in keys)
    assert texts["../../../user-data"] == "secret: user-data"


@pytest.mark.parametrize(("mode", "bad"), [("invalid-utf8", b"\xff"), ("nul-bytes", b"\0")])
def test_bad_bytes_are_in_a_key_a_value_and_a_name_beside_a_sane_tag(
    session: requests.Session, mode: str, bad: bytes
) -> None:
    with HostileImds(mode) as url:
        headers = token(session, url)

        def get(path: str) -> bytes:
            return session.get(url + path, headers=headers, timeout=90).content

        assert bad in get(TAG_LIST)
        assert bad in get(f"{TAG_LIST}/docker.value")
        assert bad in get("/latest/meta-data/hostname")
        assert bad in get("/latest/meta-data/local-hostname")
        assert get(f"{TAG_LIST}/docker.role") == b"web"
