"""What a name that nobody knows was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LIKENESS = 0.75
_LONGEST = 50  # characters; what is longer is like none


def instead(name: str, known: Iterable[str]) -> str:
    """Return the mend that names the one of ``known`` that is most like ``name``, or nothing."""
    close = difflib.get_close_matches(name[:_LONGEST], sorted(known), 1, _LIKENESS)
    return f"write {close[0]}" if close else ""
