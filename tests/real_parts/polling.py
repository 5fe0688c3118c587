"""Waiting for what comes in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_SECONDS = 30
_STEP = 0.05


def until(look: Callable[[], T], expected: T) -> T:
    """Return what ``look`` sees once it is as expected, or what it sees after 30 seconds."""
    ends = time.monotonic() + _SECONDS
    while (seen := look()) != expected and time.monotonic() < ends:
        time.sleep(_STEP)
    return seen
