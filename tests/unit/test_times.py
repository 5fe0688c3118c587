from __future__ import annotations

from collections.abc import Iterator

import pytest

from rancheros_ec2_metadata.times import Times


def clock(*seconds: float) -> Iterator[float]:
    yield 0.0
    yield from seconds


def test_each_part_has_its_own_seconds_also_one_within_another() -> None:
    ticks = clock(1, 3, 7, 8, 20, 21)
    times = Times(lambda: next(ticks))
    with times.of("EC2"), times.of("files"):
        pass
    with times.of("files"):
        pass
    assert times.seconds == {"EC2": 2 + 1, "files": 4 + 1}


def test_a_part_that_fails_has_ended() -> None:
    ticks = clock(1, 3, 10, 14)
    times = Times(lambda: next(ticks))
    with pytest.raises(ValueError, match="no"), times.of("files"):
        raise ValueError("no")
    with times.of("ros"):
        pass
    assert times.seconds == {"files": 2, "ros": 4}
