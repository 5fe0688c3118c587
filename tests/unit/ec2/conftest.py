"""Fixtures of the tests of what reads EC2."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from rancheros_ec2_metadata.ec2 import retry
from unit.ec2.metadata_server import FakeClock


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
