"""What other tests rely on in the stand-in for ``ros`` that the recorded answers do not show."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ros_stand_in.answers import answer
from ros_stand_in.in_effect import UnreadableError, docker_arguments, dockerd_argv, in_effect
from ros_stand_in.loading import CONF, Disk
from ros_stand_in.root_folder import machine, read_disk, reserialised
from ros_stand_in.yaml_reading import UnusableError, read_map

CLOUD_CONFIG = f"{CONF}/cloud-config.yml".lstrip("/")


def disk(**files: str) -> Disk:
    return Disk({f"cloud-config.d/{name}.yml": text.encode() for name, text in files.items()})


def test_the_system_writes_cloud_config_anew(tmp_path: Path) -> None:
    text = "# mine\nrancher:\n  docker: {extra_args: [--host=$private_ipv4, 0123]}\n"
    machine(tmp_path, "v1.5.8", {"cloud-config.yml": text})
    reserialised(tmp_path, {"rancher": {"docker": {"tls": True}, "console": "x"}})
    file = tmp_path / CLOUD_CONFIG
    assert file.read_text() == (
        "rancher:\n  console: x\n  docker:\n    extra_args:\n    - --host=$private_ipv4\n    - 83\n"
        "    tls: true\n"
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o620
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_folder_where_a_file_should_be_is_left_out(tmp_path: Path) -> None:
    machine(tmp_path, "v1.5.8", {"cloud-config.d/a": "rancher: {environment: {A: a}}"})
    (tmp_path / CLOUD_CONFIG).mkdir()
    found = answer(read_disk(tmp_path), "v1.5.8", ["config", "get", "rancher.environment"])
    assert "A: a\n" in found.stdout
    assert "Failed to read config file" in found.stderr


def test_variables_of_a_service_change_places_from_call_to_call() -> None:
    boot = disk(boot="rancher: {services: {a: {environment: {A: 1, B: b}}}}")
    ask = ["config", "get", "rancher.services.a.environment"]
    answers = {answer(boot, "v1.5.8", ask).stdout for _ in range(200)}
    assert answers == {"- A=1\n- B=b\n\n", "- B=b\n- A=1\n\n"}


@pytest.mark.parametrize(
    ("release", "status", "items"),
    [("v0.4.5", 0, ["--debug"]), ("v0.9.2", 0, []), ("v1.0.4", 255, None), ("v1.5.8", 255, None)],
)
def test_a_wrongly_typed_command_line_costs_everything_or_nothing(
    release: str, status: int, items: list[str] | None, tmp_path: Path
) -> None:
    machine(
        tmp_path,
        release,
        {"cloud-config.yml": "rancher: {docker: {extra_args: [--debug]}}"},
        "rancher.docker.tls=maybe",
    )
    ask = ["config", "get", "rancher.docker.extra_args"]
    assert answer(read_disk(tmp_path), release, ask).status == status
    if items is None:
        with pytest.raises(UnreadableError):
            in_effect(tmp_path, release)
        assert dockerd_argv(tmp_path, release, tmp_path) is None
    else:
        assert docker_arguments(tmp_path, release) == items


def test_a_service_without_anything_ends_every_call() -> None:
    found = answer(disk(boot="rancher: {services: {a: }}"), "v1.5.8", ["config", "get", "hostname"])
    assert (found.status, found.stdout) == (2, "")


@pytest.mark.parametrize(
    "text",
    [
        "a: [b:c]",
        "{a: b?c}",
        "a: *b",
        "- a",
        "a",
        "%YAML 1.2\n---\na: b",
        "a: \U0001f600",
        b"\xff".decode("latin-1"),
        "",
    ],
)
def test_a_text_that_ros_does_not_take(text: str) -> None:
    with pytest.raises(UnusableError):
        read_map(text)
