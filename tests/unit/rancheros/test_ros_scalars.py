from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.rancheros.ros_scalars import Scalar, plain, text_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, None) for text in ("", "~", "null", "Null", "NULL")],
        *[(text, True) for text in ("y", "Yes", "TRUE", "on")],
        *[(text, False) for text in ("n", "No", "FALSE", "off")],
        ("0", 0),
        ("0123", 83),
        ("0x1F", 31),
        ("0o17", 15),
        ("-17", -17),
        ("+1_000", 1000),
        ("123456789012", 123456789012),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", float(2**63)),
        ("1.10", 1.1),
        ("1.", 1.0),
        ("-.5", -0.5),
        ("08", 8.0),
        ("1e3", 1000.0),
        ("012345678901", 12345678901.0),
        ("--5", 5.0),
        (".inf", math.inf),
        ("-Infinity", -math.inf),
    ],
)
def test_plain_scalars_are_retyped(text: str, value: Scalar) -> None:
    found = plain(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("=", "<<", "1:30", "10.0.0.1", "nul", "inf", "nan", "-", "+", ".", "...", "0x", "0o8"),
        *("1e999", "-1e999", "1" * 401, "0b101", "v1.5.8", "--label=a=b", "²", "٣", "2001-01"),
        *("0000-01-01", "9999-12-99", "-2001-01-01"),
    ],
)
def test_other_plain_scalars_are_text_as_they_stand(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2001-02-03", "2001-02-03T00:00:00Z"),
        ("2001-2-3", "2001-02-03T00:00:00Z"),
        ("0999-02-03", "0999-02-03T00:00:00Z"),
        ("2001-13-32", "2002-02-01T00:00:00Z"),
        ("2001-02-03T04:05:06Z", "2001-02-03T04:05:06Z"),
        ("2001-02-03 04:05:06 +2:30", "2001-02-03T04:05:06+02:30"),
        ("2001-02-03t4:05:06.5-07", "2001-02-03T04:05:06.005-07:00"),
        ("2001-02-03T04:05:06+00", "2001-02-03T04:05:06Z"),
        ("2001-02-03T04:05:06.", "2001-02-03T04:05:06Z"),
    ],
)
def test_dates_become_points_in_time(text: str, meant: str) -> None:
    assert plain(text) == meant


def test_a_number_that_is_none_is_kept_as_a_float() -> None:
    found = plain("+nan")
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("~", ""),
        ("null", ""),
        ("Null", ""),
        ("NULL", ""),
        ("", ""),
        ("nUll", "nUll"),
        (True, "true"),
        (False, "false"),
        (83, "83"),
        (1.1, "1.1"),
        (1000.0, "1000"),
        (12345678901.0, "1.2345678901e+10"),
        (100000.0, "100000"),
        (1000000.0, "1e+06"),
        (-0.0001, "-0.0001"),
        (-0.00001, "-1e-05"),
        (1.5e300, "1.5e+300"),
        (0.0, "0"),
        (-0.0, "-0"),
        (math.inf, "+.inf"),
        (-math.inf, "-.inf"),
        (math.nan, ".nan"),
    ],
)
def test_scalars_are_passed_on_as_go_prints_them(value: Scalar, text: str) -> None:
    assert text_of(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_printed_without_loss(value: float) -> None:
    assert float(text_of(value)) == value


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_no_text_is_too_strange_to_be_typed(text: str) -> None:
    assert isinstance(text_of(plain(text)), str)
