"""Fixtures of the tests of what reads EC2."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from unit.ec2.metadata_server import FakeClock


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    """All HTTP of requests; what is not registered is refused as a connection."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as started:
        yield started


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
