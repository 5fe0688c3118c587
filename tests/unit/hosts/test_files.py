from __future__ import annotations

import os
from pathlib import Path

import pytest

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import DeadlineError, FilesError
from rancheros_ec2_metadata.hosts.files import ChangedError, FileChange, Files
from rancheros_ec2_metadata.hosts.rancheros import paths

CONF = paths.CONF.lstrip("/")
DROP_IN = paths.DROP_IN.lstrip("/")
CLOUD_CONFIG = paths.CLOUD_CONFIG.lstrip("/")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / CONF).mkdir(parents=True)
    return tmp_path


def store(root: Path, *, dry: bool = False) -> Files:
    return Files(lambda path: root / path.lstrip("/"), dry=dry)


def files(root: Path) -> list[str]:
    return sorted(str(file.relative_to(root / CONF)) for file in (root / CONF).rglob("*"))


def test_a_users_file_keeps_its_mode_and_extended_attributes(root: Path) -> None:
    (root / CLOUD_CONFIG).write_bytes(b"old")
    (root / CLOUD_CONFIG).chmod(0o620)
    attributes = {"user.note": b"mine"}
    try:
        os.setxattr(root / CLOUD_CONFIG, "user.note", b"mine")
    except OSError:  # this file system has none
        attributes = {}
    store(root).write(FileChange(paths.CLOUD_CONFIG, b"old", b"new", keeps_attributes=True))
    there = os.listxattr(root / CLOUD_CONFIG) if attributes else []
    assert {name: os.getxattr(root / CLOUD_CONFIG, name) for name in there} == attributes
    assert (root / CLOUD_CONFIG).read_bytes() == b"new"
    assert (root / CLOUD_CONFIG).stat().st_mode & 0o777 == 0o620


def test_a_file_that_is_not_as_planned_from_is_left_alone(root: Path) -> None:
    (root / CLOUD_CONFIG).write_bytes(b"theirs")
    for change in (
        FileChange(paths.CLOUD_CONFIG, b"old", b"new"),
        FileChange(paths.CLOUD_CONFIG, b"old", None),
        FileChange(paths.CLOUD_CONFIG, None, b"new"),
        FileChange(paths.STATE, b"old", b"new"),
    ):
        with pytest.raises(ChangedError):
            store(root).write(change)
    assert files(root) == ["cloud-config.yml"]
    assert (root / CLOUD_CONFIG).read_bytes() == b"theirs"


def test_a_link_planted_as_the_temporary_file_is_not_written_through(root: Path) -> None:
    victim = root / "victim"
    victim.write_bytes(b"old")
    (root / CONF / ".ec2-metadata.tmp.cloud-config.yml").symlink_to(victim)
    store(root).write(FileChange(paths.CLOUD_CONFIG, None, b"new"))
    assert victim.read_bytes() == b"old"
    assert not (root / CLOUD_CONFIG).is_symlink()


def test_nothing_is_removed_through_a_link_in_the_folders_place(root: Path) -> None:
    (root / "elsewhere").mkdir()
    there = [root / "elsewhere" / name for name in (paths.DROP_IN_NAME, ".ec2-metadata.tmp.x")]
    for file in there:
        file.write_bytes(b"old")
    (root / paths.CLOUD_CONFIG_D.lstrip("/")).symlink_to(root / "elsewhere")
    store(root).sweep(paths.CLOUD_CONFIG_D)
    with store(root).lock(paths.CONF, Limit.after(1, Clock()), "mount it"):
        with pytest.raises(FilesError, match="symbolic link"):
            store(root).write(FileChange(paths.DROP_IN, b"old", None))
        assert [file.read_bytes() for file in there] == [b"old", b"old"]


def test_what_is_written_while_we_write_is_not_lost(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ros` takes no lock, and may write when our new text is on the disk already."""
    (root / CLOUD_CONFIG).write_bytes(b"old")
    fsync = os.fsync

    def meanwhile(handle: int) -> None:
        fsync(handle)
        (root / CLOUD_CONFIG).write_bytes(b"theirs")

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(ChangedError):
        store(root).write(FileChange(paths.CLOUD_CONFIG, b"old", b"new"))
    assert (root / CLOUD_CONFIG).read_bytes() == b"theirs"
    assert files(root) == ["cloud-config.yml"]


def test_a_file_is_on_the_disk_before_its_name_and_its_name_before_the_next_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a loss of power leaves is as whole as what SIGKILL leaves."""
    done: list[str] = []
    fsync, replace, unlink = os.fsync, os.replace, Path.unlink

    def name(path: str | Path) -> str:
        return str(path).rpartition("/")[2]

    def synced(handle: int) -> None:
        there = Path(f"/proc/self/fd/{handle}").readlink()
        assert there.is_dir() or there.read_bytes() == b"new"
        fsync(handle)
        done.append(f"synced {name(there)}")

    def replaced(source: Path, target: Path) -> None:
        assert source.read_bytes() == b"new"
        replace(source, target)
        done.append(f"replaced {name(target)}")

    def unlinked(path: Path, *, missing_ok: bool = False) -> None:
        if path.exists():
            done.append(f"removed {name(path)}")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(Path, "unlink", unlinked)
    store(root).write(FileChange(paths.STATE, None, b"new"))
    store(root).write(FileChange(paths.STATE, b"new", None))
    store(root).write(FileChange(paths.DROP_IN, None, b"new"))
    store(root).write(FileChange(paths.DROP_IN, b"new", b"new"))
    drop_in = (
        *("synced .ec2-metadata.tmp.zz-ec2-metadata.yml", "replaced zz-ec2-metadata.yml"),
        "synced cloud-config.d",
    )
    assert done == [
        *("synced .ec2-metadata.tmp.ec2-metadata.json", "replaced .ec2-metadata.json"),
        *("synced conf", "removed .ec2-metadata.json", "synced conf"),
        *("synced conf", *drop_in),  # the folder is new, and a name too
        *drop_in,
    ]


def test_what_a_killed_run_has_left_is_swept_away_and_nothing_else(root: Path) -> None:
    (root / paths.CLOUD_CONFIG_D.lstrip("/")).mkdir()
    for name in (".ec2-metadata.tmp.x", "cloud-config.d/.ec2-metadata.tmp.y", ".other", "z"):
        (root / CONF / name).write_text("x")
    store(root, dry=True).sweep(paths.CONF)
    assert len(files(root)) == 5
    for folder in (paths.CONF, paths.CLOUD_CONFIG_D):
        store(root).sweep(folder)
    assert files(root) == [".other", "cloud-config.d", "z"]


def test_what_only_looks_waits_for_its_turn_and_holds_up_nobody(root: Path) -> None:
    at_once = Limit.after(0, Clock())
    with (
        store(root, dry=True).lock(paths.CONF, at_once, "mount it"),
        store(root).lock(paths.CONF, at_once, "mount it"),
        pytest.raises(DeadlineError, match="another run"),
        store(root, dry=True).lock(paths.CONF, at_once, "mount it"),
    ):
        pass


def test_contents_are_in_no_repr() -> None:
    assert "secret" not in repr(FileChange(paths.CLOUD_CONFIG, b"secret", b"secret"))
