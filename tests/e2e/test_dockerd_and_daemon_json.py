"""A real dockerd starts with what is written into daemon.json, and takes it on a signal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from daemon_json_files import KEYS, dockers_member, labels, users_file
from rancheros_ec2_metadata.hosts.systemd import daemon_json, docker_unit
from rancheros_ec2_metadata.hosts.systemd.daemon_json import CannotMergeError
from rancheros_ec2_metadata.hosts.systemd.docker_unit import Docker, DockerUnit
from real_parts import polling
from real_parts.dockerd import Dockerd
from real_parts.namespace import Namespace

pytestmark = pytest.mark.real_parts

LABEL = '{"labels": ["a=1"]}'


@dataclass(frozen=True)
class Running:
    """A dockerd and its daemon.json."""

    dockerd: Dockerd
    file: Path

    def reload(self, text: str) -> None:
        self.file.write_text(text, newline="")
        self.dockerd.namespace.run(["kill", "-HUP", self.pid]).check_returncode()

    @property
    def pid(self) -> str:
        return self.dockerd.namespace.run(["cat", self.dockerd.folder / "pid"]).stdout.strip()

    def labels(self) -> set[str]:
        """Return what the program itself is told."""
        listed = self.dockerd.docker("info", "--format", "{{json .Labels}}")
        return set(json.loads(listed) or ())

    def has_debug(self) -> bool:
        return self.dockerd.docker("info", "--format", "{{.Debug}}") == "true\n"

    def refusal(self, content: bytes, *flags: str) -> str | None:
        """Return why a dockerd would not start with a file; None where it comes so far as to see
        that another one runs."""
        tried = self.file.with_name("tried.json")
        tried.write_bytes(content)
        named = [] if any("--config-file" in flag for flag in flags) else [f"--config-file={tried}"]
        pidfile = self.dockerd.folder / "pid"
        done = self.dockerd.namespace.run(
            ["dockerd", *named, f"--pidfile={pidfile}", "--host=unix:///none/docker.sock", *flags]
        )
        assert done.returncode != 0
        return None if "pid file found" in done.stderr else done.stderr


@pytest.fixture(scope="module")
def running(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    file = tmp_path_factory.mktemp("docker") / "daemon.json"
    file.write_text('{"labels": ["at=start"]}')
    with Dockerd.started(namespace, [f"--config-file={file}"]) as dockerd:
        yield Running(dockerd, file)


def merged(text: str | None, labels: dict[str, str]) -> daemon_json.Merged:
    found = daemon_json.parse_daemon_json(text.encode()) if text is not None else None
    return daemon_json.merge(found, labels, None, clear=False)


@pytest.mark.parametrize("seed", range(6))
def test_dockerd_starts_with_what_is_merged_and_has_its_labels_after_a_reload(
    running: Running, seed: int
) -> None:
    rng = Random(seed)
    pid = running.pid
    for _ in range(10):
        text = users_file(rng, dockers_member).text if rng.random() < 0.9 else None
        ours = merged(text, labels(rng, KEYS[:-1]) or {"a": "1"})
        for one in (ours,) if rng.random() < 0.5 else (ours, merged(text, {})):
            assert one.text is not None or text is None
            if one.text is not None:
                assert running.refusal(one.text.encode()) is None
                running.reload(one.text)
                if "labels" in json.loads(one.text):
                    assert polling.until(running.labels, {*one.items}) == {*one.items}
    assert running.pid == pid


# What dockerd 20.10 does not start with; newer ones differ in the last two groups, where the
# program takes neither (docs/plain-hosts.md).
REFUSED_BY_ALL = (
    b'{"labels": ["a=1", "a=2"]}',
    b'{"labels": ["a"]}',
    b'{"labels": ["com.docker.x=1"]}',
    b'{"labels": ["io.Docker.x=1"]}',
    b'{"labels": {"a": "1"}}',
    b'{"labels": ["a=1"],}',
    b'// mine\n{"labels": ["a=1"]}',
)
REFUSED_BY_OLD = (b"", b"\xef\xbb\xbf" + LABEL.encode(), LABEL.encode("utf-16"))
TAKEN_BY_OLD = (LABEL.encode() + b" x", b'{"labels": ["a=\xff"]}')
TAKEN_BY_ALL = (b'{"labels": ["a=1", "a=1"]}', b'{"labels": null}', b'{"labels": []}', b"{}")


def test_what_some_dockerd_does_not_start_with_is_not_merged(running: Running) -> None:
    for raw in (*REFUSED_BY_ALL, *REFUSED_BY_OLD, *TAKEN_BY_OLD):
        assert (running.refusal(raw) is None) is (raw in TAKEN_BY_OLD), raw
        with pytest.raises(CannotMergeError):
            daemon_json.parse_daemon_json(raw)
    for raw in TAKEN_BY_ALL:
        assert running.refusal(raw) is None
        after = merged(raw.decode(), {"b": "2"}).text or ""
        assert running.refusal(after.encode()) is None
    # No mark of ours could be in it.
    assert "don't match any configuration option: x-ours" in (
        running.refusal(b'{"x-ours": 1}') or ""
    )


def test_a_flag_beside_the_list_stops_docker_and_is_refused(
    running: Running, tmp_path: Path
) -> None:
    for content in (LABEL, '{"labels": []}', '{"labels": null}'):
        assert "labels: (from flag" in (running.refusal(content.encode(), "--label=b=2") or "")
    assert running.refusal(b"{}", "--label=b=2") is None
    assert running.refusal(b"{}", "--config-file=/none/daemon.json") is not None
    for flag in ("--label=b=2", "--label", "--config-file=/none/daemon.json"):
        unit = DockerUnit("loaded", "inactive", ("dockerd", flag, "b=2"))
        assert docker_unit.find_other_labels(unit, tmp_path) is not None
    assert Docker().find_refusal(DockerUnit(command=("dockerd",)), b"{") is None


def test_on_a_signal_an_absent_key_keeps_the_labels_and_an_empty_list_clears_them(
    running: Running,
) -> None:
    pid = running.pid
    running.reload('{"labels": ["a=1", "b=2"]}')
    assert polling.until(running.labels, {"a=1", "b=2"}) == {"a=1", "b=2"}
    # That a file has been read is seen by another key of it.
    for is_on in (True, False):
        running.reload('{"labels": ["a=3", "a=4"]}')
        running.reload(f'{{"debug": {str(is_on).lower()}}}')
        assert polling.until(running.has_debug, is_on) is is_on
        assert running.labels() == {"a=1", "b=2"}
    running.reload('{"labels": []}')
    empty: set[str] = set()
    assert polling.until(running.labels, empty) == empty
    running.file.unlink()
    running.reload(LABEL)
    assert polling.until(running.labels, {"a=1"}) == {"a=1"}
    assert running.pid == pid


def test_docker_starts_with_a_file_of_ours_alone(namespace: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    hostile = {"docker.é": "日\n\0", 'docker."': "\\", "docker.$x": "$(x)", "docker.empty": ""} | {
        "docker.home": "~",
        "docker.long": "x" * 256,
    }
    text = merged(None, hostile).text or ""
    file.write_text(text)
    with Dockerd.started(namespace, [f"--config-file={file}"]) as dockerd:
        assert dockerd.labels() == hostile
