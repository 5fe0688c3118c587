from __future__ import annotations

import json
import re
import string
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.rancheros.document import (
    Tree,
    render,
    scalar,
    uncarriable,
    uncarriable_item,
)
from rancheros_ec2_metadata.rancheros.pure_yaml import PureLoader
from rancheros_ec2_metadata.rancheros.ros_scalars import NULLS
from rancheros_ec2_metadata.rancheros.ros_yaml import ADDRESS_VARIABLES, parse

PRIVATE, PUBLIC = list(ADDRESS_VARIABLES)[:2]
CARRIED = "\t\n\r" + "".join(map(chr, range(0x20, 0x7F)))
KEPT = "\u00fc\u00df\u00a0\u0085\u2028\ufeff"

carriable = st.text(CARRIED).filter(lambda text: text not in NULLS)
items = st.text(CARRIED + KEPT + "".join(ADDRESS_VARIABLES)).filter(
    lambda text: uncarriable_item(text) is None
)
keys = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=40).filter(
    lambda text: text not in NULLS
)


def substituted(raw: bytes, address: str) -> str:
    """Return what ``ros`` parses once it has put ``address`` for each variable."""
    text = raw.decode()
    for variable in ADDRESS_VARIABLES.values():
        text = re.sub(rf"([^\\]|^)\{variable}", rf"\g<1>{address}", text)
        text = text.replace(f"\\{variable}", variable)
    return text


def test_a_document_is_a_few_comments_and_json_in_the_order_given() -> None:
    rendered = render(
        {"rancher": {"b": ["x", "y"], "a": {"A": "1"}, "c": [], "d": {}, "e": 22}},
        ["Written by ec2-metadata.", "Remove with 'clean'."],
    )
    assert rendered.decode() == (
        "#cloud-config\n"
        "# Written by ec2-metadata.\n"
        "# Remove with 'clean'.\n"
        '{\n "rancher": {\n  "b": [\n   "x",\n   "y"\n  ],\n  "a": {\n   "A": "1"\n  },\n'
        '  "c": [],\n  "d": {},\n  "e": 22\n }\n}\n'
    )


@given(st.dictionaries(keys, carriable, max_size=4), st.lists(items, max_size=4))
def test_ros_reads_back_what_was_meant(environment: dict[str, str], arguments: list[str]) -> None:
    tree: dict[str, Tree] = {
        "rancher": {"environment": environment, "docker": {"extra_args": arguments}}
    }
    rendered = render(tree, ["a comment"])
    assert rendered.isascii()
    for loader in (None, PureLoader):
        read = parse(rendered, loader) if loader else parse(rendered)
        assert read == tree


@given(st.dictionaries(keys, carriable, max_size=4))
def test_other_yaml_parsers_read_it_too(environment: dict[str, str]) -> None:
    rendered = render(environment)
    assert yaml.safe_load(rendered) == environment
    assert json.loads(rendered.partition(b"\n")[2]) == environment


@given(items, st.sampled_from(["", "10.0.0.1", "fe80::1"]))
def test_ros_puts_the_address_where_the_variable_was(item: str, address: str) -> None:
    text = substituted(render({"a": [item]}), address)
    expected = item
    for placeholder in ADDRESS_VARIABLES:
        expected = expected.replace(placeholder, address)
    assert yaml.load(text, Loader=yaml.BaseLoader) == {"a": [expected]}


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a\\", r'"a\\"'),
        ("$private_ipv4", r'"\u0024private_ipv4"'),
        (f"--host={PRIVATE}:2375", '"--host=$private_ipv4:2375"'),
        (f"\\{PRIVATE}", r'"\u005c$private_ipv4"'),
        (f"\\\\{PRIVATE}$", r'"\\\u005c$private_ipv4\u0024"'),
        (f"{PRIVATE}{PUBLIC}", '"$private_ipv4$public_ipv4"'),
        ("\u00fc\n", r'"\u00fc\n"'),
    ],
)
def test_a_scalar_is_quoted(text: str, quoted: str) -> None:
    assert scalar(text) == quoted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *[(null, f"RancherOS reads '{null}' as the empty text") for null in NULLS],
        ("caf\u00e9", "it holds U+00E9, and"),
        ("\u00fc", "it holds U+00FC, and"),
        ("\x00", "it holds U+0000, and"),
        ("a\x7f", "it holds U+007F, and"),
        ("\u0085", "it holds U+0085, and"),
        ("\U0001f600", "it holds U+1F600, and"),
        (PRIVATE, "it holds U+10FFF0, and"),
        ("\udc80", "it holds U+DC80, and"),
    ],
)
def test_a_value_that_cannot_be_carried_is_said_why(text: str, why: str) -> None:
    assert str(uncarriable(text)).startswith(why)


@given(carriable)
def test_a_value_of_printable_ascii_can_be_carried(text: str) -> None:
    assert uncarriable(text) is None
    assert uncarriable_item(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *[(null, f"RancherOS reads '{null}' as the empty text") for null in NULLS],
        ("caf\u00e9", "it holds U+00E9, which"),
        ("\u20ac", "it holds U+20AC, which"),
        ("\x1b", "it holds U+001B, which"),
        (f"{PRIVATE}{PRIVATE}", "an address variable stands in it twice in a row"),
    ],
)
def test_an_item_that_cannot_be_carried_is_said_why(text: str, why: str) -> None:
    assert str(uncarriable_item(text)).startswith(why)
    with pytest.raises(ValueError, match="not for RancherOS"):
        render({"a": [text]})


@pytest.mark.parametrize("key", ["null", "caf\u00e9"])
def test_a_key_must_be_carriable_too(key: str) -> None:
    tree: Any = {key: "x"}
    with pytest.raises(ValueError, match="not for RancherOS"):
        render(tree)


@pytest.mark.parametrize("line", ["caf\u00e9", "a\nb: c", "for $private_ipv4"])
def test_a_comment_is_plain_ascii_on_one_line(line: str) -> None:
    with pytest.raises(ValueError, match="comment"):
        render({"a": "b"}, [line])
