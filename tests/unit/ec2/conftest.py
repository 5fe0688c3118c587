"""Fixtures of the tests of what reads EC2."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
import responses

from rancheros_ec2_metadata.ec2 import retry
from unit.ec2.metadata_server import FakeClock
from unit.ec2.scripted_server import Script, Serve


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    """All HTTP of requests; what is not registered is refused as a connection."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as started:
        yield started


@pytest.fixture(autouse=True)
def _pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each pause be half of its window."""
    monkeypatch.setattr(retry, "uniform", lambda least, most: (least + most) / 2)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def heads() -> list[bytes]:
    """The requests that have come, as they were on the wire."""
    return []


@pytest.fixture
def serve(heads: list[bytes]) -> Iterator[Serve]:
    """Let a script answer each connection to a server; the rest of it is torn down."""
    with ExitStack() as servers:

        def start(script: Script) -> str:
            class Handler(socketserver.BaseRequestHandler):
                def handle(self) -> None:
                    with suppress(OSError):  # the client has had enough
                        heads.append(self.request.recv(65536))
                        script(self.request)

            server = servers.enter_context(socketserver.TCPServer(("127.0.0.1", 0), Handler))
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            servers.callback(thread.join)
            servers.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_address[1]}"

        yield start
