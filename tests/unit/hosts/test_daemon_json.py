from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon_json_files import ANY_MEMBER, KEYS, VALUES, UsersFile, load_strictly, users_files
from rancheros_ec2_metadata.hosts.systemd import daemon_json
from rancheros_ec2_metadata.hosts.systemd.daemon_json import CannotMergeError, LabelRecord, Merged

FILES = users_files(ANY_MEMBER)
TAGS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3)
OURS = LabelRecord("", ("x=1",))


@dataclass
class Disk:
    """daemon.json and what is known of it, between runs."""

    text: str | None
    record: LabelRecord | None = None

    def run(
        self, labels: Mapping[str, str], *, clear: bool = False, is_killed: bool = False
    ) -> Merged:
        """Write as a run does: the record first where it has to tell ours from the user's."""
        found = self.text and daemon_json.parse_daemon_json(self.text.encode())
        merged = daemon_json.merge(found or None, labels, self.record, clear=clear)
        if not merged.is_users or not is_killed:
            self.record = None if merged.is_users else merged.record
        if merged.is_users or not is_killed:
            self.text = merged.text
        return merged

    @property
    def items(self) -> list[str]:
        found = dict(load_strictly(self.text)).get("labels") if self.text else None
        return list(found or ())


def key_of(item: str) -> str:
    return item.partition("=")[0]


STEPS = st.lists(st.tuples(TAGS, st.booleans(), st.booleans()), max_size=4)


@settings(max_examples=1200)
@given(st.none() | FILES, STEPS)
def test_ours_are_set_and_removed_and_every_other_byte_stays(
    file: UsersFile | None, steps: list[tuple[dict[str, str], bool, bool]]
) -> None:
    users = file.items if file is not None else ()
    disk = Disk(file.text if file is not None else None)
    for labels, clear, is_killed in steps:
        merged = disk.run(labels, clear=clear, is_killed=is_killed)
        text, items = merged.text, list[str]()
        if text is not None:
            members = load_strictly(text)
            items = dict(members).get("labels") or []
            assert [key for key, _ in members].count("labels") <= 1
        if file is not None:
            assert text is not None
            assert text.startswith(file.before)
            assert text.endswith(file.after)
            others = [one for one in load_strictly(text) if one[0] != "labels"]
            assert others == [one for one in load_strictly(file.text) if one[0] != "labels"]
        ours = [f"{key}={value}" for key, value in sorted(labels.items())]
        assert items == [one for one in users if key_of(one) not in labels] + ours
        assert merged.items == tuple(items)
    disk.run({})
    assert disk.record is None
    assert disk.text == (file.text if file is not None else None)


@st.composite
def edited(draw: st.DrawFn, text: str | None) -> str | None:
    """Return the file as its user leaves it, who changes also what is not his."""
    tree: dict[str, Any] = json.loads(text or "{}")
    items: list[str] = list(tree.get("labels") or ())
    kind = draw(st.sampled_from(("add", "drop", "change", "null", "reformat", "gone", "member")))
    index = draw(st.integers(0, max(0, len(items) - 1)))
    if kind == "gone":
        return None
    if kind == "add":
        key = draw(st.sampled_from(KEYS))
        if all(key_of(one) != key for one in items):
            items.insert(index, f"{key}=u{draw(st.integers(0, 2))}")
    elif items and kind == "drop":
        del items[index]
    elif items and kind == "change":
        items[index] = f"{key_of(items[index])}=u{draw(st.integers(0, 2))}"
    elif kind == "member":
        tree = {"debug": True, **tree}
    tree["labels"] = items
    if kind == "null" or (not items and draw(st.booleans())):
        tree["labels"] = None
    return json.dumps(tree, indent=draw(st.sampled_from((None, 2, "\t"))))


@settings(max_examples=800)
@given(st.data())
def test_whatever_its_user_changes_between_runs_ours_are_never_his_and_his_never_lost(
    data: st.DataObject,
) -> None:
    # Ours are t1 and t2, so that each is known by its value.
    tags = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(("t1", "t2")), max_size=3)
    disk = Disk(None)
    for _ in range(data.draw(st.integers(1, 4))):
        disk.text = data.draw(edited(disk.text))
        for is_killed in (data.draw(st.booleans()), False):
            labels = data.draw(tags)
            users = [one for one in disk.items if "=u" in one and key_of(one) not in labels]
            clear = data.draw(st.booleans())
            merged = disk.run(labels, clear=clear, is_killed=is_killed)
            ours = [f"{key}={value}" for key, value in labels.items()]
            assert {one for one in merged.items if "=t" in one} == set(ours)
            assert {*users} <= {*merged.items}
            by_key = [key_of(one) for one in {*merged.items}]
            assert sorted(by_key) == sorted({*by_key})


@settings(max_examples=400)
@given(FILES, st.data())
def test_a_file_in_which_something_is_broken_is_refused_or_still_merged_strictly(
    file: UsersFile, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(file.text)))
    inserted = data.draw(st.sampled_from(("", ",", "}", "{}", "1", '"', "\ufeff", "//x\n", "NaN")))
    text = file.text[:at] + inserted + file.text[at + data.draw(st.integers(0, 2)) :]
    try:
        found = daemon_json.parse_daemon_json(text.encode())
    except CannotMergeError:
        return
    merged = daemon_json.merge(found, {"docker.role": "web"}, None, clear=False)
    before, after = load_strictly(text), load_strictly(merged.text or "")
    assert [one for one in before if one[0] != "labels"] == [
        one for one in after if one[0] != "labels"
    ]
    assert "docker.role=web" in dict(after)["labels"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is not JSON"),
        (b"\xef\xbb\xbf{}", "it is not JSON"),
        ('{"a": 1}'.encode("utf-16"), "it is not UTF-8"),
        (b'{"a": "\xff"}', "it is not UTF-8"),
        (b"{} x", "it is not JSON"),
        (b'{"a": 1,}', "it is not JSON"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": "\n"}', "it is not JSON"),
        (b"# comment\n{}", "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
        (b'{"a": ' + b"[" * 10**5, "nested too deep"),
        (b'{"a": ' + b"1" * 5000 + b"}", "it is not JSON"),
        (b'{"Labels": []}', "keep one key 'labels'"),
        ('{"label\u017f": []}'.encode(), "keep one key 'labels'"),
        (b'{"labels": [], "labels": []}', "keep one key 'labels'"),
        (b'{"labels": [], "LABELS": []}', "keep one key 'labels'"),
        (b'{"labels": {}}', "not a list"),
        (b'{"labels": "a=b"}', "not a list"),
        (b'{"labels": ["a"]}', "'a' is not KEY=VALUE"),
        (b'{"labels": [1]}', "'1' is not KEY=VALUE"),
        (b'{"labels": ["com.Docker.x=1"]}', "reserved namespace"),
        (b'{"labels": ["a=1", "b=1", "a=2"]}', "'a' has two values"),
    ],
)
def test_a_file_that_some_docker_would_not_start_with_is_left_alone(raw: bytes, why: str) -> None:
    with pytest.raises(CannotMergeError, match=why):
        daemon_json.parse_daemon_json(raw)


TWO = '{\n  "labels": [\n    "x=1"\n  ],\n  "a": 1\n}\n'


@pytest.mark.parametrize(
    ("text", "record", "labels", "after"),
    [
        (None, None, {"x": "1"}, '{\n  "labels": [\n    "x=1"\n  ]\n}\n'),
        ("{}", None, {"x": "1"}, '{"labels": ["x=1"]}'),
        ('{"a":1}', None, {"x": "1"}, '{"labels": ["x=1"],"a":1}'),
        ('{\n  "a": 1\n}\n', None, {"x": "1"}, TWO),
        ('{\r\n\t"a": 1\r\n}', None, {"x": "é"}, None),
        (TWO, None, {}, TWO),
        # Ours by value: somebody has put a comma elsewhere, or added one of his.
        ('{"labels": [ "x=1" ]}', OURS, {}, "{}"),
        ('{"labels": [ "x=1" , "y=2"]}', OURS, {}, '{"labels": ["y=2"]}'),
        ('{"labels": ["y=2"]}', OURS, {}, '{"labels": ["y=2"]}'),
        ('{"a": 1, "labels": ["x=1"]}', OURS, {}, '{"a": 1}'),
        ('{"labels": ["x=1"] , "a": 1}', OURS, {}, '{ "a": 1}'),
    ],
)
def test_the_text_is_as_its_user_would_write_it(
    text: str | None, record: LabelRecord | None, labels: dict[str, str], after: str | None
) -> None:
    found = daemon_json.parse_daemon_json(text.encode()) if text is not None else None
    merged = daemon_json.merge(found, labels, record, clear=False)
    expected = after or '{\r\n\t"labels": [\r\n\t\t"x=\\u00e9"\r\n\t],\r\n\t"a": 1\r\n}'
    assert merged.text == expected


def test_an_item_that_its_user_has_changed_does_not_stand_beside_the_one_that_was_displaced() -> (
    None
):
    disk = Disk('{"labels": ["x=old"]}')
    disk.run({"x": "tag", "z": "tag"})
    disk.text = '{"labels": ["x=new", "z=tag"]}'
    disk.run({})
    assert disk.items == ["x=new"]


def test_an_item_that_has_returned_and_that_its_user_removes_does_not_return_again() -> None:
    disk = Disk('{"labels": ["x=old"]}')
    disk.run({"x": "tag"})
    disk.run({"z": "tag"})
    assert disk.items == ["x=old", "z=tag"]
    disk.text = '{"labels": ["z=tag"]}'
    disk.run({})
    assert disk.items == []


def test_only_labels_are_shown_of_a_change() -> None:
    assert list(daemon_json.diff_labels(("x=1", "y=2"), ("x=1", "z=\x1b"))) == [
        "-labels: 'y=2'",
        "+labels: 'z=\\x1b'",
    ]
