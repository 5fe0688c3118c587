"""A fleet asks one token bucket for its tags, in virtual time, with the program's own policy.

EC2's API has a bucket of about 100 calls, filled with 20 a second, for each action, account and
region: a whole Auto Scaling group shares it. Run: python benchmarks/fleet.py
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.retry import THROTTLED
from rancheros_ec2_metadata.runtime import limit_reading

SIZE = 100.0  # calls
RATE = 20.0  # calls a second
CALL = 0.2  # seconds for one call
DEADLINE = 120.0  # the program's default


@dataclass
class Bucket:
    """The API's token bucket.

    Args:
        rate: calls a second that are left for us.
        empty_until: seconds during which others take all of it.
    """

    rate: float = RATE
    size: float = SIZE
    empty_until: float = 0.0
    tokens: float = SIZE
    at: float = 0.0

    def take(self, now: float) -> bool:
        """Tell whether a call at ``now`` is answered; it is throttled otherwise."""
        since = max(self.at, self.empty_until)
        if now > since:
            self.tokens = min(self.size, self.tokens + (now - since) * self.rate)
        self.at = max(self.at, now)
        if now < self.empty_until:
            self.tokens = 0.0
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def serves(self, calls: int) -> float:
        """Return the seconds in which the bucket could answer so many calls at best."""
        full = 0.0 if self.empty_until else self.size
        return self.empty_until + max(0.0, calls - full) / self.rate


@dataclass(frozen=True)
class Result:
    """How a fleet fared.

    Args:
        calls: all calls, throttled ones included.
        times: seconds from each served instance's own start, and from the first start of all.
        unserved: instances whose patience ended first.
    """

    calls: int
    own: tuple[float, ...]
    absolute: tuple[float, ...]
    unserved: int


def simulate(starts: list[float], bucket: Bucket) -> Result:
    """Let an instance start at each of ``starts`` and ask until it is served or gives up."""
    now = 0.0
    clock = Clock(now=lambda: now, sleep=lambda _: None)
    queue: list[tuple[float, int]] = sorted((at, n) for n, at in enumerate(starts))
    heapq.heapify(queue)
    readings: dict[int, Limit] = {}
    failures: Counter[int] = Counter()
    own: list[float] = []
    absolute: list[float] = []
    calls = unserved = 0
    while queue:
        now, instance = heapq.heappop(queue)
        if instance not in readings:
            readings[instance] = limit_reading(DEADLINE, 0, clock)
        calls += 1
        served = bucket.take(now)
        now += CALL
        if served:
            own.append(now - starts[instance])
            absolute.append(now)
            continue
        failures[instance] += 1
        left = readings[instance].remaining()
        if THROTTLED.gives_up(failures[instance], left):
            unserved += 1
        else:
            wait = THROTTLED.pause(failures[instance], left)
            heapq.heappush(queue, (now + wait, instance))
    return Result(calls, tuple(sorted(own)), tuple(sorted(absolute)), unserved)


def cases() -> Iterator[tuple[str, list[float], Bucket]]:
    """Yield a name, the starts and the bucket of each case."""
    draw = random.Random(1)
    for count in (1, 100, 1000, 10_000):
        yield f"{count:,} at once", [0.0] * count, Bucket()
        spread = [draw.uniform(0, 60) for _ in range(count)]
        yield f"{count:,} over 60 s", spread, Bucket()
    for count in (100, 1000):
        half = Bucket(rate=RATE / 2, size=SIZE / 2, tokens=SIZE / 2)
        yield f"{count:,} at once, half the bucket taken", [0.0] * count, half
        empty = Bucket(empty_until=30.0)
        yield f"{count:,} at once, nothing for 30 s", [0.0] * count, empty


def row(name: str, starts: list[float], bucket: Bucket) -> str:
    """Return a row of the table."""
    best = max(bucket.serves(len(starts)), *starts)
    random.seed(2)
    result = simulate(starts, bucket)
    served = len(result.own)

    def at(share: float) -> str:
        return f"{result.absolute[max(0, int(served * share) - 1)]:.0f}" if served else "-"

    return (
        f"| {name} | {result.calls / len(starts):.1f} | {100 * served / len(starts):.0f} %"
        f" | {at(0.5)} | {at(0.99)} | {at(1)} | {best:.0f} |"
    )


def main() -> None:
    """Print the table."""
    print("| instances | calls each | labelled | half, s | 99 %, s | last, s | bucket's limit, s |")
    print("|---|---|---|---|---|---|---|")
    for name, starts, bucket in cases():
        print(row(name, starts, bucket), flush=True)


if __name__ == "__main__":
    main()
