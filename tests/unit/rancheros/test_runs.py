from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.rancheros import runs
from rancheros_ec2_metadata.rancheros.runs import Run, Runs

RUN = Run(
    time="2026-01-05T08:00:00Z",
    boot_id="b",
    version="1.0.0",
    instance_id="i-0123456789abcdef0",
    release="v1.5.8",
    command="apply",
    outcome="complete",
    exit_status=0,
    summary=("a", "b"),
    seconds={"EC2": 0.2},
    notes=("warning: é",),
    files={"/a": "1f", "/b": None},
)

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
fields = st.sampled_from([*Run.__annotations__, "schema", "runs", "labels_changed", "new"])
any_run = st.dictionaries(fields, any_json, max_size=4)
any_tree = st.dictionaries(fields, any_json | st.lists(any_run, max_size=6), max_size=3)


def test_what_is_written_is_read_again() -> None:
    written = Runs((RUN, Run(time="2026-01-04T08:00:00Z")), Run(time="x", boot_id="b"))
    assert runs.parse(runs.render(written)) == written


def test_only_the_last_five_are_kept_the_latest_first() -> None:
    kept = Runs()
    for number in range(7):
        kept = kept.with_run(Run(time=str(number)), changed_labels=number == 1)
    assert [run.time for run in kept.runs] == ["6", "5", "4", "3", "2"]
    assert kept.labels_changed == Run(time="1")


def test_a_newer_schema_is_read_as_far_as_it_is_known() -> None:
    newer: dict[str, Any] = json.loads(runs.render(Runs((RUN,))))
    newer |= {"schema": 99, "more": {}}
    newer["runs"][0] |= {"more": [], "outcome": {"new": "form"}}
    (read,) = runs.parse(json.dumps(newer).encode()).runs
    assert (read.time, read.outcome, read.files) == (RUN.time, None, RUN.files)


@pytest.mark.parametrize(
    "raw", [None, b"", b"\xff", b"[]", b'{"runs": 1}', b"[" * 100_000, b'{"runs": [[], {}]}']
)
def test_a_damaged_file_is_one_without_runs(raw: bytes | None) -> None:
    assert runs.parse(raw) == Runs()


@given(any_tree)
def test_whatever_is_in_the_file_it_is_read_and_can_be_written_anew(tree: dict[str, Any]) -> None:
    read = runs.parse(json.dumps(tree).encode())
    again = read.with_run(RUN, changed_labels=False)
    assert runs.parse(runs.render(again)) == again


@given(st.lists(st.text("\U0001f404", min_size=100), max_size=50))
def test_the_file_stays_small_whatever_the_runs_say(texts: list[str]) -> None:
    kept = Runs()
    long = "x" * 10_000
    for _ in range(10):
        run = Run(time=long, notes=(long, *texts), summary=tuple(texts), files={long: None})
        kept = runs.parse(runs.render(kept.with_run(run, changed_labels=True)))
    assert len(runs.render(kept)) < 300_000


def test_notes_that_do_not_fit_are_counted() -> None:
    many = Runs((Run(time="t", notes=tuple(map(str, range(30)))),))
    (read,) = runs.parse(runs.render(many)).runs
    assert read.notes == (*map(str, range(9)), "21 more, in the log")
