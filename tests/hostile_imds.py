"""Metadata services that go wrong, on a raw socket: each mode is one way of going wrong.

``with HostileImds("one-byte-a-second") as url:`` answers every request so;
``HostileImds("gzip-bomb", at="/latest/meta-data/tags/*")`` only those, and the others as a sane
metadata service does.
"""

from __future__ import annotations

import gzip
import itertools
import posixpath
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from urllib.parse import quote, unquote

from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

TOKEN_PATH = "/latest/api/token"
TAG_LIST = "/latest/meta-data/tags/instance"
BOMB_MEMBERS, BOMB_MEMBER = 100, 10 << 20  # bytes of each, unpacked: a good 1 GiB in all


@dataclass(frozen=True)
class Asked:
    """One request, and what its answer may need.

    Args:
        raw: the head as it came, and the body.
        wait: waits so many seconds; True when the server is being stopped.
    """

    method: str
    target: str
    raw: bytes
    wait: Callable[[float | None], bool]


# What is sent, piece by piece; its end closes the connection.
Script = Callable[[Asked], Iterable[bytes]]


def head(status: int, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *headers, "Connection: close")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def whole(body: bytes, status: int = 200, kind: str = "text/plain") -> Script:
    start = head(status, f"Content-Type: {kind}", f"Content-Length: {len(body)}")
    return lambda _: [start + body]


def nothing(asked: Asked) -> Iterator[bytes]:
    asked.wait(None)
    yield from ()


def slowly(at_once: bytes, then: bytes) -> Script:
    def script(asked: Asked) -> Iterator[bytes]:
        yield at_once
        for byte in itertools.chain(then, itertools.repeat(ord("a"))):
            if asked.wait(1):
                return
            yield bytes([byte])

    return script


def endless(at_once: bytes, piece: bytes) -> Script:
    return lambda _: itertools.chain([at_once], itertools.repeat(piece))


def redirect(asked: Asked) -> list[bytes]:
    return [head(302, f"Location: {asked.target}", "Content-Length: 0")]


def unavailable(*headers: str) -> Script:
    return lambda _: [head(503, *headers, "Content-Length: 0")]


def gzip_bomb(_: Asked) -> Iterator[bytes]:
    member = gzip.compress(bytes(BOMB_MEMBER))
    length = len(member) * BOMB_MEMBERS
    yield head(200, "Content-Encoding: gzip", f"Content-Length: {length}")
    yield from itertools.repeat(member, BOMB_MEMBERS)


# Ways to answer any request.
MODES: dict[str, Script] = {
    "says-nothing": nothing,
    "one-byte-a-second": slowly(b"", head(200)[:-2] + b"X-Slow: "),
    "one-byte-a-second-body": slowly(head(200, "Content-Length: 1000000"), b""),
    "sends-without-end": endless(head(200, "Content-Type: text/plain"), b"a" * 65536),
    "headers-without-end": endless(head(200)[:-2], b"X-More: a\r\n" * 1000),
    "closes-at-once": lambda _: [],
    "closes-in-the-headers": lambda _: [head(200)[:20]],
    "closes-in-the-body": lambda _: [head(200, "Content-Length: 1000") + b"half"],
    "redirects-to-itself": redirect,
    "503": unavailable(),
    "503-retry-after": unavailable("Retry-After: 1"),
    "503-retry-after-a-day": unavailable("Retry-After: 86400"),
    "html": whole(b"<!DOCTYPE html>\n<html><body>Log in</body></html>\n", kind="text/html"),
    "gzip-bomb": gzip_bomb,
    "no-text": whole(b"\xff\xfe\x00\x1b[2J\xc3("),
}

# A metadata service that is sane but for these paths.
DATA_MODES: dict[str, Mapping[str, Script]] = {
    "token-of-1-mb": {TOKEN_PATH: whole(b"A" * 1_000_000)},
    "100000-keys": {TAG_LIST: whole(b"\n".join(b"docker.k%06d" % n for n in range(100_000)))},
    "dotted-keys": {
        TAG_LIST: whole(
            b"docker.role\n.\n..\n_index\n../../iam/security-credentials/docker-node\n"
            b"../../../user-data\ndocker.a/../docker.role\n/latest/meta-data/instance-id\n"
            b"%2e%2e/%2e%2e/iam/security-credentials/docker-node\n"
            b"%2e%2e%2f%2e%2e%2fiam%2fsecurity-credentials%2fdocker-node\n"
            b"docker.a%2f..%2fdocker.role\ndocker.a?x=y\ndocker.a#b"
        )
    },
    "invalid-utf8": {
        TAG_LIST: whole(b"docker.role\ndocker.value\ndocker.\xff\xfe\n\xc3("),
        f"{TAG_LIST}/docker.value": whole(b"caf\xe9 \xff\xed\xa0\x80"),
        "/latest/meta-data/*hostname": whole(b"ip-\xff\xfe.internal"),
    },
    "nul-bytes": {
        TAG_LIST: whole(b"docker.role\ndocker.value\ndocker.\x00key\n\x00"),
        f"{TAG_LIST}/docker.value": whole(b"before\x00after"),
        "/latest/meta-data/*hostname": whole(b"ip\x00.internal"),
    },
}

SANE = FakeInstance(role="docker-node", tags={"docker.role": "web"}, user_data="secret: user-data")


def described(*tags: bytes, more: bytes = b"", prolog: bytes = b"") -> Mapping[str, Script]:
    """Answer any request as DescribeTags does, with keys and values as they are here."""
    sets = b"".join(
        b"<item><resourceId>%s</resourceId><key>%s</key><value>x</value></item>"
        % (SANE.instance_id.encode(), tag)
        for tag in tags
    )
    space = b'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'
    answer = b"<DescribeTagsResponse %s><tagSet>%s</tagSet>%s</DescribeTagsResponse>"
    return {"*": whole(prolog + answer % (space, sets, more), kind="text/xml")}


# Each entity is ten of the one before: a good 10 GB in all.
BILLION = b"<!DOCTYPE x [<!ENTITY a '%s'>%s]>" % (
    b"a" * 10,
    b"".join(b"<!ENTITY %c '%s'>" % (n + 1, b"&%c;" % n * 10) for n in range(ord("a"), ord("j"))),
)
# An EC2 API that answers, but not as one.
API_MODES: dict[str, Mapping[str, Script]] = {
    "25000-tags": described(*(b"docker.%06d" % n for n in range(25_000))),
    "pages-without-end": described(b"docker.k", more=b"<nextToken>again</nextToken>"),
    "entities": described(b"docker.&j;", prolog=BILLION),
    "external-entity": described(
        b"docker.&x;", prolog=b"<!DOCTYPE x [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
    ),
    "nul-in-xml": described(b"docker.\0"),
    "no-utf8-in-xml": described(b"docker.\xff\xfe"),
    "deep-xml": {"*": whole(b"<a>" * 300_000, kind="text/xml")},
    "other-xml": {"*": whole(b"<html><body>Log in</body></html>", kind="text/xml")},
}

NEVER_ACCEPTS = "never-accepts"
ALL_MODES = (NEVER_ACCEPTS, *MODES, *DATA_MODES)


def rules(mode: str, at: str) -> Mapping[str, Script]:
    if mode == NEVER_ACCEPTS:
        return {}
    return {**DATA_MODES, **API_MODES}[mode] if mode not in MODES else {at: MODES[mode]}


class HostileImds:
    """A metadata service that goes wrong in one way while its context is open.

    Args:
        mode: one of ALL_MODES.
        at: pattern of the paths that go wrong, for the modes in MODES; the others are sane.
    """

    def __init__(self, mode: str, *, at: str = "*") -> None:
        self._accepts = mode != NEVER_ACCEPTS
        self._rules = rules(mode, at)
        self._lax = mode == "dotted-keys"
        self._sane = FakeImds(SANE)
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name="hostile-imds", daemon=True)
        self._lock = threading.Lock()

    def __enter__(self) -> str:
        backlog = 128 if self._accepts else 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        host, port = self._listener.getsockname()
        self._sane.__enter__()
        if self._accepts:
            self._acceptor.start()
        else:
            self._fill((host, port))
        return f"http://{host}:{port}"

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._accepts:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._acceptor.join()
        self._listener.close()
        # Whoever waits for the sane part has its answer, or its end, once that has stopped.
        self._sane.__exit__()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()

    def _fill(self, address: tuple[str, int]) -> None:
        # The kernel itself completes connections until the backlog is full, and drops every
        # further one's first packet.
        for _ in range(10):
            try:
                self._open.add(socket.create_connection(address, timeout=0.2))
            except TimeoutError:
                return
        raise AssertionError("this kernel accepts connections beyond the backlog")

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            thread = threading.Thread(
                target=self._converse, args=(connection,), name="hostile-imds", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if raw := _request(connection):
                method, target = raw.split(b"\r\n", 1)[0].decode("latin-1").split(" ")[:2]
                asked = Asked(method, target, raw, self._stopping.wait)
                for piece in self._script(asked)(asked):
                    connection.sendall(piece)
        with self._lock:
            self._open.discard(connection)
            connection.close()

    def _script(self, asked: Asked) -> Script:
        path = asked.target.rstrip("/") or "/"
        return next(
            (script for pattern, script in self._rules.items() if fnmatchcase(path, pattern)),
            self._relay,
        )

    def _relay(self, asked: Asked) -> Iterator[bytes]:
        raw = asked.raw
        if self._lax:
            # As a server that takes dots and encoded slashes for what they mean in a path.
            target = quote(posixpath.normpath(unquote(asked.target)))
            raw = raw.replace(asked.target.encode("latin-1"), target.encode(), 1)
        address = self._sane.url.removeprefix("http://").split(":")
        with closing(socket.create_connection((address[0], int(address[1])))) as sane:
            sane.sendall(raw)
            while piece := sane.recv(65536):
                yield piece


def _request(connection: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = connection.recv(65536)
        if not piece:
            return b""
        raw += piece
    start, _, body = raw.partition(b"\r\n\r\n")
    length = 0
    for line in start.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            return b""
        body += piece
    return start + b"\r\n\r\n" + body
