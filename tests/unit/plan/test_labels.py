"""Which labels a constraint of Swarm can name, and that the log says so."""

from __future__ import annotations

import pytest

from rancheros_ec2_metadata.errors import Level, Note
from rancheros_ec2_metadata.plan.labels import (
    explain_unnameable,
    is_for_swarm_mode_only,
    map_labels,
)
from rancheros_ec2_metadata.settings import Settings


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("docker.role", "web", None),
        ("z", "a:b-c_d.e*f(g)h?i+j[k]l\\m^n$o|p/q r\ts", None),
        ("9x", "1", None),
        ("team/role", "web", "its key has other characters"),
        ("role", "web,api", "its value has ','"),
        ("role", "50%", "its value has '%'"),
        ("role", "café", "its value has 'é'"),
        ("role", "a=b", "its value has '='"),
        ("role", "", "its value is empty"),
        ("role", " web", "begins or ends with white space"),
        ("role", "web\n", "begins or ends with white space"),
        ("role", "a\u00a0b", "its value has '\\xa0'"),
    ],
)
def test_a_label_that_no_constraint_can_name_is_refused(
    key: str, value: str, why: str | None
) -> None:
    found = explain_unnameable(key, value)
    assert found == why if why is None else why in (found or "")


@pytest.mark.parametrize(
    ("key", "only"),
    [
        ("z", True),
        ("9x", True),
        (".x", True),
        ("zz", False),
        ("docker.role", False),
        ("a/b", False),
    ],
)
def test_classic_swarm_wants_other_keys_than_swarm_mode(key: str, only: bool) -> None:
    assert is_for_swarm_mode_only(key) is only


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"role": "web"}, []),
        ({"z": "web"}, ["label 'z': Swarm mode can name it, classic Swarm cannot"]),
        (
            {"z": "web,api"},
            ["label 'z': no constraint of Swarm can name it, its value has ','"],
        ),
    ],
)
def test_the_log_says_so_at_info_level_and_the_label_is_set(
    tags: dict[str, str], said: list[str]
) -> None:
    notes: list[Note] = []
    labels, _ = map_labels(Settings(label_prefixes=("",)), {}, tags, notes)
    assert labels == tags
    assert [(note.level, note.text) for note in notes] == [(Level.INFO, text) for text in said]
