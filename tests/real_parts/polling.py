"""Waiting for what comes in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_SECONDS = 90
_STEP = 0.05


def until(look: Callable[[], T], expected: T, seconds: float = _SECONDS) -> T:
    """Return what ``look`` sees once it is as expected, or what it sees after ``seconds``."""
    ends = time.monotonic() + seconds
    while (seen := look()) != expected and time.monotonic() < ends:
        time.sleep(_STEP)
    return seen
