"""What of user-data a first boot saves, and what is said of the rest."""

from __future__ import annotations

import base64
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.errors import Level, Note
from rancheros_ec2_metadata.hosts.files import SIZE_LIMIT
from rancheros_ec2_metadata.hosts.rancheros.release import Release
from rancheros_ec2_metadata.hosts.rancheros.user_data import Form, classify, explain

CONFIG = b"#cloud-config\nhostname: x\n"
NEWEST = Release((1, 5, 8), "v1.5.8")
BEFORE_GZIP = Release((1, 4, 0), "v1.4.0")
# Without the time of day in it: the processes of a test run must all name their tests alike.
COMPOSE = (b"#compose\r", b"#compose ", b"#Compose", b"#compose: 1")
PACKED = gzip.compress(CONFIG, mtime=0)


def saved(user_data: bytes, release: Release) -> tuple[bytes | None, list[Note]]:
    """Return what a first boot saves, and what is said of the rest."""
    found = classify(user_data, release)
    return found.plain if found.form is Form.CLOUD_CONFIG else None, explain(found)


@pytest.mark.parametrize(
    "user_data",
    [CONFIG, CONFIG.replace(b"\n", b"\r\n"), b"#cloud-config", b"#cloud-config \t\na: b"],
)
def test_a_cloud_config_is_saved_as_it_is(user_data: bytes) -> None:
    assert saved(user_data, NEWEST) == (user_data, [])


def test_gzip_is_unpacked_where_the_release_unpacks_it() -> None:
    assert saved(PACKED, NEWEST) == (CONFIG, [])
    assert saved(PACKED, Release((1, 4, 1), "v1.4.1")) == (CONFIG, [])


@pytest.mark.parametrize(
    ("user_data", "release", "words"),
    [
        (PACKED, BEFORE_GZIP, ("gzipped", "v1.4.1", "v1.4.0")),
        (PACKED[:-9], NEWEST, ("gzipped", "damaged")),
        (PACKED[:2] + b"nonsense", NEWEST, ("gzipped", "damaged")),
        (gzip.compress(bytes(SIZE_LIMIT + 1), mtime=0), NEWEST, ("gzipped", "too large")),
        (b"Content-Type: multipart/mixed; boundary=X\n", NEWEST, ("MIME multipart",)),
        (b"MIME-Version: 1.0\r\n", NEWEST, ("MIME multipart",)),
        (base64.b64encode(CONFIG), NEWEST, ("base64", "decode")),
        (base64.b64encode(PACKED), NEWEST, ("base64", "gzip", "decode")),
        (b"hostname: x\n", NEWEST, ("first line", "#cloud-config")),
        (b"\n#cloud-config\n", NEWEST, ("first line", "#cloud-config")),
        (b"", NEWEST, ("first line", "#cloud-config")),
        *(
            (start + b"#!/bin/sh\n", NEWEST, ("before #!",))
            for start in (b"\n", b" ", b"\r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n")
        ),
        *((first + b"\na: {image: b}\n", NEWEST, ("#compose",)) for first in COMPOSE),
    ],
)
def test_what_rancheros_does_not_save_is_said_with_the_reason(
    user_data: bytes, release: Release, words: tuple[str, ...]
) -> None:
    boot_yml, (note,) = saved(user_data, release)
    assert boot_yml is None
    assert note.level is Level.WARNING
    assert [word for word in words if word not in note.text] == []


@pytest.mark.parametrize(
    ("user_data", "word"),
    [(b"#!/bin/sh\nros config set x y\n", "script"), (b"#compose\n", "#compose")],
)
def test_what_rancheros_uses_otherwise_is_said(user_data: bytes, word: str) -> None:
    boot_yml, (note,) = saved(user_data, NEWEST)
    assert (boot_yml, note.level) == (None, Level.INFO)
    assert word in note.text


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda raw: b"\x1f\x8b\x08" + raw))
def test_any_bytes_are_saved_as_they_are_or_spoken_of(user_data: bytes) -> None:
    boot_yml, notes = saved(user_data, NEWEST)
    assert (boot_yml is None) == bool(notes)
