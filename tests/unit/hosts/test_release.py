from __future__ import annotations

import pytest

from rancheros_ec2_metadata.hosts.rancheros.release import NEWEST, find_release, parse_release


def with_version(name: str) -> bytes:
    return f"rancher: {{environment: {{VERSION: '{name}'}}}}".encode()


def with_image(image: str, service: str = "console") -> bytes:
    return f"rancher: {{services: {{{service}: {{image: '{image}'}}}}}}".encode()


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("v1.5.8", (1, 5, 8)),
        ("v1.5.0-rc1", (1, 5, 0)),
        ("2.0.5", (2, 0, 5)),
        ("v0.10", (0, 10, 0)),
        ("burmilla-master", NEWEST),
        ("v0.0.0-dev", NEWEST),
        ("v99999.0.0", NEWEST),
    ],
)
def test_the_version_is_in_os_config(name: str, version: tuple[int, int, int]) -> None:
    release = find_release(with_version(name))
    assert (release.version, release.text) == (version, name)
    assert release.known


@pytest.mark.parametrize(
    "disk",
    [
        with_image("rancher/os-console:v0.4.5"),
        with_image("registry:5000/rancher/os-console:v0.4.5@sha256:00", "default"),
        (
            b"rancher: {services: {console: {image: 'x:v1.0.0'}, b: ,"
            b" c: {image: []}, d: {image: 'os-console:v0.4.5'}}}"
        ),
    ],
)
def test_before_there_was_a_version_the_console_had_a_tag(disk: bytes) -> None:
    release = find_release(disk)
    assert (release.version, release.text) == ((0, 4, 5), "v0.4.5")


@pytest.mark.parametrize(
    "disk",
    [
        b"",
        b"{",
        b"rancher: {environment: {VERSION: []}, services: {console: {image: }}}",
        with_image("rancher/os-console:latest"),
        with_image("rancher/os-docker:v0.4.5"),
    ],
)
def test_else_it_is_unknown(disk: bytes) -> None:
    release = find_release(disk)
    assert not release.known
    assert release.argument_keys == ("extra_args",)


@pytest.mark.parametrize(
    ("name", "keys", "quoting"),
    [
        ("v0.4.5", ("args", "extra_args"), "raw"),
        ("v0.5.0", ("args", "extra_args"), "raw"),
        ("v0.6.0", ("args", "extra_args"), "shell"),
        ("v0.7.0-rc1", ("extra_args",), "shell"),
        ("v1.5.8", ("extra_args",), "shell"),
        ("burmilla-master", ("extra_args",), "shell"),
    ],
)
def test_what_follows_from_a_release(name: str, keys: tuple[str, ...], quoting: str) -> None:
    release = find_release(with_version(name))
    assert (release.argument_keys, release.quoting) == (keys, quoting)


def test_a_release_can_be_named() -> None:
    release = parse_release("v0.6.1")
    assert release is not None
    assert (release.version, release.text) == ((0, 6, 1), "v0.6.1")
    assert "args" in release.argument_keys
    assert parse_release("burmilla-master") is None
    assert parse_release("") is None
