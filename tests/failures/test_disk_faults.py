"""A disk that is full, read-only, or has something else where a file should be."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from e2e import program
from failures import in_process, timed
from failures.in_process import Booted, GivenEc2, found
from failures.scenarios import CLOUD_CONFIG, OURS, contents_of
from hostile_imds import SANE
from machine import MachineDisk
from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.rancheros import disk as paths

LABEL = "--label=docker.role=web"
VICTIM = b"root:x:0:0\n"


def run(disk: MachineDisk) -> Booted:
    return in_process.run(disk.root, GivenEc2(found({"docker.role": "web"})))


def in_force(disk: MachineDisk) -> tuple[str, ...]:
    return timed.layers_of(disk).docker_arguments("extra_args")


def environment(disk: MachineDisk) -> Mapping[str, str]:
    return timed.layers_of(disk).environment()


class Mounted:
    """Runs with mounts of their own on conf/.

    Args:
        disk: the machine's; conf/ is copied into the mount, and back at the end.
    """

    def __init__(self, disk: MachineDisk) -> None:
        self._disk = disk

    def run(self, mount: str, imds: FakeImds) -> timed.Timed:
        """Run the program with ``mount``, shell text in which $conf is the folder."""
        disk = self._disk
        copy = disk.root.parent / "copy"
        shutil.copytree(disk.path(paths.CONF), copy)
        script = (
            f"conf={shlex.quote(str(disk.path(paths.CONF)))}; copy={shlex.quote(str(copy))};"
            f' {mount} || exit 99; "$@"; status=$?; rm -f "$conf/filler"; rm -rf "$copy";'
            ' cp -a "$conf" "$copy"; exit $status'
        )
        before = ("unshare", "--mount", "sh", "-c", script, "sh")
        variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
        ran = timed.run(disk, deadline=20, variables=variables, before=before)
        shutil.rmtree(disk.path(paths.CONF))
        copy.rename(disk.path(paths.CONF))
        return ran


# A file system of 16 pages, of which some are free: first there is no room for the state, then
# none for the drop-in, then none for cloud-config.yml beside the old one.
FULL = (
    'mount -t tmpfs -o size=64k tmpfs "$conf" && cp -a "$copy/." "$conf" &&'
    ' {{ head -c 65536 /dev/zero >"$conf/filler" || true; }} 2>/dev/null &&'
    ' truncate -s -{bytes} "$conf/filler"'
)


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
    full = Mounted(disk).run(FULL.format(bytes=pages * 4096), imds)
    left = contents_of(disk.root)
    assert full.ran.status == 5
    first = next(path for path in OURS if path in missing)
    assert full.ran.line("error", first, "No space left on device", "it is as it was")
    assert {path for path in OURS if left[path] == before[path]} == missing
    assert list(disk.path(paths.CONF).rglob(".ec2-metadata.tmp.*")) == []
    again = program.run(disk, imds=imds)
    assert again.status == 0
    assert in_force(disk) == ("--mine", LABEL)
    assert program.run(disk, imds=imds).log[-1].endswith("wrote no file; exit 0")


@pytest.mark.real_parts
def test_on_a_read_only_disk_nothing_changes_and_the_status_is_5(
    disk: MachineDisk, imds: FakeImds
) -> None:
    before = contents_of(disk.root)
    mount = 'mount --bind "$conf" "$conf" && mount -o remount,ro,bind "$conf"'
    ran = Mounted(disk).run(mount, imds).ran
    assert ran.status == 5
    assert ran.line("error", paths.STATE, "Read-only file system")
    assert contents_of(disk.root) == before


@pytest.mark.real_parts
def test_a_layer_of_another_owner_that_cannot_be_read_costs_the_labels_not_the_variables(
    disk: MachineDisk, imds: FakeImds
) -> None:
    theirs = disk.write(f"{paths.CLOUD_CONFIG_D}/theirs.yml", "rancher: {}\n")
    os.chown(theirs, 4242, 4242)
    theirs.chmod(0o600)
    before = contents_of(disk.root)[paths.CLOUD_CONFIG]
    # As in the container of the service: root without the right to read what is not root's.
    unprivileged = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    endpoint = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
    ran = timed.run(disk, deadline=20, variables=endpoint, before=unprivileged).ran
    assert ran.status == 5
    assert ran.line("error", "no label is set", "cloud-config.d/theirs.yml", "Permission denied")
    assert contents_of(disk.root)[paths.CLOUD_CONFIG] == before
    assert environment(disk)["AWS_INSTANCE_ID"] == SANE.instance_id


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{folder}/{path.name}")  # a path may be too long for it
    finally:
        os.close(folder)


def too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(paths.SIZE_LIMIT + 1)


def dangling(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize("make", [fifo, unix_socket, too_large, dangling])
def test_a_layer_that_is_there_and_cannot_be_read_costs_the_labels_not_the_variables(
    disk: MachineDisk, make: Callable[[Path], None]
) -> None:
    make(disk.path(f"{paths.CLOUD_CONFIG_D}/theirs.yml"))
    ran = run(disk)
    assert ran.status == 5
    assert "no label is set: cloud-config.d/theirs.yml cannot be read" in ran.log
    assert in_force(disk) == ("--mine", "--label=docker.role=of-the-user")
    assert environment(disk)["AWS_REGION"] == "eu-west-1"


@pytest.mark.parametrize("path", [paths.STATE, paths.DROP_IN])
def test_a_folder_in_place_of_our_own_file_is_left_and_named(disk: MachineDisk, path: str) -> None:
    disk.path(path).mkdir()
    (disk.path(path) / "theirs").write_bytes(VICTIM)
    ran = run(disk)
    assert ran.status == 5
    assert path in ran.log
    assert (disk.path(path) / "theirs").read_bytes() == VICTIM
    assert in_force(disk)[0] == "--mine"


def test_a_folder_in_place_of_cloud_config_is_left_and_the_labels_are_set(tmp_path: Path) -> None:
    disk = timed.user_machine(tmp_path / "disk")
    disk.path(paths.CLOUD_CONFIG).mkdir()
    assert run(disk).status == 0
    assert disk.path(paths.CLOUD_CONFIG).is_dir()
    assert in_force(disk) == ("--debug", LABEL)


def test_a_file_in_place_of_the_folder_of_drop_ins_is_left_and_named(disk: MachineDisk) -> None:
    shutil.rmtree(disk.path(paths.CLOUD_CONFIG_D))
    disk.path(paths.CLOUD_CONFIG_D).write_bytes(VICTIM)
    ran = run(disk)
    assert ran.status == 5
    assert disk.path(paths.CLOUD_CONFIG_D).read_bytes() == VICTIM


def test_without_the_folder_of_drop_ins_it_is_made(disk: MachineDisk) -> None:
    shutil.rmtree(disk.path(paths.CLOUD_CONFIG_D))
    assert run(disk).status == 0
    assert in_force(disk) == ("--mine", LABEL)
    assert stat.S_IMODE(disk.path(paths.CLOUD_CONFIG_D).stat().st_mode) == 0o755


def test_a_file_in_place_of_conf_is_left_and_named(disk: MachineDisk) -> None:
    shutil.rmtree(disk.path(paths.CONF))
    disk.path(paths.CONF).write_bytes(VICTIM)
    with pytest.raises(FilesError, match="Not a directory") as raised:
        run(disk)
    assert raised.value.status == 5
    assert disk.path(paths.CONF).read_bytes() == VICTIM


@pytest.mark.parametrize("path", OURS)
@pytest.mark.parametrize("there", [True, False], ids=["to-a-file", "dangling"])
def test_a_link_in_place_of_a_file_is_never_written_through_nor_replaced(
    disk: MachineDisk, path: str, *, there: bool
) -> None:
    outside = disk.root.parent / "outside"
    content = CLOUD_CONFIG.encode() if path == paths.CLOUD_CONFIG else VICTIM
    disk.path(path).unlink(missing_ok=True)
    disk.path(path).symlink_to("../" * 20 + str(outside).lstrip("/") if there else "/gone")
    if there:
        outside.write_bytes(content)
    ran = run(disk)
    assert ran.status == 5
    assert path.rpartition("/")[2] in ran.log
    assert disk.path(path).is_symlink()
    assert not there or outside.read_bytes() == content
    assert not disk.path("/gone").exists()


def test_a_link_in_place_of_the_folder_of_drop_ins_is_not_written_through(
    disk: MachineDisk,
) -> None:
    outside = disk.root.parent / "outside"
    disk.path(paths.CLOUD_CONFIG_D).rename(outside)
    disk.path(paths.CLOUD_CONFIG_D).symlink_to(outside)
    before = sorted(outside.iterdir())
    ran = run(disk)
    assert ran.status == 5
    assert "symbolic link" in ran.log
    assert sorted(outside.iterdir()) == before


@pytest.mark.parametrize("path", OURS)
def test_a_link_planted_at_a_temporary_name_is_removed_and_not_followed(
    disk: MachineDisk, path: str
) -> None:
    victim = disk.root.parent / "victim"
    victim.write_bytes(VICTIM)
    folder, _, name = path.rpartition("/")
    planted = disk.path(f"{folder}/.ec2-metadata.tmp.{name.lstrip('.')}")
    planted.symlink_to(victim)
    assert run(disk).status == 0
    assert victim.read_bytes() == VICTIM
    assert not planted.is_symlink()
    assert in_force(disk) == ("--mine", LABEL)


def test_cloud_config_keeps_its_owner_and_mode_and_no_copy_of_it_is_more_open(
    disk: MachineDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = disk.path(paths.CLOUD_CONFIG)
    file.chmod(0o600)
    modes = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    assert run(disk).status == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [mode for mode in modes if mode & 0o077 and mode != 0o755] == []


def test_a_null_that_hides_what_ros_cannot_read_is_left_where_it_is(disk: MachineDisk) -> None:
    # Without the null every call of `ros` would fail on the euro sign, and no service could start.
    disk.user_data("rancher: {environment: {PRICE: €}}\n")
    disk.cloud_config("rancher: null\n")
    ran = run(disk)
    assert ran.status == 5
    assert "a null in it hides what ros cannot read (cloud-config.d/boot.yml: U+20AC" in ran.log
    assert disk.path(paths.CLOUD_CONFIG).read_text() == "rancher: null\n"
    assert timed.layers_of(disk).fatal is None
