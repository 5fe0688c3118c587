from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.rancheros import state
from rancheros_ec2_metadata.rancheros.state import Edit, Removal, State

TEXTS = st.lists(st.text(max_size=5), max_size=3).map(tuple)
MAPS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
EDITS = st.builds(Edit, TEXTS, *[st.text()] * 3, *[TEXTS] * 5)
CUTS = st.integers(0, 3).flatmap(
    lambda n: st.tuples(
        st.text(),
        st.lists(st.integers(0, 99).map(str), min_size=n, max_size=n).map(tuple),
        st.lists(st.text(max_size=5), min_size=n, max_size=n).map(tuple),
    )
)
REMOVALS = st.builds(
    lambda now, values, found: Removal(now[0], now[1], now[2], values, *found), CUTS, MAPS, CUTS
)
STATES = st.builds(
    State,
    instance_id=st.none() | st.text(),
    product_uuid=st.none() | st.text(),
    pending_time=st.none() | st.text(),
    tags=MAPS,
    metadata=MAPS,
    labels=MAPS,
    variables=MAPS,
    items=TEXTS,
    edits=st.dictionaries(st.text(max_size=5), EDITS, max_size=2),
    removal=st.none() | REMOVALS,
    status=st.none() | st.text(),
)


@given(STATES)
def test_what_is_written_is_read_back(found: State) -> None:
    assert state.parse(state.render(found)) == found


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b'{"schema": "1"}', b"\xff", b"[" * 10**5]
)
def test_what_is_not_a_state_is_said_to_be_damaged(raw: bytes) -> None:
    with pytest.raises(state.DamagedStateError):
        state.parse(raw)


def test_a_newer_schema_is_read_as_far_as_known() -> None:
    raw = {"schema": 99, "instance_id": "i-1", "labels": {"a": "b", "c": 1}, "tags": 5, "new": {}}
    assert state.parse(json.dumps(raw).encode()) == State(instance_id="i-1", labels={"a": "b"})


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_whatever_stands_in_a_field_it_reads_or_is_left_out(value: object) -> None:
    names = [one.name for one in dataclasses.fields(State)]
    raw = {"schema": 1, **dict.fromkeys(names, value), "edits": {"a": value, "b": {"at": value}}}
    found = state.parse(json.dumps(raw).encode())
    assert state.parse(state.render(found)) == found


@pytest.mark.parametrize(
    ("field", "value"), [("places", ["1"]), ("places", ["x", "2"]), ("pieces", "ab")]
)
def test_cuts_that_do_not_fit_are_none_and_the_values_are_there(field: str, value: object) -> None:
    whole = Removal("d", ("1", "2"), ("a", "b"), {"A": "1"}, "e", ("3", "4"), ("c", "d"))
    raw = json.loads(state.render(State(removal=whole)))
    raw["removal"][field] = value
    found = state.parse(json.dumps(raw).encode()).removal
    assert found == Removal("", (), (), {"A": "1"}, "e", ("3", "4"), ("c", "d"))
    raw["removal"][f"found_{field}"] = value
    found = state.parse(json.dumps(raw).encode()).removal
    assert found == Removal("", (), (), {"A": "1"})
