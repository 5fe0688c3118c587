from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rancheros_ec2_metadata.hosts.systemd import unit_env_file

_BLANK, _NEWLINE, _NEED_ESCAPE = " \t\n\r", "\n\r", '"\\`$'


def read_env_file(text: str) -> dict[str, str]:  # noqa: C901, PLR0912 - its states, one by one
    """Return the variables that systemd reads (src/basic/env-file.c, parse_env_file_internal)."""
    found: dict[str, str] = {}
    key, value, state = "", "", "before key"
    for one in text + "\n":
        match state:
            case "before key" if one in "#;":
                state = "comment"
            case "before key" if one not in _BLANK:
                key, state = one, "key"
            case "key" if one == "=":
                value, state = "", "before value"
            case "key":
                key, state = ("", "before key") if one in _NEWLINE else (key + one, state)
            case "before value" | "value" if one in _NEWLINE:
                found[key.strip(_BLANK)] = value.rstrip(_BLANK) if state == "value" else value
                state = "before key"
            case "before value" if one == '"':
                state = "quoted"
            case "before value" if one == "'":
                state = "single"
            case "before value" | "value" if one == "\\":
                state = "escaped"
            case "before value" if one in _BLANK:
                pass
            case "before value" | "value":
                value, state = value + one, "value"
            case "escaped":
                value, state = value + ("" if one in _NEWLINE else one), "value"
            case "single" | "quoted" if one == ("'" if state == "single" else '"'):
                state = "before value"
            case "quoted" if one == "\\":
                state = "quoted escape"
            case "quoted escape":
                kept = one if one in _NEED_ESCAPE else "" if one == "\n" else f"\\{one}"
                value, state = value + kept, "quoted"
            case "single" | "quoted":
                value += one
            case "comment" if one in _NEWLINE:
                state = "before key"
    assert state == "before key"
    return found


def is_read(value: str) -> bool:
    """Tell whether systemd takes a value (src/basic/env-util.c, src/basic/utf8.c)."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return not any(
        (ord(one) < 0x20 and one not in "\t\n")
        or one == "\x7f"
        or 0xFDD0 <= ord(one) <= 0xFDEF
        or ord(one) & 0xFFFE == 0xFFFE
        for one in value
    )


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)
VALUES = st.text(st.characters() | st.sampled_from("\\\"'`$ \t\n#;=%\r\x7f\ufffe\ufdd0\U0001ffff"))


@given(st.dictionaries(NAMES, VALUES))
@example({"A": "a\\nb", "B": " lead", "C": "end\\", "D": '$x `y` "q"', "E": "a\n#b=c\nd", "F": ""})
@example({"A": "\ud800", "B": "\udfff"})
def test_systemd_reads_each_value_that_is_carried_exactly(variables: dict[str, str]) -> None:
    carried = {}
    for name, value in variables.items():
        assert (unit_env_file.explain_uncarriable(value) is None) is is_read(value)
        if is_read(value):
            carried[name] = value
    text = unit_env_file.render_unit_env_file(carried)
    assert text.startswith(unit_env_file.FIRST_LINE)
    assert read_env_file(text.decode()) == carried


@pytest.mark.parametrize("size", [100_000, 100_001])
def test_a_value_with_which_linux_starts_no_program_is_not_carried(size: int) -> None:
    why = unit_env_file.explain_uncarriable("é" * (size // 2) + "x" * (size % 2))
    assert why == (None if size == 100_000 else "it is longer than 100000 bytes")
