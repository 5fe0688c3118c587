from __future__ import annotations

import pytest

from rancheros_ec2_metadata.rancheros.characters import Fate, fate, first_with


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        *[(c, Fate.KEPT) for c in "\t\n\r ~\u0085\u00a0\u2028\u2029\u00fc\u00df\u00ea\ufeff"],
        *[(c, Fate.FATAL) for c in "\u00e0\u20ac\u2022\uac00\u0100\u2222\u1111\uaaa0"],
        *[(c, Fate.LOST) for c in "\u00e9\u00e4\u00f6\u00c5\u0416\u65e5\u4e2d\U0001f600"],
        *[(c, Fate.LOST) for c in "\x00\x0b\x1b\x7f\x80\x9f\udead\ufffe\uffff\U000aaaaa"],
    ],
)
def test_the_fate_of_a_character_is_in_its_digits(character: str, expected: Fate) -> None:
    assert fate(character) is expected


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("plain\n", None),
        ("\u00fc", None),
        ("a\u20ac\u00e9", "\u00e9"),
        ("\u00e4\u00e9", "\u00e4"),
    ],
)
def test_the_first_character_of_a_fate_is_found(text: str, character: str | None) -> None:
    assert first_with((Fate.LOST,), text) == character
