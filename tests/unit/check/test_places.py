from __future__ import annotations

import pytest

from rancheros_ec2_metadata.check.places import Path, places

TEXT = """\
# a comment
a: 1
b:
  - x
  - c: y
    d: [u,
      v]
e: {f: g,
    h: i}
j: &j
  k: l
m: *j
0x10: n
!!str 0x11: o
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("a",), 2),
        (("b",), 3),
        (("b", 0), 4),
        (("b", 1), 5),
        (("b", 1, "d"), 6),
        (("b", 1, "d", 1), 7),
        (("e", "h"), 9),
        (("j", "k"), 11),
        (("m",), 12),
        # What an alias stands for is where the alias is; what is not there, where it would be.
        (("m", "k"), 12),
        (("b", 7), 3),
        (("z",), 2),
        # A key as ros reads it.
        (("16",), 13),
        (("17",), 14),
    ],
)
def test_a_line_is_known_by_its_path(path: Path, line: int) -> None:
    assert places(TEXT).line(path) == line


def test_keys_and_values_are_told_apart_and_quotes_are_known() -> None:
    texts = places("a: 'b'\nc: |\n  d\n").texts
    assert [(t.text, t.is_key, t.quoted) for t in texts] == [
        ("a", True, False),
        ("b", False, True),
        ("c", True, False),
        ("d\n", False, True),
    ]
    assert texts[1].path == texts[0].path == ("a",)


def test_of_a_text_that_breaks_off_what_is_before_is_known() -> None:
    found = places("a: 1\nb: [\n")
    assert found.line(("a",)) == 1
    assert places("").line(("a", "b")) == 1


def test_a_key_that_is_no_text_breaks_nothing() -> None:
    found = places("? [a, b]\n: c\n? {d: e}\n: f\n*g : h\n")
    assert ("c", 2) in [(text.text, text.line) for text in found.texts]


def test_deep_nesting_is_given_up() -> None:
    assert len(places("[" * 100_000).lines) < 200
