from __future__ import annotations

import base64
import gzip
import json

import pytest

from machine import os_config
from rancheros_ec2_metadata.errors import ExitStatus, Note, worst
from rancheros_ec2_metadata.plan import blocked
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import Layers, stack

WITH_LABELS = b'{"labels": ["a=b"]}'
BOOT = f"{paths.CLOUD_CONFIG_D}/boot.yml"
LABELS = {"docker.role": "web", "docker.x": "y"}


def layers(disk: Disk) -> Layers:
    return stack(disk, releases.of(disk))


def judged(files: dict[str, bytes], **unreadable: str) -> tuple[dict[str, str], list[Note]]:
    disk = Disk({paths.OS_CONFIG: os_config().encode(), **files}, unreadable)
    return blocked.allowed(disk, layers(disk), LABELS, "shell")


def write_files(*entries: dict[str, str]) -> dict[str, bytes]:
    return {BOOT: json.dumps({"write_files": entries}).encode()}


def entry(content: bytes, encoding: str = "", path: str = paths.DAEMON_JSON) -> dict[str, str]:
    for step in encoding.split("+"):
        if step in ("gz", "gzip"):
            content = gzip.compress(content)
        elif step in ("b64", "base64"):
            content = base64.b64encode(content)
    return {"path": path, "content": content.decode("ascii"), "encoding": encoding}


def test_labels_in_daemon_json_stop_docker_beside_ours_so_none_is_set() -> None:
    free, notes = judged({paths.DAEMON_JSON: WITH_LABELS})
    assert free == {}
    assert worst(note.status for note in notes) is ExitStatus.FILES
    assert paths.DAEMON_JSON in notes[0].text
    assert "rancher.docker.extra_args" in notes[0].text


@pytest.mark.parametrize(
    "content",
    [
        b'{"labels": []}',
        b'\n {"labels": []}\n}\n',
        b'{"labels": ["a=caf\xe9"]}',
        b'{"put aside": {"labels": ["a=b"]}}',
        b'\xef\xbb\xbf{"labels": []}',
    ],
    ids=["an empty list", "something behind it", "no UTF-8", "a map that is no option", "a mark"],
)
def test_all_labels_count_that_docker_reads_there(content: bytes) -> None:
    assert judged({paths.DAEMON_JSON: content})[0] == {}


@pytest.mark.parametrize(
    "content",
    [
        *(b"{}", b"[]", b"", b"{labels", b'"labels"', b"[" * 100_000),
        *(b'{"log-opts": {"labels": "docker.role"}}', b'{"a": {"b": {"labels": []}}}'),
    ],
)
def test_a_daemon_json_without_labels_is_no_obstacle(content: bytes) -> None:
    assert judged({paths.DAEMON_JSON: content}) == (LABELS, [])


@pytest.mark.parametrize("encoding", ["", "b64", "base64", "gz+b64", "gzip+base64", "gz+base64"])
def test_a_daemon_json_that_the_console_will_write_is_looked_at_as_it_will_be(
    encoding: str,
) -> None:
    assert judged(write_files(entry(WITH_LABELS, encoding)))[0] == {}
    plain = write_files(entry(WITH_LABELS), entry(b"{}", encoding))
    assert judged({**plain, paths.DAEMON_JSON: WITH_LABELS})[0] == LABELS


def test_an_entry_for_another_file_says_nothing_of_daemon_json() -> None:
    another = entry(WITH_LABELS, path="/etc/another.json")
    assert judged(write_files(another)) == (LABELS, [])
    assert judged(write_files(entry(WITH_LABELS), entry(b"{}", path="/etc/motd")))[0] == {}


@pytest.mark.parametrize("path", ["etc/docker/daemon.json", "//etc/./docker//daemon.json"])
def test_an_entry_is_for_the_file_that_the_console_makes_of_its_path(path: str) -> None:
    assert judged(write_files(entry(WITH_LABELS, path=path)))[0] == {}


def test_an_entry_for_another_container_says_nothing_of_the_consoles_file() -> None:
    elsewhere = {**entry(b"{}"), "container": "ntp"}
    assert judged({**write_files(elsewhere), paths.DAEMON_JSON: WITH_LABELS})[0] == {}
    assert judged(write_files({**entry(WITH_LABELS), "container": "ntp"})) == (LABELS, [])
    assert judged(write_files({**entry(WITH_LABELS), "container": "console"}))[0] == {}


CORRUPT = base64.b64encode(gzip.compress(WITH_LABELS, mtime=0)[:10] + b"\xff" * 20).decode()


@pytest.mark.parametrize("content", ["!", "AAAA", CORRUPT, CORRUPT[:16]])
def test_an_entry_that_cannot_be_decoded_is_no_obstacle(content: str) -> None:
    broken = {"path": paths.DAEMON_JSON, "content": content, "encoding": "gz+b64"}
    assert judged(write_files(broken))[0] == LABELS


@pytest.mark.parametrize("encoding", ["b64", "gz+b64", "rot13"])
def test_an_entry_that_cannot_be_decoded_leaves_the_file_that_was_there(encoding: str) -> None:
    broken = {"path": paths.DAEMON_JSON, "content": "{}", "encoding": encoding}
    assert judged({**write_files(broken), paths.DAEMON_JSON: WITH_LABELS})[0] == {}
    assert judged(write_files(entry(WITH_LABELS), broken))[0] == {}


def test_a_gzip_bomb_is_not_unpacked_whole() -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    coded = {"path": paths.DAEMON_JSON, "content": base64.b64encode(bomb).decode()}
    assert judged(write_files({**coded, "encoding": "gz+b64"}))[0] == LABELS


@pytest.mark.parametrize(
    "config",
    [
        {"config_file": "/opt/d.json"},
        {"extra_args": ["--config-file=/opt/d.json"]},
        {"extra_args": ["--config-file '/opt/d.json'"]},
    ],
)
def test_dockers_configuration_file_is_the_one_it_will_read(config: dict[str, object]) -> None:
    tree = {"rancher": {"docker": config}, "write_files": [entry(WITH_LABELS, path="/opt/d.json")]}
    assert judged({BOOT: json.dumps(tree).encode()})[0] == {}
    assert judged({BOOT: json.dumps(tree).encode(), paths.DAEMON_JSON: WITH_LABELS})[0] == {}
    elsewhere = {"rancher": {"docker": config}}
    free, _ = judged({BOOT: json.dumps(elsewhere).encode(), paths.DAEMON_JSON: WITH_LABELS})
    assert free == LABELS


@pytest.mark.parametrize(
    "line",
    [
        'DOCKER_OPTS="--label=docker.role=db"',
        "DOCKER_OPTS='-D --label docker.role=db'",
        "export DOCKER_OPTS=--label=docker.role=db",
        'A=b\n  DOCKER_OPTS+=" --label=docker.role=db"',
        'DOCKER_OPTS="--label=docker.role=db',
        'DOCKER_OPTS="--debug \\\n  --label=docker.role=db"',
        'DOCKER_OPTS="--debug\n--label \\\n docker.role=db"',
        'if true; then DOCKER_OPTS="--label=docker.role=db"; fi',
        'OPTS=--label=docker.role=db\nDOCKER_OPTS="$OPTS --debug"',
        "DOCKER_OPTS='--la''bel=docker.role=db'",
    ],
)
def test_a_label_that_docker_opts_sets_otherwise_is_left_out_alone(line: str) -> None:
    free, notes = judged({paths.DOCKER_OPTS: line.encode()})
    assert free == {"docker.x": "y"}
    assert worst(note.status for note in notes) is ExitStatus.FILES
    assert "'docker.role'" in notes[0].text


def test_the_same_label_there_is_no_obstacle() -> None:
    assert judged({paths.DOCKER_OPTS: b"DOCKER_OPTS=--label=docker.role=web"})[0] == LABELS


@pytest.mark.parametrize("line", ["# {}", "A=b # {}", "\t#{}"])
def test_a_label_in_a_comment_of_that_file_is_no_obstacle(line: str) -> None:
    content = line.format("DOCKER_OPTS=--label=docker.role=db")
    assert judged({paths.DOCKER_OPTS: content.encode()})[0] == LABELS


def test_docker_opts_from_user_data_count_too() -> None:
    content = b"DOCKER_OPTS=--label=docker.role=db\n"
    free, _ = judged(write_files(entry(content, path=paths.DOCKER_OPTS)))
    assert free == {"docker.x": "y"}


def test_a_layer_that_cannot_be_read_may_hold_arguments_so_no_list_is_written() -> None:
    disk = Disk({paths.OS_CONFIG: os_config().encode()}, {BOOT: "Permission denied"})
    free, notes = blocked.allowed(disk, layers(disk), LABELS, "shell")
    assert free == {}
    assert worst(note.status for note in notes) is ExitStatus.FILES
    assert "boot.yml" in notes[0].text


def test_a_runcmd_that_sets_dockers_arguments_is_warned_about() -> None:
    disk = Disk({BOOT: b"runcmd:\n- [ros, config, set, rancher.docker.tls, true]\n"})
    assert "runcmd" in blocked.runs_after_us(layers(disk))[0].text
    assert blocked.runs_after_us(layers(Disk({BOOT: b"runcmd:\n- [echo]\n"}))) == []
