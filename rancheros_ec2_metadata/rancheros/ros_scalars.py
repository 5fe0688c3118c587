"""Plain YAML scalars, typed as ``ros`` types them, and the text it makes of them.

``ros`` reads YAML with cloudfoundry's candiedyaml. Its rules are neither YAML 1.1's nor 1.2's:
0123 is octal, 08 is a float, 1:30 is text, a date is a point in time.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str | None

# As text these become the empty string wherever ``ros`` wants a string, even when quoted.
NULLS = ("~", "null", "Null", "NULL")

_TRUE = ("y", "yes", "true", "on")
_FALSE = ("n", "no", "false", "off")
_UNSIGNED = re.compile(r"0[xX][0-9a-fA-F]+|0o?[0-7]+|[1-9][0-9]*|0")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE)
_SPECIAL_FLOAT = re.compile(r"\.?(inf|nan)|infinity", re.IGNORECASE)
_TIME = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?"
    r"(?:[ \t]*(?:Z|([-+])(\d\d?)(?::(\d\d)?)?))?)?",
    re.ASCII,
)
_LONGEST_NUMBER = 400  # characters; more digits overflow every type there is


def plain(text: str) -> Scalar:
    """Return what ``ros`` makes of an unquoted scalar; a time comes back as the text it becomes."""
    if text in ("", *NULLS):
        return None
    if text[0] in "+-0123456789.":
        return _number(text)
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    return text


def text_of(scalar: Scalar) -> str:
    """Return the string that ``ros`` passes on where one is wanted, as in an environment value."""
    match scalar:
        case None:
            return ""
        case bool():
            return "true" if scalar else "false"
        case int():
            return str(scalar)
        case float():
            return _float_text(scalar)
        case str():
            return "" if scalar in NULLS else scalar


def _number(text: str) -> Scalar:
    if len(text) > _LONGEST_NUMBER:
        return text
    bare = text.replace("_", "")
    sign, digits = (bare[0], bare[1:]) if bare[0] in "+-" else ("", bare)
    if text[0] != "." and _UNSIGNED.fullmatch(digits):
        value = _unsigned(digits) * (-1 if sign == "-" else 1)
        if -(2**63) <= value < 2**63:
            return value
    number = _float(sign, digits)
    if number is not None:
        return number
    return text if sign else _time(text)


def _unsigned(digits: str) -> int:
    if digits[:2] in ("0x", "0X"):
        return int(digits, 16)
    return int(digits.replace("o", ""), 8 if digits[0] == "0" else 10)


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
    found = _TIME.fullmatch(text)
    if not found:
        return text
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    fraction, sign, hours, minutes = found.groups()[6:]
    zone = f"{sign}{int(hours):02d}:{int(minutes or 0):02d}" if sign else ""
    # A 13th month is the next January; the fraction, however long, is taken for milliseconds.
    try:
        start = datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)
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
    return day_and_time + point + ("Z" if zone[1:] in ("", "00:00") else zone)
