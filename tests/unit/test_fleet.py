import random

import pytest

from benchmarks.fleet import Bucket, simulate


def fare(count: int, bucket: Bucket, seed: int = 3) -> tuple[float, int, float]:
    """Return calls each, instances without labels, and when the last was served, seconds."""
    random.seed(seed)
    result = simulate([0.0] * count, bucket)
    return result.calls / count, result.unserved, result.absolute[-1]


def test_a_lone_instance_calls_at_once_and_once() -> None:
    calls, unserved, last = fare(1, Bucket())
    assert (calls, unserved) == (1, 0)
    assert last < 1


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_at_once_are_all_labelled_soon_after_the_bucket_could(seed: int) -> None:
    calls, unserved, last = fare(1000, Bucket(), seed)
    assert unserved == 0
    assert calls <= 4
    assert last <= 1.3 * Bucket().serves(1000)


def test_with_half_the_bucket_taken_all_are_labelled() -> None:
    _, unserved, _ = fare(1000, Bucket(rate=10, size=50, tokens=50))
    assert unserved == 0


def test_a_bucket_that_is_empty_for_a_while_is_waited_for() -> None:
    _, unserved, last = fare(1000, Bucket(empty_until=30))
    assert unserved == 0
    assert last >= 30
