"""Scalars as candiedyaml types them, and which characters survive it.

``ros`` reads and writes YAML with cloudfoundry's candiedyaml. Its rules are neither YAML 1.1's nor
1.2's: 0123 is octal, 08 is a float, 1:30 is text, a date is a point in time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

Scalar: TypeAlias = bool | int | float | str | None
Node: TypeAlias = Any  # a scalar, a list of nodes or a map of nodes


class NotText(str):
    """The text of a time, or of bytes, which is text only where any scalar becomes one."""

    __slots__ = ()


# These become nothing wherever a typed value is wanted, even when quoted.
NULLS = ("~", "null", "Null", "NULL")
FLAGS = {"y": True, "yes": True, "true": True, "on": True} | {
    "n": False,
    "no": False,
    "false": False,
    "off": False,
}

_UNSIGNED = re.compile(r"0[xX][0-9a-fA-F]+|0o?[0-7]+|[1-9][0-9]*|0")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE)
_SPECIAL_FLOAT = re.compile(r"\.?(inf|nan)|infinity", re.IGNORECASE)
TIME = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?"
    r"(?:[ \t]*(?:Z|([-+])(\d\d?)(?::(\d\d)?)?))?)?",
    re.ASCII,
)
_LONGEST_NUMBER = 400  # characters; more digits overflow every type there is

_PRINTABLE = re.compile(r"[\t\n\r -~]*")
# The emitter has a name for these four, so that it does not have to get their digits right.
_NAMED = "\x85\xa0\u2028\u2029"


def plain(text: str) -> Scalar:
    """Return what an unquoted scalar is; a time comes back as the text it becomes."""
    if text in ("", *NULLS):
        return None
    if text[0] in "+-0123456789.":
        return _number(text)
    return FLAGS.get(text.lower(), text)


def text_of(scalar: Scalar) -> str:
    """Return the text that a typed field gets, as an environment value."""
    match scalar:
        case None:
            return ""
        case bool():
            return "true" if scalar else "false"
        case float():
            return _float_text(scalar)
        case str() if scalar in NULLS:
            return ""
    return str(scalar)


def integer(text: str) -> int | None:
    """Return a 64-bit number, None if ``text`` is none."""
    bare = text.replace("_", "")
    sign, digits = (bare[0], bare[1:]) if bare[:1] in ("+", "-") else ("", bare)
    if not _UNSIGNED.fullmatch(digits):
        return None
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10
    value = int(digits.replace("o", ""), base) * (-1 if sign == "-" else 1)
    return value if -(2**63) <= value < 2**63 else None


def texts_in(node: Node) -> Iterator[str]:
    """Yield every text, keys included; what is at several places, once."""
    seen: set[int] = set()
    rest = [node]
    while rest:
        node = rest.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, list | dict) and id(node) not in seen:
            seen.add(id(node))
            rest.extend(node if isinstance(node, list) else (*node, *node.values()))


def survives(text: str, trips: int) -> bool:
    """Tell whether ``text`` can be written and read again so many times.

    Printable ASCII can. The emitter writes a hexadecimal digit 0 to 9 as the character 7 places
    before ``A`` and on: 0 to 2 come out as 7 to 9, and as no digit at all the next time; 3 to 9 are
    no digits at once.
    """
    if _PRINTABLE.fullmatch(text):
        return True
    return all(_trips(character) >= trips for character in text)


def _trips(character: str) -> int:
    if _PRINTABLE.fullmatch(character) or character in _NAMED:
        return 9
    point = ord(character)
    if not 0xA0 < point <= 0xFFFD or 0xD800 <= point <= 0xDFFF:
        return 0
    digits = set(f"{point:X}" if point <= 0xFF else f"{point:04X}")
    if digits & set("3456789"):
        return 0
    return 1 if digits & set("012") else 9


def _number(text: str) -> Scalar:
    if len(text) > _LONGEST_NUMBER:
        return text
    value = integer(text) if text[0] != "." else None
    if value is not None:
        return value
    bare = text.replace("_", "")
    sign, digits = (bare[0], bare[1:]) if bare[:1] in ("+", "-") else ("", bare)
    number = _float(sign, digits)
    if number is not None:
        return number
    return text if sign else _time(text)


def _float(sign: str, digits: str) -> float | None:
    """Return the float, or None. After the sign Go reads one more: ``--5`` is 5."""
    if _SPECIAL_FLOAT.fullmatch(digits) and (sign or digits[0] == "."):
        value = float(digits.lstrip("."))
    elif _FLOAT.fullmatch(digits):
        value = float(digits)
        if math.isinf(value):
            return None
    else:
        return None
    return -value if sign == "-" else value


def _float_text(value: float) -> str:
    """Return the shortest text as Go has it: with an exponent below -4 and from 6 on."""
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return "+.inf" if value > 0 else "-.inf"
    from decimal import Decimal  # noqa: PLC0415 - hardly any file has such a number

    exact = Decimal(repr(value)).normalize()
    if value == 0 or -4 <= exact.adjusted() < 6:
        return f"{exact:f}"
    digits = "".join(map(str, exact.as_tuple().digits))
    mantissa = f"{digits[0]}.{digits[1:]}".rstrip(".")
    return f"{'-' if value < 0 else ''}{mantissa}e{exact.adjusted():+03d}"


def _time(text: str) -> str:
    """Return a date as the RFC 3339 text that is made of it; any other text as it stands."""
    found = TIME.fullmatch(text)
    if not found:
        return text
    from datetime import datetime, timedelta, timezone  # noqa: PLC0415 - as above

    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    fraction, sign, hours, minutes = found.groups()[6:]
    zone = f"{sign}{int(hours):02d}:{int(minutes or 0):02d}" if sign else ""
    # A 13th month is the next January; the fraction, however long, is taken for milliseconds.
    try:
        start = datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=timezone.utc)
        moment = start + timedelta(
            days=day - 1,
            hours=hour,
            minutes=minute,
            seconds=second,
            milliseconds=int(fraction or 0),
        )
    except (ValueError, OverflowError):
        return text
    point = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    day_and_time = moment.replace(microsecond=0, tzinfo=None).isoformat()
    return NotText(day_and_time + point + ("Z" if zone[1:] in ("", "00:00") else zone))
