from __future__ import annotations

import gzip

import pytest

from unit.check.judging import GOOD, SERVICE_FILE, changed, found, judged, with_docker, with_service


def test_nothing_is_found_in_a_good_file_of_any_form() -> None:
    compose = f"#compose\n{SERVICE_FILE}"
    for text in (GOOD, SERVICE_FILE, compose, GOOD.replace("\n", "\r\n")):
        assert found(text) == []


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("", "its first line is not #cloud-config"),
        ("\n#cloud-config\n", "its first line is not #cloud-config"),
        ("# cloud-config\n", "its first line is not #cloud-config"),
        ("Content-Type: multipart/mixed\n", "MIME"),
        ("\ufeff#cloud-config\n", "byte order mark"),
        ("#!/bin/sh\n", "a script"),
    ],
)
def test_a_cloud_config_is_ignored_for_its_first_line(first: str, said: str) -> None:
    (finding,) = judged(changed("#cloud-config\n", first))
    assert (finding.line, finding.rule) == (1, "no-cloud-config")
    assert said in finding.reason


def test_spaces_behind_the_first_line_do_no_harm() -> None:
    assert found(changed("#cloud-config\n", "#cloud-config \t\r\n")) == []


@pytest.mark.parametrize(
    "raw",
    [b"", b"\n", gzip.compress(GOOD.encode(), mtime=0)[:-9], b"#!/bin/sh\n: [\n", b"just words\n"],
)
def test_what_is_no_configuration_is_found_once(raw: bytes) -> None:
    assert [finding.rule for finding in judged(raw)][:1] == ["no-cloud-config"]
    assert len(judged(raw)) == 1 + (raw == b"just words\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (changed("      net: host\n", "      net: [host\n"), "labels:"),
        (changed("net: host", "net: *host"), "net: *host"),
        (changed("net: host", "dns: [a:b]"), "dns: [a:b]"),
        (changed("net: host", "? [a]\n      : b"), "#cloud-config"),
    ],
)
def test_what_ros_cannot_read_is_found_with_its_line(text: str, line: str) -> None:
    assert found(text) == [("not-read", line)]


def test_what_becomes_of_it_is_said() -> None:
    (fatal,) = judged("#cloud-config\n? [a]\n: b\n")
    assert "every call of ros fails" in fatal.reason
    (unknown,) = judged("#cloud-config\na: " + "[" * 200 + "\n")
    assert "this program cannot follow it" in unknown.reason


def test_aliases_that_make_too_much_of_a_file_are_not_followed() -> None:
    bomb = "#cloud-config\na: &a [1,1,1,1,1,1,1,1,1]\n"
    for letter, former in zip("bcdefgh", "abcdefg", strict=True):
        bomb += f"{letter}: &{letter} [{','.join([f'*{former}'] * 9)}]\n"
    chain = "#cloud-config\nx0: &x0 [1]\n"
    chain += "".join(f"x{n + 1}: &x{n + 1} [*x{n}]\n" for n in range(200))
    for text in (bomb + "rancher: {docker: {args: *h}}\n", chain):
        assert [finding.rule for finding in judged(text)] == ["not-read"]


@pytest.mark.parametrize(
    "text",
    [
        changed("DB_HOST", "DÉ_HOST"),
        changed("net: host", "net: host\n      nét: host"),
        changed("net: host", 'user: "€"'),
        "#cloud-config\né: 1\nrancher: {}\n",
    ],
)
def test_characters_that_ros_cannot_read_back_are_found(text: str) -> None:
    assert "characters" in [rule for rule, _ in found(text)]


def test_all_such_characters_are_found_each_with_its_line() -> None:
    text = "#cloud-config\nhostname: é\nwrite_files:\n- path: /€\n"
    assert found(text) == [("characters", "hostname: é"), ("characters", "- path: /€")]


@pytest.mark.parametrize(
    "text",
    [
        GOOD + "# é € 語\n",
        changed("net: host", 'user: "ü"\n      net: host'),
        # ros drops what is under a key that it does not know, before it writes anything out.
        "#cloud-config\nother: €\n",
    ],
)
def test_characters_that_do_no_harm_are_not_found(text: str) -> None:
    assert "characters" not in [rule for rule, _ in found(text)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("#cloud-config\nhostname: [a]\n", "hostname: [a]"),
        ("#cloud-config\nssh_authorized_keys: one\n", "ssh_authorized_keys: one"),
        ("#cloud-config\nwrite_files:\n- path: /a\n- path: [b]\n", "- path: [b]"),
        (with_docker("extra_args: --debug"), "extra_args: --debug"),
        (with_docker("extra_args:\n- a\n- [b]"), "- [b]"),
        (with_docker("tls: maybe"), "tls: maybe"),
        (changed('detach: "false"', "detach: false"), "io.rancher.os.detach: false"),
        (changed("command: [-m", "command: [--deadline, 60, -m"), "command: [--deadline"),
        (changed("net: host", "cap_drop: ALL\n      net: host"), "cap_drop: ALL"),
        (changed("net: host", "net: [host]"), "net: [host]"),
        (with_service("environment:\n  DEBUG: true"), "DEBUG: true"),
        (with_service("environment:\n  DB_HOST:"), "DB_HOST:"),
        (with_service("environment:\n- DB_HOST: x"), "- DB_HOST: x"),
        (with_service("environment: DB_HOST"), "environment: DB_HOST"),
        (with_service("command: it's"), "command: it's"),
        (with_service("entrypoint: a\\"), "entrypoint: a\\"),
        (with_service("dns: 5"), "dns: 5"),
        (with_service("entrypoint: {a: b}"), "entrypoint: {a: b}"),
        (with_service("labels:\n- io.rancher.os.scope: system"), "- io.rancher.os.scope: system"),
    ],
)
def test_one_value_of_a_wrong_type_is_found(text: str, line: str) -> None:
    lines = [there for rule, there in found(text) if rule == "wrong-type"]
    assert len(lines) == 1
    assert lines[0].startswith(line)


@pytest.mark.parametrize(
    "definition",
    [
        'environment:\n  A: "true"\n  B: 5',
        "environment: [DB_HOST]\nports: [80]\nprivileged: true\nmem_limit: 5\nlog_opt: {a: b}",
        "labels: [a=b]\nlinks: [x]\ncommand: run\ndns: 10.0.0.1\nhostname:",
        "labels:\nenvironment:\nvolumes:\nentrypoint:",
    ],
)
def test_values_of_the_right_type_are_not_found(definition: str) -> None:
    assert found(with_service(definition)) == []


def test_in_a_service_file_labels_need_no_quotes_but_must_be_no_lists() -> None:
    assert found(changed('"false"', "false", SERVICE_FILE)) == []
    text = changed('detach: "false"', "detach: [false]", SERVICE_FILE)
    assert ("wrong-type", "io.rancher.os.detach: [false]") in found(text)
    text = SERVICE_FILE + "  environment:\n  - A: 1\n"
    assert found(text) == [("wrong-type", "- A: 1")]


def test_a_second_document_is_found_and_nothing_in_it() -> None:
    assert found(f"{GOOD}---\nhostnme: x\n---\n") == [("several-documents", "---")]


def test_packed_user_data_is_judged_where_the_release_unpacks_it() -> None:
    raw = gzip.compress(changed("net: host", "net: bridge").encode() + b"#" * 20000)
    assert [finding.rule for finding in judged(raw)] == ["net"]
    (finding,) = judged(raw, "v1.4.0")
    assert finding.rule == "no-cloud-config"
    assert "unpacks from v1.4.1 on" in finding.reason


def test_what_ec2_does_not_take_is_found() -> None:
    fill = "#" * (16384 - len(GOOD) - 1) + "\n"
    assert found(GOOD + fill) == []
    assert found(f"{GOOD}#{fill}") == [("too-large", "#cloud-config")]
    assert found(SERVICE_FILE + "#" * 20000) == []
