"""A disk that is full, read-only, or has something else where a file should be."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e import program
from failures import in_process, mounts, timed
from failures.in_process import METADATA, Booted, GivenEc2, found
from failures.scenarios import CLOUD_CONFIG, OURS, contents_of
from hostile_imds import SANE
from machine import MachineDisk
from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.files import SIZE_LIMIT
from rancheros_ec2_metadata.hosts.rancheros import paths

LABEL = "--label=docker.role=web"
USERS = ["--mine", "--label=docker.role=of-the-user"]
VICTIM = b"root:x:0:0\n"


def run(disk: MachineDisk) -> Booted:
    return in_process.run(disk.root, GivenEc2(found({"docker.role": "web"})))


def run_mounted(disk: MachineDisk, mount: str, imds: FakeImds) -> program.Ran:
    """Run with a mount on conf/."""
    variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
    with mounts.mounted(disk.path(paths.CONF), mount) as before:
        return timed.run(disk, deadline=60, variables=variables, before=before).ran


# There is no room for the state, then none for the drop-in, then none for cloud-config.yml beside
# the old one.
@pytest.mark.real_parts
@pytest.mark.parametrize(
    ("pages", "missing"),
    [
        (0, set(OURS)),
        (1, {paths.DROP_IN, paths.CLOUD_CONFIG}),
        (2, {paths.CLOUD_CONFIG}),
    ],
)
def test_on_a_full_disk_each_file_is_old_or_new_and_the_next_run_completes_it(
    disk: MachineDisk, imds: FakeImds, pages: int, missing: set[str]
) -> None:
    before = contents_of(disk.root)
    full = run_mounted(disk, mounts.FULL.format(bytes=pages * 4096), imds)
    left = contents_of(disk.root)
    assert full.status == 5
    first = next(path for path in OURS if path in missing)
    assert full.line(f"error: {first} could not be written: No space left", "it is as it was")
    assert {path for path in OURS if left[path] == before[path]} == missing
    assert list(disk.path(paths.CONF).rglob(".ec2-metadata.tmp.*")) == []
    assert timed.items(disk) == USERS
    again = program.run(disk, imds=imds)
    assert again.status == 0
    assert timed.items(disk) == ["--mine", LABEL]
    assert program.run(disk, imds=imds).log[-1].endswith("wrote no file; exit 0")


@pytest.mark.real_parts
def test_on_a_read_only_disk_nothing_changes_and_the_status_is_5(
    disk: MachineDisk, imds: FakeImds
) -> None:
    before = contents_of(disk.root)
    ran = run_mounted(disk, mounts.READ_ONLY, imds)
    assert ran.status == 5
    assert ran.line(f"error: {paths.STATE} could not be written", "Read-only file system")
    assert ran.log[-1].startswith("status: partial; 0 labels, 0 variables; wrote no file")
    assert contents_of(disk.root) == before


@pytest.mark.real_parts
def test_without_memory_for_the_copy_the_variables_are_set(
    disk: MachineDisk, imds: FakeImds
) -> None:
    before = contents_of(disk.root)[paths.CLOUD_CONFIG]
    memory = shlex.quote(str(disk.root / "dev/shm"))
    ran = run_mounted(disk, f"mount -t tmpfs -o size=4k tmpfs {memory}", imds)
    assert ran.status == 5
    assert ran.line("error: no label is set", "no copy can be made", "No space left on device")
    assert contents_of(disk.root)[paths.CLOUD_CONFIG] == before
    assert timed.environment(disk)["AWS_INSTANCE_ID"] == SANE.instance_id


def unix_socket(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{folder}/{path.name}")  # a path may be too long for it
    finally:
        os.close(folder)


def too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(SIZE_LIMIT + 1)


def dangling(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize("make", [os.mkfifo, unix_socket, too_large, dangling])
@pytest.mark.parametrize("path", [f"{paths.CLOUD_CONFIG_D}/theirs.yml", paths.SAVED_METADATA])
def test_a_layer_that_is_there_and_cannot_be_read_costs_the_labels_not_the_variables(
    disk: MachineDisk, make: Callable[[Path], None], path: str
) -> None:
    make(disk.path(path))
    ran = run(disk)
    assert ran.status == 5
    assert f"error: no label is set: {paths.name_layer(path)} cannot be read" in ran.log
    assert disk.path(paths.CLOUD_CONFIG).read_text() == CLOUD_CONFIG
    assert disk.variables().items() >= METADATA.items()


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "theirs").write_bytes(VICTIM)


def file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_bytes(VICTIM)


def link(path: Path) -> None:
    outside = path.parents[6] / "outside"
    content = path.read_bytes() if path.exists() else VICTIM
    path.unlink(missing_ok=True)
    path.symlink_to("../" * 20 + str(outside).lstrip("/"))
    outside.write_bytes(content)


def dangling_link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/gone")


def link_to_a_folder(path: Path) -> None:
    outside = path.parents[6] / "outside"
    path.rename(outside)
    path.symlink_to(outside)


def everything(folder: Path) -> dict[str, bytes | str | None]:
    """Return what is there, but what runs write: links by where they lead."""
    return {
        str(one): str(one.readlink())
        if one.is_symlink()
        else one.read_bytes()
        if one.is_file()
        else None
        for one in sorted(folder.rglob("*"))
        if not one.name.endswith((".ec2-metadata.json", paths.DROP_IN_NAME)) or one.is_symlink()
    }


IN_THE_WAY = [
    *((folder, path) for path in OURS),
    *((link, path) for path in OURS),
    *((dangling_link, path) for path in OURS),
    (file, paths.CLOUD_CONFIG_D),
    (link_to_a_folder, paths.CLOUD_CONFIG_D),
]


@pytest.mark.parametrize(("make", "path"), IN_THE_WAY)
def test_what_is_in_the_place_of_a_file_is_left_and_named(
    disk: MachineDisk, make: Callable[[Path], None], path: str
) -> None:
    make(disk.path(path))
    before = everything(disk.root.parent)
    ran = run(disk)
    assert ran.status == 5
    assert path.rpartition("/")[2] in ran.log
    assert everything(disk.root.parent) == before
    if not (path == paths.CLOUD_CONFIG or path.endswith(".d")):
        assert timed.items(disk) == USERS


def test_without_the_folder_of_drop_ins_it_is_made(disk: MachineDisk) -> None:
    shutil.rmtree(disk.path(paths.CLOUD_CONFIG_D))
    assert run(disk).status == 0
    assert timed.items(disk) == ["--mine", LABEL]
    assert stat.S_IMODE(disk.path(paths.CLOUD_CONFIG_D).stat().st_mode) == 0o755


def test_a_file_in_place_of_conf_is_left_and_named(disk: MachineDisk) -> None:
    shutil.rmtree(disk.root / "host")
    (disk.root / paths.CONF.lstrip("/")).unlink()
    disk.write(paths.CONF, VICTIM)
    with pytest.raises(FilesError, match=f"Not a directory.*{paths.MOUNT}") as raised:
        run(disk)
    assert raised.value.status == 5
    assert disk.path(paths.CONF).read_bytes() == VICTIM


def test_a_null_that_hides_what_ros_cannot_read_is_left_where_it_is(disk: MachineDisk) -> None:
    # Without the null every call of `ros` would fail on the euro sign, and no service could start.
    disk.user_data("rancher: {environment: {PRICE: €}}\n")
    disk.cloud_config("rancher: null\n")
    before = everything(disk.root.parent)
    ran = run(disk)
    assert ran.status == 5
    assert "no label is set" in ran.log
    assert everything(disk.root.parent) == before
    timed.items(disk)  # raises where no question is answered
