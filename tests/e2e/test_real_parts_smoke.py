"""The real parts hold what the tests that stand on them take for granted."""

from __future__ import annotations

from pathlib import Path

import pytest

from real_parts.dockerd import Dockerd
from real_parts.namespace import Namespace

pytestmark = pytest.mark.real_parts


def test_nothing_outside_can_be_reached_from_inside(namespace: Namespace) -> None:
    done = namespace.run(["ip", "-brief", "link", "show", "up"])
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["lo"]


def test_the_items_are_evaluated_by_a_real_bash(namespace: Namespace, tmp_path: Path) -> None:
    proof = tmp_path / "pwned"
    with Dockerd.started(namespace, [f"--label=x=$(touch {proof})"]) as dockerd:
        assert dockerd.labels() == {"x": ""}
    assert proof.exists()
