"""Which labels a constraint of Swarm can name, and that the log says so."""

from __future__ import annotations

import pytest

from rancheros_ec2_metadata.errors import Level, Note
from rancheros_ec2_metadata.plan.labels import map_labels
from rancheros_ec2_metadata.settings import Settings

CANNOT = "no constraint of Swarm can name it, its value"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("docker.role", "web", None),
        ("zz", "a\\m^n\t$o|p/q r", None),
        ("z", "web", "Swarm mode can name it, classic Swarm cannot"),
        ("z", "web,api", f"{CANNOT} has ','"),
        ("role", "café", f"{CANNOT} has 'é'"),
        ("role", "a\u00a0b", f"{CANNOT} has '\\xa0'"),
        ("role", " web", f"{CANNOT} begins or ends with white space"),
    ],
)
def test_the_log_says_so_at_info_level_and_the_label_is_set(
    key: str, value: str, said: str | None
) -> None:
    notes: list[Note] = []
    labels, _ = map_labels(Settings(label_prefixes=("",)), {}, {key: value}, notes)
    assert labels == {key: value}
    expected = [] if said is None else [(Level.INFO, f"label '{key}': {said}")]
    assert [(note.level, note.text) for note in notes] == expected
