"""EC2 for the benchmark, in a process of its own: metadata services and the API's DescribeTags.

It answers a fixed time after a request has come, and closes each connection, as the real service
does. One thread, and no work that could be done before: what it takes of the machine is not to show
in what is measured. The answers are those of the fake that the tests use.

Run with a JSON object of what to serve; prints the ports as another.
"""

from __future__ import annotations

import contextlib
import email.parser
import heapq
import itertools
import json
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from xml.sax.saxutils import escape

from rancheros_ec2_metadata.fake_ec2.data import FakeInstance, parse_instance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds

Answer = Callable[[bytes], bytes]
"""Takes a whole request, returns a whole answer."""


def imds(instance: FakeInstance) -> Answer:
    """Return the metadata service of an instance."""
    service = FakeImds(instance)

    def answer(request: bytes) -> bytes:
        line, _, headers = request.decode().partition("\r\n")
        method, target, _ = line.split(" ")
        parsed = email.parser.Parser().parsestr(headers, headersonly=True)
        found = service.answer(method, target, parsed)
        return _http(found.status, found.body, **found.headers)

    return answer


def api(instance: FakeInstance) -> Answer:
    """Return an API that answers every call with the tags of an instance."""
    items = "".join(
        f"<item><resourceId>{instance.instance_id}</resourceId><resourceType>instance</resourceType>"
        f"<key>{escape(key)}</key><value>{escape(value)}</value></item>"
        for key, value in instance.all_tags.items()
    )
    body = (
        '<DescribeTagsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>benchmark</requestId><tagSet>{items}</tagSet></DescribeTagsResponse>"
    ).encode()
    return lambda _request: _http(200, body, **{"Content-Type": "text/xml;charset=UTF-8"})


def _http(status: int, body: bytes, **headers: str) -> bytes:
    always = {
        "Server": "EC2ws",
        "Date": formatdate(usegmt=True),
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | always).items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + body


@dataclass(frozen=True)
class Service:
    """One listening socket.

    Args:
        socket: that listens.
        answer: to what comes.
        delay: seconds from the end of a request to the answer.
    """

    socket: socket.socket
    answer: Answer
    delay: float


@dataclass
class Connection:
    """One that was accepted."""

    service: Service
    read: bytearray = field(default_factory=bytearray)

    @property
    def whole(self) -> bool:
        """Tell whether the request has come, its body included."""
        head, end, body = bytes(self.read).partition(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ]
        return bool(end) and len(body) >= sum(lengths)


def serve(services: list[Service]) -> None:
    """Serve for ever."""
    listening = {service.socket: service for service in services}
    open_: dict[socket.socket, Connection] = {}
    due: list[tuple[float, int, socket.socket, bytes]] = []
    numbers = itertools.count()
    while True:
        # select and not epoll: that counts in milliseconds, which is what is measured here.
        wait = max(0.0, due[0][0] - time.monotonic()) if due else None
        ready, _, _ = select.select([*listening, *open_], [], [], wait)
        for one in ready:
            if one in listening:
                accepted, _ = one.accept()
                open_[accepted] = Connection(listening[one])
                continue
            connection = open_[one]
            try:
                data = one.recv(65536)
            except OSError:
                data = b""
            connection.read += data
            if not data:
                del open_[one]
                one.close()
            elif connection.whole:
                del open_[one]
                when = time.monotonic() + connection.service.delay
                answer = connection.service.answer(bytes(connection.read))
                heapq.heappush(due, (when, next(numbers), one, answer))
        while due and due[0][0] <= time.monotonic():
            _, _, one, answer = heapq.heappop(due)
            with contextlib.suppress(OSError):  # the client has had enough
                one.sendall(answer)
            one.close()


def main(text: str) -> None:
    """Serve what a JSON object says: ``instance``, as the fake has it, and ``delays``."""
    asked = json.loads(text)
    instance = parse_instance(asked["instance"], "the benchmark's instance")
    silent = parse_instance({**asked["instance"], "tags_in_metadata": False}, "the same")
    kinds = {"imds": imds(instance), "imds-no-tags": imds(silent), "api": api(instance)}
    services = {
        f"{kind} {delay}": Service(
            socket.create_server(("127.0.0.1", 0), backlog=64), answer, delay
        )
        for kind, answer in kinds.items()
        for delay in asked["delays"]
    }
    ports = {name: service.socket.getsockname()[1] for name, service in services.items()}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    serve(list(services.values()))


if __name__ == "__main__":
    main(sys.argv[1])
