from __future__ import annotations

import pytest

from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros.disk import Disk


def with_os_config(text: str) -> Disk:
    return Disk({paths.OS_CONFIG: text.encode()})


def with_version(name: str) -> Disk:
    return with_os_config(f"rancher: {{environment: {{VERSION: '{name}'}}}}")


def with_image(image: str, service: str = "console") -> Disk:
    return with_os_config(f"rancher: {{services: {{{service}: {{image: '{image}'}}}}}}")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("v1.5.8", (1, 5, 8)),
        ("v1.5.0-rc1", (1, 5, 0)),
        ("2.0.5", (2, 0, 5)),
        ("v0.10", (0, 10, 0)),
        ("burmilla-master", releases.NEWEST),
        ("v0.0.0-dev", releases.NEWEST),
        ("v99999.0.0", releases.NEWEST),
    ],
)
def test_the_version_is_in_os_config(name: str, version: tuple[int, int, int]) -> None:
    release = releases.of(with_version(name), "ros version v0.4.5")
    assert (release.version, release.text) == (version, name)
    assert release.source == "VERSION in os-config.yml"
    assert release.known


@pytest.mark.parametrize(
    "disk",
    [
        with_image("rancher/os-console:v0.4.5"),
        with_image("registry:5000/rancher/os-console:v0.4.5@sha256:00", "default"),
        with_os_config(
            "rancher: {services: {console: {image: 'x:v1.0.0'}, b: ,"
            " c: {image: []}, d: {image: 'os-console:v0.4.5'}}}"
        ),
    ],
)
def test_before_there_was_a_version_the_console_had_a_tag(disk: Disk) -> None:
    release = releases.of(disk, "ros version v1.5.8")
    assert (release.version, release.text) == ((0, 4, 5), "v0.4.5")
    assert release.source == "the console image in os-config.yml"


@pytest.mark.parametrize(
    "disk",
    [
        Disk(),
        with_os_config("{"),
        with_os_config("rancher: {environment: {VERSION: []}, services: {console: {image: }}}"),
        with_image("rancher/os-console:latest"),
        with_image("rancher/os-docker:v0.4.5"),
    ],
)
def test_else_ros_is_believed(disk: Disk) -> None:
    release = releases.of(disk, "version v1.5.8 from os image rancher/os:v1.5.8\n")
    assert (release.version, release.text) == ((1, 5, 8), "v1.5.8")
    assert releases.of(disk, "ros version v0.4.5").version == (0, 4, 5)


def test_a_name_that_is_no_version_is_the_newest_if_ros_names_its_image() -> None:
    answer = "version burmilla-master from os image burmilla/os:burmilla-master"
    assert releases.of(Disk(), answer).version == releases.NEWEST


@pytest.mark.parametrize("answer", ["", "ros version v0.0.0-dev", "garbage", "version x"])
def test_else_it_is_unknown_and_only_what_is_always_safe_is_done(answer: str) -> None:
    release = releases.of(Disk(), answer)
    assert not release.known
    assert release.argument_keys == ("extra_args",)
    assert release.quoting == "safe"
    assert release.survives_broken_files
    assert release.reads_extra_cmdline


@pytest.mark.parametrize(
    ("name", "keys", "quoting", "survives", "extra"),
    [
        ("v0.4.5", ("args", "extra_args"), "raw", False, False),
        ("v0.5.0", ("args", "extra_args"), "raw", True, False),
        ("v0.6.0", ("args", "extra_args"), "shell", True, False),
        ("v0.7.0-rc1", ("extra_args",), "shell", True, False),
        ("v0.9.1", ("extra_args",), "shell", True, False),
        ("v0.9.2", ("extra_args",), "shell", True, True),
        ("v1.5.8", ("extra_args",), "shell", True, True),
        ("burmilla-master", ("extra_args",), "shell", True, True),
    ],
)
def test_what_follows_from_a_release(
    name: str, keys: tuple[str, ...], quoting: str, *, survives: bool, extra: bool
) -> None:
    release = releases.of(with_version(name))
    assert release.argument_keys == keys
    assert release.quoting == quoting
    assert release.survives_broken_files is survives
    assert release.reads_extra_cmdline is extra


def test_a_release_can_be_named() -> None:
    release = releases.named("v0.6.1")
    assert release is not None
    assert (release.version, release.text) == ((0, 6, 1), "v0.6.1")
    assert "args" in release.argument_keys
    assert releases.named("burmilla-master") is None
    assert releases.named("") is None
