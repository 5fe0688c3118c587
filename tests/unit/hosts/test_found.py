from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.hosts import files
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.found import find, read_file
from rancheros_ec2_metadata.hosts.rancheros.release import UNKNOWN

if TYPE_CHECKING:
    import pytest

BOOT = f"{paths.CLOUD_CONFIG_D}/boot.yml"


def put(root: Path, path: str, content: bytes = b"a: b\n") -> Path:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


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


def test_an_empty_machine_has_nothing(tmp_path: Path) -> None:
    found, _ = find(tmp_path, UNKNOWN)
    assert (found.disk, found.unreadable) == ({}, {})


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
    names = [
        path.rpartition("/")[2] for path in paths.list_drop_ins(find(tmp_path, UNKNOWN)[0].disk)
    ]
    assert names == ["B", "a.yml.tmp", "b.yml", "x~", "é"]


def test_a_name_that_is_no_utf_8_has_its_place_too(tmp_path: Path) -> None:
    raw = [b"a.yml", "\U0001f600".encode(), b"\xff.yml"]
    for name in raw:
        put(tmp_path, f"{paths.CLOUD_CONFIG_D}/{os.fsdecode(name)}")
    names = [
        path.rpartition("/")[2] for path in paths.list_drop_ins(find(tmp_path, UNKNOWN)[0].disk)
    ]
    assert [os.fsencode(name) for name in names] == raw


def test_a_file_instead_of_the_folder_is_said(tmp_path: Path) -> None:
    put(tmp_path, paths.CLOUD_CONFIG_D)
    assert find(tmp_path, UNKNOWN)[0].unreadable == {paths.CLOUD_CONFIG_D: "Not a directory"}


def test_a_file_instead_of_conf_is_no_conf_folder(tmp_path: Path) -> None:
    put(tmp_path, paths.CONF)
    found, _ = find(tmp_path, UNKNOWN)
    assert found.disk == {}


def test_a_folder_that_cannot_be_listed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, BOOT)

    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    assert find(tmp_path, UNKNOWN)[0].unreadable == {paths.CLOUD_CONFIG_D: "Permission denied"}


def test_a_file_that_cannot_be_opened_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, BOOT)

    def denied(path: Path, flags: int) -> int:
        if Path(path).exists():
            raise PermissionError(13, "Permission denied")
        raise FileNotFoundError

    monkeypatch.setattr(os, "open", denied)
    found, _ = find(tmp_path, UNKNOWN)
    assert found.unreadable == {BOOT: "Permission denied"}
    assert found.disk == {}


def test_a_folder_where_a_file_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / paths.CLOUD_CONFIG.lstrip("/")).mkdir(parents=True)
    assert find(tmp_path, UNKNOWN)[0].unreadable == {
        paths.CLOUD_CONFIG: "a folder stands where a file should be"
    }


def test_a_fifo_does_not_hang_the_boot(tmp_path: Path) -> None:
    file = put(tmp_path, BOOT)
    file.unlink()
    os.mkfifo(file)
    assert find(tmp_path, UNKNOWN)[0].unreadable == {BOOT: "it is not a regular file"}


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


def test_links_that_lead_nowhere_are_said(tmp_path: Path) -> None:
    folder = put(tmp_path, f"{paths.CLOUD_CONFIG_D}/a").parent
    (folder / "gone").symlink_to("/home/rancher/not-mounted.yml")
    (folder / "loop").symlink_to("loop")
    (folder / "folder").symlink_to("/var")
    assert find(tmp_path, UNKNOWN)[0].unreadable == {
        f"{paths.CLOUD_CONFIG_D}/gone": "a symbolic link to something that is not mounted here",
        f"{paths.CLOUD_CONFIG_D}/loop": os.strerror(errno.ELOOP),
        f"{paths.CLOUD_CONFIG_D}/folder": "a folder stands where a file should be",
    }


def test_no_content_is_in_the_repr(tmp_path: Path) -> None:
    put(tmp_path, paths.CLOUD_CONFIG, b"private: key")
    assert "private" not in repr(find(tmp_path, UNKNOWN)[0])
