from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from rancheros_ec2_metadata.hosts import files
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.found import find, read_file
from rancheros_ec2_metadata.hosts.rancheros.release import UNKNOWN

BOOT = f"{paths.CLOUD_CONFIG_D}/boot.yml"


def put(root: Path, path: str, content: bytes = b"a: b\n") -> Path:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def loaded(root: Path) -> list[str]:
    """Return the names in cloud-config.d that are loaded, in their order."""
    return [path.rpartition("/")[2] for path in paths.list_drop_ins(find(root, UNKNOWN)[0].disk)]


def test_every_file_that_decides_something_is_read(tmp_path: Path) -> None:
    wanted = {
        "/usr/share/ros/os-config.yml": b"1",
        "/usr/share/ros/oem/oem-config.yml": b"2",
        "/var/lib/rancher/conf/cloud-config.d/boot.yml": b"3",
        "/var/lib/rancher/conf/cloud-config.yml": b"4",
        "/var/lib/rancher/conf/.ec2-metadata.json": b"5",
        "/var/lib/rancher/conf/metadata": b"9",
        "/var/lib/rancher/conf/cloud-config-script": b"10",
        "/proc/cmdline": b"8",
    }
    for path, content in wanted.items():
        put(tmp_path, path, content)
    put(tmp_path, "/var/lib/rancher/conf/network.yml")
    found, _ = find(tmp_path, UNKNOWN)
    assert found.disk == wanted
    assert found.unreadable == {}


def test_the_machines_folders_are_below_host_where_they_are_mounted(tmp_path: Path) -> None:
    put(tmp_path, f"/host{paths.CLOUD_CONFIG}", b"mine")
    put(tmp_path, paths.CLOUD_CONFIG, b"of the image")
    put(tmp_path, paths.DAEMON_JSON, b"{}")
    put(tmp_path, "/var/lib/rancher/configuration", b"x")
    assert find(tmp_path, UNKNOWN)[0].disk == {paths.CLOUD_CONFIG: b"mine"}
    assert read_file(tmp_path, paths.DAEMON_JSON) == b"{}"
    assert paths.locate(tmp_path, "/var/lib/rancher/configuration").read_bytes() == b"x"


def test_cloud_config_d_is_loaded_whatever_the_suffix_in_byte_order(tmp_path: Path) -> None:
    folder = tmp_path / paths.CLOUD_CONFIG_D.lstrip("/")
    for name in ("b.yml", "B", "a.yml.tmp", "x~", "é", ".hidden"):
        put(tmp_path, f"{paths.CLOUD_CONFIG_D}/{name}")
    (folder / "folder").mkdir()
    assert loaded(tmp_path) == ["B", "a.yml.tmp", "b.yml", "x~", "é"]


def test_a_name_that_is_no_utf_8_has_its_place_too(tmp_path: Path) -> None:
    raw = [b"a.yml", "\U0001f600".encode(), b"\xff.yml"]
    for name in raw:
        put(tmp_path, f"{paths.CLOUD_CONFIG_D}/{os.fsdecode(name)}")
    assert [os.fsencode(name) for name in loaded(tmp_path)] == raw


@pytest.mark.parametrize("error", ["scandir", "open"])
def test_what_the_system_denies_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    put(tmp_path, BOOT)

    def denied(path: Path, *_: object) -> NoReturn:
        raise PermissionError(13, "Permission denied") if path.exists() else FileNotFoundError

    monkeypatch.setattr(os, error, lambda path, *flags: denied(Path(path), *flags))
    denies = paths.CLOUD_CONFIG_D if error == "scandir" else BOOT
    found, _ = find(tmp_path, UNKNOWN)
    assert (found.disk, found.unreadable) == ({}, {denies: "Permission denied"})


def test_what_is_no_file_is_said_and_does_not_hang_the_boot(tmp_path: Path) -> None:
    folder = put(tmp_path, BOOT).parent
    (tmp_path / paths.CLOUD_CONFIG.lstrip("/")).mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "gone").symlink_to("/home/rancher/not-mounted.yml")
    (folder / "loop").symlink_to("loop")
    (folder / "folder").symlink_to("/var")
    assert find(tmp_path, UNKNOWN)[0].unreadable == {
        paths.CLOUD_CONFIG: "a folder stands where a file should be",
        f"{paths.CLOUD_CONFIG_D}/fifo": "it is not a regular file",
        f"{paths.CLOUD_CONFIG_D}/gone": "a symbolic link to something that is not mounted here",
        f"{paths.CLOUD_CONFIG_D}/loop": os.strerror(errno.ELOOP),
        f"{paths.CLOUD_CONFIG_D}/folder": "a folder stands where a file should be",
    }


@pytest.mark.parametrize("path", [paths.CLOUD_CONFIG_D, paths.CONF])
def test_a_file_in_the_place_of_a_folder_is_said(tmp_path: Path, path: str) -> None:
    put(tmp_path, path)
    found, _ = find(tmp_path, UNKNOWN)
    assert (found.disk, found.unreadable) == ({}, {paths.CLOUD_CONFIG_D: "Not a directory"})


def test_a_file_beyond_the_limit_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SIZE_LIMIT", 1024**2)
    put(tmp_path, BOOT, b"#" * 1024**2)
    put(tmp_path, paths.CLOUD_CONFIG, b"#" * (1024**2 + 1))
    found, _ = find(tmp_path, UNKNOWN)
    assert set(found.disk) == {BOOT}
    assert found.unreadable == {paths.CLOUD_CONFIG: "it is larger than 1 MiB"}


def test_links_are_followed_from_the_machines_root(tmp_path: Path) -> None:
    put(tmp_path, "/home/rancher/mine.yml", b"mine: 1")
    folder = put(tmp_path, f"{paths.CLOUD_CONFIG_D}/a").parent
    (folder / "absolute").symlink_to("/home/rancher/mine.yml")
    (folder / "relative").symlink_to("../../../../../home/rancher/mine.yml")
    (folder / "chain").symlink_to("absolute")
    found, _ = find(tmp_path, UNKNOWN)
    for name in ("absolute", "relative", "chain"):
        assert found.disk[f"{paths.CLOUD_CONFIG_D}/{name}"] == b"mine: 1"


def test_no_content_is_in_the_repr(tmp_path: Path) -> None:
    put(tmp_path, paths.CLOUD_CONFIG, b"private: key")
    assert "private" not in repr(find(tmp_path, UNKNOWN)[0])
