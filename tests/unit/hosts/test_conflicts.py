from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest

from rancheros_ec2_metadata.hosts.rancheros import conflicts, paths
from rancheros_ec2_metadata.hosts.rancheros.ros import Answers

WITH_LABELS = b'{"labels": ["a=b"]}'
LABELS = {"docker.role": "web", "docker.x": "y"}
Entries = list[Any]


def answers(entries: Entries, runcmd: list[Any] | None = None, **docker: Any) -> Answers:
    return Answers({"docker": docker}, list(entries), runcmd or [], "")


def blocks(entries: Entries, files: dict[str, bytes], **docker: Any) -> bool:
    """Tell whether Docker's configuration file has labels when Docker starts."""
    said = answers(entries, **docker)
    path = conflicts.find_daemon_json(said, said.arguments("extra_args"), "shell")
    content = conflicts.read_as_it_will_be(said, files.get, path)
    return content is not None and conflicts.has_labels(content)


def entry(content: bytes, encoding: str = "", path: str = paths.DAEMON_JSON) -> dict[str, str]:
    for step in encoding.split("+"):
        if step in ("gz", "gzip"):
            content = gzip.compress(content, mtime=0)
        elif step in ("b64", "base64"):
            content = base64.b64encode(content)
    return {"path": path, "content": content.decode("ascii"), "encoding": encoding}


@pytest.mark.parametrize(
    "content",
    [
        b'{"labels": []}',
        b'\n {"labels": []}\n}\n',
        b'{"labels": ["a=caf\xe9"]}',
        b'{"put aside": {"labels": ["a=b"]}}',
        b'\xef\xbb\xbf{"labels": []}',
        '{"labels": ["a=b"]}'.encode("utf-16"),
        b"\xfe\xff" + '{"labels": ["a=b"]}'.encode("utf-16-be"),
    ],
)
def test_all_labels_count_that_docker_reads_there(content: bytes) -> None:
    assert blocks([], {paths.DAEMON_JSON: content})


@pytest.mark.parametrize(
    "content",
    [
        *(b"{}", b"[]", b"", b"{labels", b'"labels"', b"[" * 100_000),
        *(b'{"log-opts": {"labels": "docker.role"}}', b'{"a": {"b": {"labels": []}}}'),
    ],
)
def test_a_daemon_json_without_labels_is_no_obstacle(content: bytes) -> None:
    assert not blocks([], {paths.DAEMON_JSON: content})


CORRUPT = base64.b64encode(gzip.compress(WITH_LABELS, mtime=0)[:10] + b"\xff" * 20).decode()
BOMB = base64.b64encode(gzip.compress(b" " * 100_000_000, mtime=0)).decode()
ENCODINGS = ("", "b64", "base64", "gz+b64", "gzip+base64", "gz+base64")
THERE = {paths.DAEMON_JSON: WITH_LABELS}


def broken(content: str, encoding: str) -> dict[str, str]:
    return {"path": paths.DAEMON_JSON, "content": content, "encoding": encoding}


@pytest.mark.parametrize(
    ("entries", "files", "blocked"),
    [
        *[([entry(WITH_LABELS, encoding)], {}, True) for encoding in ENCODINGS],
        *[([entry(WITH_LABELS), entry(b"{}", encoding)], THERE, False) for encoding in ENCODINGS],
        ([entry(WITH_LABELS, path="/etc/another.json")], {}, False),
        ([entry(WITH_LABELS), entry(b"{}", path="/etc/motd")], {}, True),
        ([entry(WITH_LABELS, path="etc/docker/daemon.json")], {}, True),
        ([entry(WITH_LABELS, path="//etc/./docker//daemon.json")], {}, True),
        ([{**entry(b"{}"), "container": "ntp"}], THERE, True),
        ([{**entry(WITH_LABELS), "container": "ntp"}], {}, False),
        ([{**entry(WITH_LABELS), "container": "console"}], {}, True),
        # What cannot be decoded is not written: what was there stays.
        *[([broken(text, "gz+b64")], {}, False) for text in ("!", "AAAA", CORRUPT, CORRUPT[:16])],
        *[([broken("{}", how)], THERE, True) for how in ("b64", "gz+b64", "rot13")],
        ([entry(WITH_LABELS), broken("{}", "b64")], {}, True),
        ([broken(BOMB, "gz+b64")], {}, False),
    ],
)
def test_dockers_configuration_file_is_looked_at_as_the_console_will_leave_it(
    entries: Entries, files: dict[str, bytes], *, blocked: bool
) -> None:
    assert blocks(entries, files) is blocked


@pytest.mark.parametrize(
    "docker",
    [
        {"config_file": "/opt/d.json"},
        {"extra_args": ["--config-file=/opt/d.json"]},
        {"extra_args": ["--config-file '/opt/d.json'"]},
    ],
)
def test_dockers_configuration_file_is_the_one_it_will_read(docker: dict[str, Any]) -> None:
    assert blocks([entry(WITH_LABELS, path="/opt/d.json")], {}, **docker)
    assert not blocks([], THERE, **docker)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('DOCKER_OPTS="--label=docker.role=db"', True),
        ("DOCKER_OPTS='-D --label docker.role=db'", True),
        ("export DOCKER_OPTS=--label=docker.role=db", True),
        ('A=b\n  DOCKER_OPTS+=" --label=docker.role=db"', True),
        ('DOCKER_OPTS="--label=docker.role=db', True),
        ('DOCKER_OPTS="--debug \\\n  --label=docker.role=db"', True),
        ('DOCKER_OPTS="--debug\n--label \\\n docker.role=db"', True),
        ('if true; then DOCKER_OPTS="--label=docker.role=db"; fi', True),
        ('OPTS=--label=docker.role=db\nDOCKER_OPTS="$OPTS --debug"', True),
        ("DOCKER_OPTS='--la''bel=docker.role=db'", True),
        ("DOCKER_OPTS=--label='docker.role=db'", True),
        ("DOCKER_OPTS=--label=$'docker.role=db'", True),
        ("DOCKER_OPTS=\"--label=docker.role='web'\"", True),
        ("DOCKER_OPTS=--label=docker.role=web", False),
        ("# DOCKER_OPTS=--label=docker.role=db", False),
        ("A=b # DOCKER_OPTS=--label=docker.role=db", False),
    ],
)
def test_a_label_that_docker_opts_sets_otherwise_is_found(script: str, *, found: bool) -> None:
    keys = conflicts.find_docker_opts_labels(script.encode(), LABELS)
    assert keys == ({"docker.role"} if found else set())


@pytest.mark.parametrize(
    ("runcmd", "script", "warned"),
    [
        ([["ros", "config", "set", "rancher.docker.tls", "true"]], None, ["runcmd"]),
        ([{"SliceValue": [], "StringValue": "echo rancher.docker"}], None, ["runcmd"]),
        (["ros config merge <<E\nrancher:\n  docker: {tls: true}\nE"], None, ["runcmd"]),
        ([], b"#!/bin/sh\nros config set rancher.docker.extra_args x\n", ["script"]),
        ([], b"#!/bin/sh\nfor k in extra_args; do ros c set $P.$k x; done\n", ["script"]),
        ([], b"#!/bin/sh\nros config merge <<E\nrancher:\n  docker:\n    tls: true\n", ["script"]),
        ([["echo"]], b"#!/bin/sh\necho\n", []),
    ],
)
def test_what_changes_dockers_arguments_after_the_run_is_warned_of(
    runcmd: list[Any], script: bytes | None, warned: list[str]
) -> None:
    notes = list(conflicts.find_later_changes(answers([], runcmd), script))
    assert len(notes) == len(warned)
    assert all(word in note.text for word, note in zip(warned, notes, strict=True))
