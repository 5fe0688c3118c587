"""Which characters survive ``ros``.

On every load it parses a file, writes it out again with an emitter that escapes non-ASCII
characters wrongly, and parses that.
"""

from __future__ import annotations

import re
from enum import Enum

# The last four are the model's own, for address variables (see `ros_yaml`).
_SAFE = re.compile(r"[\t\n\r -~\U0010fff0-\U0010fff3]*")
# The emitter has a name for these four, so that it does not have to get their digits right.
_NAMED = "\x85\xa0\u2028\u2029"


class Fate(Enum):
    """What becomes of a character that ``ros`` parses, writes out and parses again."""

    KEPT = "it arrives"
    FATAL = "it arrives as another that breaks every `ros config get`"
    LOST = "the whole file is lost"


def fate(character: str) -> Fate:
    """Return what ``ros`` does with ``character`` in a key or value.

    Its emitter writes a hexadecimal digit 0 to 9 as the character 7 places before ``A`` and on: 0
    to 2 come out as 7 to 9, and as no digit at all the next time; 3 to 9 are no digits at once.
    """
    if _SAFE.fullmatch(character) or character in _NAMED:
        return Fate.KEPT
    point = ord(character)
    if not 0xA0 < point <= 0xFFFD or 0xD800 <= point <= 0xDFFF:
        return Fate.LOST
    digits = set(f"{point:X}" if point <= 0xFF else f"{point:04X}")
    if digits & set("3456789"):
        return Fate.LOST
    return Fate.FATAL if digits & set("012") else Fate.KEPT


def first_with(fates: tuple[Fate, ...], text: str) -> str | None:
    """Return the first character of ``text`` that meets one of ``fates``, None if there is none."""
    if _SAFE.fullmatch(text):
        return None
    return next((character for character in text if fate(character) in fates), None)
