from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failures import in_process
from failures.in_process import GivenEc2, found
from machine import MachineDisk
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.hosts.files import FileChange, Files
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.report import (
    diff_file,
    make_report,
    render_report,
    render_report_json,
)
from rancheros_ec2_metadata.settings import Settings, TagMapping

MAPPINGS = tuple(map(TagMapping.parse, ("db:DB_HOST", "h:hostname", "gone:GONE")))


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    return MachineDisk(tmp_path)


def plan(disk: MachineDisk, tags: dict[str, str], *, write: bool = False) -> dict[str, Any]:
    settings = Settings(root=disk.root, mappings=MAPPINGS, metadata=False)
    files = Files(lambda path: paths.locate(disk.root, path), dry=not write)
    ros = in_process.stand_in(disk.root, "v1.5.8")
    booted = in_process.run(
        disk.root, GivenEc2(found(tags, metadata={})), settings=settings, files=files, ros=ros
    )
    assert booted.plan is not None
    return make_report(booted.plan, {})


def text(report: dict[str, Any]) -> str:
    return "\n".join(render_report(report, "when Docker starts"))


def test_a_plan_shows_the_file_and_the_next_ones_change_and_remove(disk: MachineDisk) -> None:
    tags = {"docker.role": "web", "docker.zone": "a", "db": "x", "h": "web-1"}
    assert "\nLABELS, in effect when Docker starts\n  none\n" in text(plan(disk, {}))
    shown = text(plan(disk, tags, write=True)).splitlines()
    assert {"--- /dev/null", f"+++ {paths.DROP_IN}"} <= {*shown}
    same = plan(disk, tags)
    assert not same["would_change"]
    assert text(same).endswith("No changes.")
    items = (*same["labels"], *same["variables"], *same["config"])
    assert {item["action"] for item in items} == {"unchanged"}
    last = plan(disk, {"docker.role": "db"})
    assert [(x["name"], x["action"]) for x in last["labels"]] == [
        ("docker.role", "change"),
        ("docker.zone", "remove"),
    ]
    assert "  ~ 'docker.role' 'web' -> 'db'  (tag 'docker.role')" in text(last).splitlines()
    assert "  - 'docker.zone' was 'a'" in text(last).splitlines()


def test_an_address_of_the_users_is_shown_as_the_file_has_it(disk: MachineDisk) -> None:
    disk.user_data('rancher: {docker: {extra_args: ["--dns=$private_ipv4", --label=docker.a=b]}}')
    disk.write(f"{paths.CONF}/metadata", "privateipv4: [10, 0, 0, 12]\n")
    report = plan(disk, {"docker.a": "c"})
    as_json = render_report_json(report, ExitStatus.OK, [])
    assert "    '--dns=$private_ipv4'" in text(report).splitlines()
    assert '"text": "--dns=$private_ipv4"' in as_json
    assert "10.0.0.12" not in text(report) + as_json


@given(st.none() | st.text(alphabet="ab\n"), st.none() | st.text(alphabet="ab\n"))
def test_a_diff_is_a_unified_one(before: str | None, after: str | None) -> None:
    change = FileChange(
        "/etc/x",
        None if before is None else before.encode(),
        None if after is None else after.encode(),
    )
    lines = list(diff_file(change))
    old, new = ("/etc/x" if x is not None else "/dev/null" for x in (before, after))
    was, now = ((x or "").splitlines() for x in (before, after))
    assert lines == list(difflib.unified_diff(was, now, old, new, n=0, lineterm=""))


def test_of_a_record_of_the_program_only_the_name_is_shown() -> None:
    assert list(diff_file(FileChange(paths.STATE, None, b"secret", is_record=True))) == [
        f"write {paths.STATE}"
    ]
