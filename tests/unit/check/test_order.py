from __future__ import annotations

import pytest

from unit.check.judging import GOOD, SERVICE, changed, found, judged

LABELS = {
    "scope": "system",
    "detach": '"false"',
    "after": "network",
    "before": "console",
    "reloadconfig": '"true"',
}


@pytest.mark.parametrize("name", LABELS)
def test_a_label_that_is_missing_is_found_where_the_labels_are(name: str) -> None:
    line = f"        io.rancher.os.{name}: {LABELS[name]}\n"
    (finding,) = judged(changed(line, ""))
    assert (finding.rule, finding.line) == (name, 8)
    assert f"has no label io.rancher.os.{name}" in finding.reason
    assert f"io.rancher.os.{name}: {LABELS[name]}" in finding.mend


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scope", "user"),
        ("detach", '"true"'),
        ("after", "network,console"),
        ("after", "ntp"),
        ("before", "network"),
        ("reloadconfig", '"false"'),
    ],
)
def test_a_label_that_is_wrong_is_found_with_its_line(name: str, value: str) -> None:
    line = f"io.rancher.os.{name}: {value}"
    text = changed(f"io.rancher.os.{name}: {LABELS[name]}", line)
    assert found(text) == [(name, line)]


@pytest.mark.parametrize("value", ["docker", "console,docker", "ntp, console"])
def test_it_may_come_before_docker_and_before_others_too(value: str) -> None:
    assert found(changed("before: console", f"before: {value}")) == []


def test_labels_in_a_list_are_read_too() -> None:
    text = GOOD.replace("        io.rancher", "        - io.rancher")
    for value in ("system", "network", "console"):
        text = text.replace(f": {value}\n", f"={value}\n")
    text = text.replace(': "false"', "=false").replace(': "true"', "=true")
    assert found(text) == []
    empty = changed(
        "        - io.rancher.os.scope", "        -\n        - io.rancher.os.scope", text
    )
    assert [rule for rule, _ in found(empty)] == ["wrong-type"]
    assert found(changed("detach=false", "detach=true", text)) == [
        ("detach", "- io.rancher.os.detach=true")
    ]


def test_a_service_that_is_made_and_not_started_is_found() -> None:
    text = changed("      volumes:", '        io.rancher.os.createonly: "true"\n      volumes:')
    assert found(text) == [("createonly", 'io.rancher.os.createonly: "true"')]


@pytest.mark.parametrize(("policy", "rules"), [("always", 1), ("on-failure:3", 1), ('"no"', 0)])
def test_a_service_that_is_started_again_is_found(policy: str, rules: int) -> None:
    line = f"restart: {policy}"
    assert found(changed("net: host", f"net: host\n      {line}")) == [("restart", line)] * rules


CRON = GOOD.replace("ec2-metadata:\n", "again-ec2-metadata:\n")
for label in ("detach", "after", "before", "reloadconfig"):
    CRON = CRON.replace(f"        io.rancher.os.{label}: {LABELS[label]}\n", "")
CRON = CRON.replace(
    "      volumes:",
    """\
        io.rancher.os.createonly: "true"
        io.rancher.os.before: system-cron
        cron.schedule: "0 5 * * * *"
      volumes:""",
)


def test_a_service_by_cron_needs_other_labels() -> None:
    assert found(CRON) == []
    assert found(changed('"0 5 * * * *"', '"@hourly"', CRON)) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"0 5 * * * *"', '"5 * * * *"', 'cron.schedule: "5 * * * *"'),
        ('createonly: "true"', 'createonly: "false"', 'io.rancher.os.createonly: "false"'),
        ("        io.rancher.os.before: system-cron\n", "", "labels:"),
    ],
)
def test_a_service_that_cron_does_not_start_as_meant_is_found(
    old: str, new: str, line: str
) -> None:
    assert found(changed(old, new, CRON)) == [("cron", line)]


def test_a_release_without_cron_is_said() -> None:
    (finding,) = judged(CRON, "v1.0.4")
    assert "v1.0.4 has no system-cron" in finding.reason
    assert found(CRON, "v1.1.0") == []


def test_a_service_by_cron_that_is_not_in_system_docker_is_found() -> None:
    assert [rule for rule, _ in found(changed("scope: system", "scope: user", CRON))] == ["scope"]


def two(command: str) -> str:
    other = SERVICE.replace("ec2-metadata:\n", "ec2-metadata-again:\n")
    first = '[-m, -l, "example.db.host:DB_HOST"]'
    return GOOD + other.replace(first, command)


def test_two_services_with_different_mappings_are_found() -> None:
    text = two("-m -l other:OTHER")
    assert found(text) == [("two-services", "ec2-metadata-again:")]


def test_two_services_with_different_files_undo_each_others_too() -> None:
    text = two("-m -l example.db.host:DB_HOST --env-file /var/lib/rancher/conf/ec2.env")
    assert [rule for rule, _ in found(text)] == ["two-services"]


def test_two_services_may_differ_in_how_they_run() -> None:
    assert found(two("-m -l example.db.host:DB_HOST --deadline 60 --debug")) == []
