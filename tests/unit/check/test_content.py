from __future__ import annotations

import pytest

from unit.check.judging import (
    GOOD,
    SERVICE_FILE,
    found,
    judged,
    with_docker,
    with_environment,
    with_service,
)


def test_a_key_that_is_there_twice_is_found_with_the_line_of_the_first() -> None:
    text = f"{GOOD}  environment: {{A: x}}\n  services: {{}}\n"
    (finding,) = (one for one in judged(text) if one.rule == "duplicate-key")
    assert "'services' is there already, in line 3" in finding.reason
    assert text.splitlines()[finding.line - 1] == "  services: {}"


def test_the_same_key_in_two_maps_or_two_documents_is_not_found() -> None:
    text = "#cloud-config\nwrite_files:\n- path: /a\n- path: /b\n"
    assert found(text) == []
    assert "duplicate-key" not in [rule for rule, _ in found(f"{text}---\nwrite_files: []\n")]


@pytest.mark.parametrize(
    ("text", "line", "mend"),
    [
        ("#cloud-config\nhostnme: a\n", "hostnme: a", "write hostname"),
        ("#cloud-config\nservices: {}\n", "services: {}", "put it below rancher"),
        ("#cloud-config\npackages: []\n", "packages: []", "look up its name"),
        (f"{GOOD}  enviroment: {{}}\n", "enviroment: {}", "write environment"),
        (with_docker("extra-args: [a]"), "extra-args: [a]", "write extra_args"),
        (with_docker("labels: [a=b]"), "labels: [a=b]", "look up its name"),
        (with_service("network_mode: host"), "network_mode: host", "write net"),
        (with_service("depends_on: [a]"), "depends_on: [a]", "io.rancher.os.after"),
        (with_service("enviroment: [A=b]"), "enviroment: [A=b]", "write environment"),
        (f"version: '2'\n{SERVICE_FILE}", "version: '2'", "use version 1"),
    ],
)
def test_a_key_that_rancheros_drops_is_found(text: str, line: str, mend: str) -> None:
    (finding,) = (one for one in judged(text) if one.rule == "unknown-key")
    assert text.splitlines()[finding.line - 1].strip() == line
    assert mend in finding.mend


def test_keys_of_some_release_are_not_found() -> None:
    text = "#cloud-config\nEXTRA_CMDLINE: rancher.debug=true\nruncmd: []\n"
    text += "rancher:\n  preload_wait: true\n  docker: {graph: /a, data_root: /b, args: [daemon]}\n"
    assert found(text, "v0.6.1") == []


def test_services_of_compose_version_2_are_judged_too() -> None:
    inner = "".join(f"  {line}" for line in SERVICE_FILE.splitlines(keepends=True))
    rules = [
        rule for rule, _ in found("version: '2'\nservices:\n" + inner.replace("net: host", ""))
    ]
    assert rules == ["unknown-key", "unknown-key", "net"]


@pytest.mark.parametrize(
    "text",
    [
        "#cloud-config\nrancher:\n",
        "#cloud-config\nrancher:\n  environment:\n    # A: b\n",
        f"{GOOD}  docker: ~\n",
        "#cloud-config\nrancher: {services: null}\n",
    ],
)
def test_a_null_in_place_of_a_map_is_found(text: str) -> None:
    assert [rule for rule, _ in found(text)] == ["empty-map"]


def test_a_null_where_nothing_is_hidden_is_not_found() -> None:
    assert found("#cloud-config\nrancher: {environment: {A: }, docker: {extra_args: }}\n") == []
    assert found("#cloud-config\nrancher: {environment: {}}\n") == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (with_environment("A: 0123"), "A: 0123"),
        (with_environment("A: 1.10"), "A: 1.10"),
        (with_environment("A: yes"), "A: yes"),
        (with_environment("A: 2020-01-02 03:04:05"), "A: 2020-01-02 03:04:05"),
        (with_environment('A: "null"'), 'A: "null"'),
        (with_docker("log_opts: {max-size: 0x10}"), "log_opts: {max-size: 0x10}"),
        ("#cloud-config\nhostname: 007\n", "hostname: 007"),
        (
            "#cloud-config\nwrite_files:\n- path: /a\n  permissions: 0644\n",
            "permissions: 0644",
        ),
    ],
)
def test_a_text_that_arrives_as_another_is_found(text: str, line: str) -> None:
    assert found(text) == [("retyped", line)]


@pytest.mark.parametrize(
    "value", ["'0123'", "5", "true", "", "~", "1:30", "web", '""', "|\n      1.10"]
)
def test_a_text_that_arrives_as_it_is_is_not_found(value: str) -> None:
    assert found(f"{GOOD}  environment:\n    A: {value}\n") == []


def test_no_value_of_a_variable_is_shown() -> None:
    text = with_environment("PASSWORD: 0xC0FFEE\nOTHER: [hidden]\nA: ${hidden-1}")
    for finding in judged(text):
        assert "C0FFEE" not in finding.reason + finding.mend
        assert "hidden" not in finding.reason.replace("${hidden}", "")
