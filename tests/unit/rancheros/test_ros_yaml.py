from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.rancheros.pure_yaml import PureLoader
from rancheros_ec2_metadata.rancheros.ros_yaml import (
    Node,
    Outcome,
    UnusableError,
    parse,
    parse_value,
)
from ros_stand_in.yaml_writing import write_document

# libyaml's, where PyYAML was built with it, and PyYAML's own must not differ.
LOADERS = [getattr(yaml, "CBaseLoader", PureLoader), PureLoader]
PRIVATE = "\U0010fff0"

both_loaders = pytest.mark.parametrize("loader", LOADERS, ids=["libyaml", "pure"])


def refused(raw: bytes, loader: Any = LOADERS[0]) -> UnusableError:
    with pytest.raises(UnusableError) as caught:
        parse(raw, loader)
    return caught.value


@both_loaders
@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", {}),
        ("{}", {}),
        ("~", {}),
        ("a: 0123\nb: '0123'\nc: |\n  0123\n", {"a": 83, "b": "0123", "c": "0123\n"}),
        ("a: !!str 0123\nb: !!str '0123'\nc: ! 0123", {"a": 83, "b": 83, "c": 83}),
        ("a: !!binary aGVs\n", {"a": "hel"}),
        ("a: !!binary |\n  aGVs\n  bG8=\n", {"a": "hello"}),
        ("a: !!binary not base64", {"a": "not base64"}),
        ("0123: a\ntrue: b\n~: c", {"83": "a", "true": "b", "": "c"}),
        ("a: {b: 1}\na: {c: 2}", {"a": {"c": 2}}),
        ("<<: {a: b}\nc: <<", {"<<": {"a": "b"}, "c": "<<"}),
        ("a: &x [b]\nc: *x", {"a": ["b"], "c": ["b"]}),
        ("&x a: b\nc: *x", {"a": "b", "c": "a"}),
        ("a: b\n---\nc: d\n", {"a": "b"}),
        ("a: b\n---\n]", {"a": "b"}),
        ("\ufeffa: b", {"a": "b"}),
        ("a:\r\n  b: c\r\n", {"a": {"b": "c"}}),
        ("a: b\rc: d", {"a": "b", "c": "d"}),
        ("# caf\u00e9 \u20ac \U0001f600\na: b", {"a": "b"}),
        ("a: \u00fc\u00a0\u00df", {"a": "\u00fc\u00a0\u00df"}),
        ("a: \u20ac", {"a": "\u20ac"}),
        ("%YAML 1.1\n---\na: b", {"a": "b"}),
        ("a:\tb\t# c\nd:\t\n  e: f\tg", {"a": "b", "d": {"e": "f\tg"}}),
        ("a: [b\t,\tc]", {"a": ["b", "c"]}),
        ("a: b\n  c\n\n  d", {"a": "b c\nd"}),
        ("a: b\n \t c", {"a": "b c"}),
        ("a: b\u2028  c\u2028\n d", {"a": "b\u2028c\u2028\nd"}),
        ("a: b\n...\n", {"a": "b"}),
        ("a: b\n---\n", {"a": "b"}),
        ("a:\n  b # c\n", {"a": "b"}),
        ("a: 'b:c'\nd: e:f\ng: [h, 'i:j']", {"a": "b:c", "d": "e:f", "g": ["h", "i:j"]}),
        ("a: {b: c, d: }", {"a": {"b": "c", "d": None}}),
    ],
)
def test_what_ros_loads(text: str, tree: Node, loader: Any) -> None:
    assert parse(text.encode(), loader) == tree


@both_loaders
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("# only\n# comments\n", "there is nothing in it"),
        ("\n \n", "there is nothing in it"),
        ("---\n", "there is nothing in it"),
        ("- a", "it is not a map"),
        ("a", "it is not a map"),
        ("a: {b: c", "not YAML as ros reads it in line"),
        ("a: b\n]", "not YAML as ros reads it in line 2"),
        ("a: b\n\tc: d", "not YAML as ros reads it in line 2"),
        ("\ta: b", "not YAML as ros reads it in line 1"),
        ("a: b\n\n\t\n  c", "not YAML as ros reads it in line 3"),
        ("a: |\n\tb", "not YAML as ros reads it in line 2"),
        ("a: |\n  b\n\tc", "not YAML as ros reads it in line 3"),
        ("a: >\n\n  \tb", "not YAML as ros reads it in line 3"),
        ("a: b\n\ufeffc: d", "not YAML as ros reads it in line 2"),
        ("a: b\n...\nc", "not YAML as ros reads it in line 3"),
        ("a: \x01", "not YAML as ros reads it"),
        ('a: "\\U00110000"', "not YAML as ros reads it"),
        ("a: *b", "an alias without its anchor in line 1"),
        ("a: &b [*b]", "an alias without its anchor in line 1"),
        ("%YAML 1.2\n---\na: b", "%YAML directive other than 1.1 in line 1"),
        ("a:\n  - b\n  - \u00e9", r"U\+00E9 in line 3, which ros cannot read back"),
        ("\u00e9: a", r"U\+00E9 in line 1"),
        ('a: "\\x7f"', r"U\+007F in line 1"),
        ('a: "\\0"', r"U\+0000 in line 1"),
        ("a: \U0001f600", r"U\+1F600 in line 1"),
        ('a: "\\ud83d\\ude00"', "in line 1"),
        ('a: "\\udead"', "in line 1"),
        ("a: \U0010fff0", r"a character above U\+FFFF"),
        ('a: "\\U0010fFf3"', r"a character above U\+FFFF"),
    ],
)
def test_what_ros_skips(text: str, why: str, loader: Any) -> None:
    error = refused(text.encode("utf-8", "surrogatepass"), loader)
    assert error.outcome is Outcome.SKIPPED
    with pytest.raises(UnusableError, match=why):
        raise error
    said = re.search(r" in line (\d+)", why)
    assert said is None or error.line == int(said[1])


@both_loaders
@pytest.mark.parametrize(
    "text", ["a: [b:c]", "a: [unix:///x]", "a: {b:c}", "a: {b:}", "a: [b?c]", "a: [b:, c]"]
)
def test_a_colon_inside_a_flow_list_needs_quotes_for_ros(text: str, loader: Any) -> None:
    assert refused(text.encode(), loader).outcome is Outcome.SKIPPED


@both_loaders
@pytest.mark.parametrize("text", ["[a]: b", "? {a: b}\n: c", "a: &x [b]\n*x : c", "{{a}: {}}"])
def test_a_list_or_map_as_a_key_stops_every_call(text: str, loader: Any) -> None:
    assert refused(text.encode(), loader).outcome is Outcome.FATAL


@both_loaders
def test_text_that_is_no_utf_8_is_skipped(loader: Any) -> None:
    assert str(refused(b"a: caf\xe9", loader)) == "it is not UTF-8"


@both_loaders
@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 5_000])
def test_deep_nesting_is_given_up_early(text: str, loader: Any) -> None:
    assert refused(text.encode(), loader).outcome is Outcome.UNKNOWN


def test_endless_lists_are_given_up() -> None:
    assert refused(b"a:\n" + b"- b\n" * 200_001).outcome is Outcome.UNKNOWN


@both_loaders
def test_a_bomb_of_aliases_does_not_go_off(loader: Any) -> None:
    bomb = "a0: &a0 b\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 90))
    assert len(parse(bomb.encode(), loader)) == 90


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$private_ipv4", PRIVATE),
        ("x$private_ipv4:80", f"x{PRIVATE}:80"),
        ("$public_ipv4$private_ipv6$public_ipv6", "\U0010fff1\U0010fff2\U0010fff3"),
        (r"a\$private_ipv4", "a$private_ipv4"),
        (r'"\u0024private_ipv4"', "$private_ipv4"),
        ("$private_ipv4$private_ipv4", f"{PRIVATE}$private_ipv4"),
        ("$HOME ${private_ipv4}", "$HOME ${private_ipv4}"),
    ],
)
def test_address_variables_become_placeholders(text: str, value: str) -> None:
    assert parse(f"a: {text}".encode()) == {"a": value}


@both_loaders
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("true", True),
        ("0123", 83),
        ("plain", "plain"),
        ("[--label=a=b,0x1F]", ["--label=a=b", 31]),
        ("[-H=tcp://0.0.0.0:2375,a?b]", ["-H=tcp://0.0.0.0:2375", "a?b"]),
        ("{a:b}", {"a:b": None}),
        ("[a", "[a"),
        ("a\nb", "a\nb"),
        ("$private_ipv4", "$private_ipv4"),
        ("caf\u00e9", "caf\u00e9"),
        ("- ", [None]),
        ("#", "#"),
    ],
)
def test_a_value_of_the_command_line_is_yaml_or_itself(text: str, value: Node, loader: Any) -> None:
    assert parse_value(text, loader) == value


survivors = st.text(st.sampled_from("\t\n\r aB0.:-#'\"\\,[]{}?&*!|>%@`~=\u00a0\u00fc\u2028"))
scalars = st.one_of(survivors, st.integers(-9, 999), st.booleans(), st.none())
trees = st.dictionaries(
    st.text("aB0.:-# '\"", min_size=1, max_size=9),
    st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.text("ab0", min_size=1, max_size=3), inner, max_size=3),
        ),
        max_leaves=8,
    ),
    max_size=4,
)


@given(trees, st.sampled_from([*LOADERS]))
def test_what_ros_writes_is_read_as_it_was_meant(tree: dict[str, Node], loader: Any) -> None:
    assert parse(write_document(tree).encode(), loader) == tree


@given(st.lists(st.text("ab c\u00fc", min_size=60, max_size=200), min_size=1, max_size=3))
def test_long_lines_are_folded_and_unfolded(items: list[str]) -> None:
    assert parse(write_document({"a": list(items)}).encode()) == {"a": items}


# Without the few signs of which pure_yaml says where the two differ.
yaml_like = st.lists(
    st.sampled_from(
        [
            *"ab:,-#*@`'\"{}[]~ \n\t\\",
            "\n  ",
            ": ",
            "- ",
            "a: ",
            " #",
            "&a ",
            "*a",
            "\u00e9",
            "!!x ",
        ]
    ),
    max_size=25,
).map("".join)


@given(yaml_like)
def test_both_loaders_read_the_same(text: str) -> None:
    found: list[dict[str, Node] | Outcome] = []
    for loader in LOADERS:
        try:
            found.append(parse(text.encode(), loader))
        except UnusableError as error:
            found.append(error.outcome)
    assert found[0] == found[1]
