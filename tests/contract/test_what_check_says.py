"""`check` finds something in a file that a real `ros` loses, and nothing in one that it keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machine import release_named
from rancheros_ec2_metadata.check import rules
from rancheros_ec2_metadata.check.checked_file import File
from ros_stand_in import RELEASES

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "loaded.jsonl").read_text("utf-8").splitlines()
]
LOST = {"not-read", "characters", "wrong-type"}
# Found on all releases; those before v1.3 have no such key, and drop it.
NOT_BY_RELEASE = "port: many"


@pytest.mark.parametrize("release", [name for name in RELEASES if name != "v0.4.5"])
def test_check_finds_what_ros_loses(release: str) -> None:
    wrong = []
    for row in ROWS:
        text = row["text"].removeprefix("\ufeff")
        if not text.startswith("#cloud-config"):
            text = f"#cloud-config\n{text}"
        file = File(text.encode(), release_named(release))
        found = {finding.rule for finding in rules.check(file)} & LOST
        if bool(found) != (release in row["lost"]) and NOT_BY_RELEASE not in text:
            wrong.append((row["text"], found))
    assert wrong == []
