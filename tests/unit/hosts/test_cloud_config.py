from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.hosts.rancheros import cloud_config
from rancheros_ec2_metadata.hosts.rancheros.cloud_config import CannotEditError
from rancheros_ec2_metadata.hosts.state import Edit

TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)


def single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def flow(items: Sequence[str]) -> str:
    return f" [{', '.join(items)}]\n"


def block(items: Sequence[str]) -> str:
    return "\n" + "".join(f"    - {item}  # why: this\n" for item in items)


def indentless(items: Sequence[str]) -> str:
    return "  # mine: x\n" + "".join(f"    -   {item}\n" for item in items)


FILES = st.builds(
    lambda items, quote, shape, before, after: (
        items,
        f"{before}rancher:\n  docker:\n    extra_args:{shape([quote(x) for x in items])}{after}",
    ),
    st.lists(TEXT, min_size=1, max_size=4),
    st.sampled_from((single, json.dumps)),
    st.sampled_from((flow, block, indentless)),
    st.sampled_from(("", "#cloud-config\n", "hostname: x\n\n")),
    st.sampled_from(("", "    tls: false\n", "  ssh: {keys: {a: b}}\n", "# the end\n", "\n\n")),
)


@given(FILES, st.lists(TEXT, max_size=3))
def test_a_list_is_replaced_and_nothing_else_and_restored_byte_for_byte(
    file: tuple[list[str], str], ours: list[str]
) -> None:
    items, text = file
    found = cloud_config.find_list(text, "extra_args")
    assert found is not None
    assert list(found.items) == items
    changed = cloud_config.replace_list(
        text, found, cloud_config.render_list([*found.items, *ours])
    )
    before, after = yaml.safe_load(text), yaml.safe_load(changed)
    assert after["rancher"]["docker"].pop("extra_args") == [*items, *ours]
    before["rancher"]["docker"].pop("extra_args")
    assert after == before
    there = cloud_config.find_list(changed, "extra_args")
    assert there is not None
    edit = Edit(
        former=found.source,
        written=(there.source,),
        ours=tuple(ours),
    )
    assert cloud_config.restore(changed, {"extra_args": edit}, "shell") == (text, ())
    assert cloud_config.restore(text, {"extra_args": edit}, "shell") == (text, ())


def test_a_null_is_a_list_without_items() -> None:
    for text in ("rancher: {docker: {extra_args: ~}}", "rancher:\n  docker:\n    extra_args:\n"):
        found = cloud_config.find_list(text, "extra_args")
        assert found is not None
        assert found.items == ()
        changed = cloud_config.replace_list(text, found, cloud_config.render_list(["a"]))
        assert yaml.safe_load(changed) == {"rancher": {"docker": {"extra_args": ["a"]}}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rancher: {docker: {extra_args: [1]}}", "not plain text"),
        ("rancher: {docker: {extra_args: [yes]}}", "not plain text"),
        ("rancher: {docker: {extra_args: [[a]]}}", "not plain text"),
        ("rancher: {docker: {extra_args: a text}}", "not a list"),
        ("rancher: {docker: {extra_args: &a [b]}}", "anchor"),
        ("x: &a [b]\nrancher: {docker: {extra_args: *a}}", "an alias"),
        ("x: &a b\nrancher: {docker: {extra_args: [*a]}}", "an alias"),
        ("rancher: {docker: {extra_args: !!seq [b]}}", "a tag"),
        ("rancher: {docker: {extra_args: [a], extra_args: [b]}}", "2 times"),
        ("rancher: {docker: {extra_args: [a]}}\n---\nx: y\n", "not one plain YAML document"),
        ("rancher: [\n", "not one plain YAML document"),
        ("rancher: " + "[" * 3000, "not one plain YAML document"),
    ],
)
def test_what_is_not_plain_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(CannotEditError, match=words):
        cloud_config.find_list(text, "extra_args")


@pytest.mark.parametrize("text", ["", "{}", "- a", "rancher:", "rancher: {docker: x}", "a: b"])
def test_a_file_that_sets_no_list_has_none(text: str) -> None:
    assert cloud_config.find_list(text, "extra_args") is None


def edited(**changes: tuple[str, ...]) -> dict[str, Edit]:
    values = {"ours": ("--label=a=1",), "displaced": ("--label=a=0",), **changes}
    return {"extra_args": Edit(" ['-D', '--label=a=0']", (" ['-D', '--label=a=1']",), **values)}


@pytest.mark.parametrize(
    ("now", "users"),
    [
        # Written anew, the same values: the user's list is known whole.
        (["-D", "--label=a=1"], ["-D", "--label=a=0"]),
        # An item was added: ours are taken out by value, the replaced label comes back.
        (["-D", "--label=a=1", "-x"], ["-D", "-x", "--label=a=0"]),
        # The user has set that label since: two values would stop Docker.
        (["--label=a=1", "--label=a=2"], ["--label=a=2"]),
        # None of ours is there any more: the list is the user's as it is.
        (["-D"], ["-D"]),
        (["'"], ["'"]),
    ],
)
def test_a_list_that_was_written_anew_is_restored_by_value(
    now: list[str], users: list[str]
) -> None:
    text = yaml.safe_dump({"rancher": {"docker": {"extra_args": now}}})
    restored, problems = cloud_config.restore(text, edited(), "shell")
    assert problems == ()
    assert yaml.safe_load(restored)["rancher"]["docker"]["extra_args"] == users


def test_items_that_cannot_be_taken_out_are_a_problem() -> None:
    _, problems = cloud_config.restore("rancher: [\n", edited(), "shell")
    assert problems == ("it is not one plain YAML document",)
    assert cloud_config.restore("a: b\n", edited(), "shell") == ("a: b\n", ())


@pytest.mark.parametrize(
    ("written", "read", "same"),
    [
        (["--dns=$private_ipv4"], ["--dns=10.0.0.12"], True),
        (["--dns=$private_ipv4"], ["--dns="], True),
        (["--dns=$private_ipv4"], ["--ipv6"], False),
        (["a", "b"], ["a"], False),
        (["a"], ["b"], False),
        (["$x"], ["$x"], True),
    ],
)
def test_a_list_may_have_been_read_with_addresses_filled_in(
    written: list[str], read: list[str], *, same: bool
) -> None:
    assert cloud_config.matches(written, read) is same


@pytest.mark.parametrize(
    ("text", "path", "key"),
    [
        ("rancher: {docker: {extra_args: []}}", "rancher.docker.extra_args", True),
        ("rancher:\n", "rancher.docker.extra_args", True),
        ("rancher: {docker: }", "rancher.docker.extra_args", True),
        ("rancher: {docker: {}}", "rancher.docker.extra_args", False),
        ("rancher: [", "rancher.docker", False),
    ],
)
def test_a_file_has_the_word_with_the_key_or_a_null_above_it(
    text: str, path: str, *, key: bool
) -> None:
    assert cloud_config.sets(text, path.split(".")) is key


@pytest.mark.parametrize(
    ("text", "names", "left"),
    [
        ("e:\n  A: 1\n  B: 2\n  C: 3\n", "A", "e:\n  B: 2\n  C: 3\n"),
        ("e:\n  A: 1\n  B: 2\n  C: 3\nf: x\n", "BC", "e:\n  A: 1\nf: x\n"),
        ("e:\n  A: 1\n  B: 2\n  C: 3\n  D: 4\n", "ACD", "e:\n  B: 2\n"),
        ("e:\n  A: 1  # why\n  B: 2\n", "B", "e:\n  A: 1  # why\n"),
        ("e:\n  A: 1\nf: x\n", "A", "e: {}\nf: x\n"),
        ("E:\n  A: 1\n  B: 2", "B", "E:\n  A: 1\n"),
        ("e:\n  A: 1\n", "Z", "e:\n  A: 1\n"),
    ],
)
def test_keys_are_removed_and_nothing_else(text: str, names: str, left: str) -> None:
    assert cloud_config.remove_keys(text, ("e",), set(names)) == left


@pytest.mark.parametrize(
    "text", ["e: [a]\n", "f: x\n", "e: &a {A: 1}\nf: *a\n", "e: {A: 1, B: 2}\n", "e: {A: 1}\n"]
)
def test_keys_that_are_not_plainly_written_stay(text: str) -> None:
    with pytest.raises(CannotEditError):
        cloud_config.remove_keys(text, ("e",), {"A"})
