from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine import os_config
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import DeadlineError
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import stack
from rancheros_ec2_metadata.rancheros.readback import difference
from rancheros_ec2_metadata.rancheros.ros import Answer, Ros

ITEMS = ["--debug", "--label=docker.role=web"]
VARIABLES = {"A": "b", "C": "d e"}
SECRET = "-----BEGIN RSA PRIVATE KEY-----"


def drop_in(items: Sequence[str] = ITEMS, variables: Mapping[str, str] = VARIABLES) -> bytes:
    rancher = {"docker": {"extra_args": list(items)}, "environment": dict(variables)}
    return json.dumps({"rancher": rancher}).encode()


def read_back(
    answers: Mapping[str, Any],
    *,
    written: bytes = drop_in(),
    names: Sequence[str] = tuple(VARIABLES),
    version: str = "v1.5.8",
    seconds: float = 60,
) -> str | None:
    """Compare what was written with a ``ros`` that answers so, by the end of the key."""

    def run(command: Sequence[str], _: Limit) -> Answer:
        answer = answers[command[-1].rpartition(".")[2]]
        if isinstance(answer, Answer):
            return answer
        return Answer(0, json.dumps(answer).encode() + b"\n")

    disk = Disk({paths.OS_CONFIG: os_config(version).encode(), paths.DROP_IN: written})
    release = releases.of(disk)
    limit = Limit.after(seconds, Clock())
    return difference(Ros("ros", run), stack(disk, release), release, names, limit)


def test_nothing_is_said_where_ros_reads_what_was_planned() -> None:
    assert read_back({"extra_args": ITEMS, "environment": VARIABLES}) is None


@pytest.mark.parametrize(
    "items", [[], ITEMS[:1], ITEMS[::-1], [*ITEMS, "--more"], ["--debug", "--label=docker.role=w"]]
)
def test_the_argument_list_is_compared_whole_and_in_order(items: list[str]) -> None:
    said = read_back({"extra_args": items, "environment": VARIABLES})
    assert said == "ros reads rancher.docker.extra_args otherwise than it was written"


def test_both_lists_are_compared_where_the_release_has_both() -> None:
    answers = {"args": ["daemon"], "extra_args": ITEMS, "environment": VARIABLES}
    said = read_back(answers, version="v0.6.1")
    assert said == "ros reads rancher.docker.args otherwise than it was written"


@pytest.mark.parametrize("variables", [{}, {"A": "b"}, {"A": "b", "C": "d"}])
def test_a_variable_of_ours_that_ros_reads_otherwise_is_named(variables: dict[str, str]) -> None:
    said = read_back({"extra_args": ITEMS, "environment": variables})
    assert said is not None
    assert ("variable A" if not variables else "variable C") in said


def test_a_variable_that_should_be_hidden_and_is_not_is_named() -> None:
    said = read_back({"extra_args": ITEMS, "environment": VARIABLES | {"X": "y"}}, names=["A", "X"])
    assert said == "ros reads variable X otherwise than it was written"


def test_variables_that_are_not_ours_may_be_anything() -> None:
    assert read_back({"extra_args": ITEMS, "environment": VARIABLES | {"theirs": "1"}}) is None


@given(st.text("abc.*\n"), st.text("abc.*\n"), st.text("abc.*\n"))
def test_an_address_variable_stands_for_any_text_and_the_rest_for_itself(
    before: str, address: str, after: str
) -> None:
    # In the user's files as it is: ros replaces it in their raw text.
    written = drop_in([f"--host={before}$private_ipv4{after}:2376"])
    item = f"--host={before}{address}{after}:2376"
    found = [
        read_back({"extra_args": [text], "environment": VARIABLES}, written=written)
        for text in (item, f"x{item}", f"{item}x", f"{item}\n")
    ]
    assert [said is None for said in found] == [True, False, False, False]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(1, SECRET.encode()), "ended with status 1"),
        (Answer(0, f"a: [{SECRET}".encode()), "did not answer in YAML"),
        (Answer(0, f"- [{SECRET}]".encode()), "did not answer with a list of texts"),
        (Answer(0, SECRET.encode() + b"\xff"), "did not answer in UTF-8"),
    ],
)
@pytest.mark.parametrize("asked", ["extra_args", "environment"])
def test_a_ros_that_does_not_answer_is_a_difference_without_a_word_of_its_output(
    answer: Answer, said: str, asked: str
) -> None:
    answers: dict[str, Any] = {"extra_args": ITEMS, "environment": VARIABLES, asked: answer}
    found = read_back(answers)
    assert found is not None
    assert said.replace("a list", "a map" if asked == "environment" else "a list") in found
    assert SECRET not in found


def test_without_time_left_ros_is_not_asked() -> None:
    with pytest.raises(DeadlineError, match="no time was left"):
        read_back({}, seconds=0)
