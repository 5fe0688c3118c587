from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.hosts import state
from rancheros_ec2_metadata.hosts.state import Edit, LastRun, State

TEXT = st.text(max_size=5)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
MAPS = st.dictionaries(TEXT, TEXT, max_size=3)
OPTIONAL = st.none() | TEXT
EDITS = st.builds(Edit, TEXT, TEXTS, TEXTS, TEXTS)
RUNS = st.builds(
    LastRun,
    *(TEXT, OPTIONAL, OPTIONAL, OPTIONAL, st.integers(0, 11), TEXTS, TEXTS),
    st.dictionaries(TEXT, OPTIONAL, max_size=3),
)
STATES = st.builds(
    State,
    instance_id=OPTIONAL,
    product_uuid=OPTIONAL,
    pending_time=OPTIONAL,
    tags=MAPS,
    metadata=MAPS,
    labels=MAPS,
    variables=MAPS,
    edits=st.dictionaries(TEXT, EDITS, max_size=2),
    env_files=TEXTS,
    status=OPTIONAL,
    rehearsed=OPTIONAL,
    labels_changed=TEXTS,
    last_run=st.none() | RUNS,
)


@given(STATES)
def test_what_is_written_is_read_back(found: State) -> None:
    assert state.parse_state(state.render_state(found)) == found


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b'{"schema": "1"}', b"\xff", b"[" * 10**5]
)
def test_what_is_not_a_state_is_said_to_be_damaged(raw: bytes) -> None:
    with pytest.raises(state.DamagedStateError):
        state.parse_state(raw)


def test_a_newer_schema_is_read_as_far_as_known() -> None:
    raw = {"schema": 99, "instance_id": "i-1", "labels": {"a": "b", "c": 1}, "tags": 5, "new": {}}
    found = state.parse_state(json.dumps(raw).encode())
    assert found == State(instance_id="i-1", labels={"a": "b"})


@given(st.recursive(st.none() | st.integers() | TEXT, st.lists, max_leaves=5))
def test_whatever_stands_in_a_field_it_reads_or_is_left_out(value: object) -> None:
    names = State._fields
    broken = {"former": "a", "written": value, "ours": value, "displaced": value}
    run = dict.fromkeys(LastRun._fields, value) | {"time": "x"}
    raw = {"schema": 1, **dict.fromkeys(names, value)}
    for edits, last in ((value, value), ({"a": value, "b": broken}, run)):
        raw |= {"edits": edits, "last_run": last}
        found = state.parse_state(json.dumps(raw).encode())
        assert state.parse_state(state.render_state(found)) == found


def test_notes_are_few_and_short_and_say_how_many_more_there_are() -> None:
    assert state.cut_notes(["a"] * 10) == ("a",) * 10
    assert state.cut_notes(["a" * 300] * 12) == (*["a" * 199 + "…"] * 9, "3 more, in the log")
