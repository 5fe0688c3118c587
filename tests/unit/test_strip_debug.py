"""Shared libraries without debug information load as before."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

import strip_debug
from e2e import program

LIBRARY = next(Path(yaml.__file__).parent.glob("_yaml*.so"))


def test_a_stripped_library_is_smaller_and_parses_as_before(tmp_path: Path) -> None:
    folder = tmp_path / "yaml"
    folder.mkdir()
    for source in Path(yaml.__file__).parent.glob("*.py"):
        (folder / source.name).write_bytes(source.read_bytes())
    (folder / LIBRARY.name).write_bytes(LIBRARY.read_bytes())
    strip_debug.main(tmp_path)
    assert (folder / LIBRARY.name).stat().st_size < LIBRARY.stat().st_size / 2
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import yaml, yaml._yaml as y;"
        "print(y.__file__, yaml.load('a: [1, é]', Loader=yaml.CSafeLoader))"
    )
    done = program.ended([sys.executable, "-I", "-c", script, tmp_path])
    assert done.stdout == f"{folder / LIBRARY.name} {{'a': [1, 'é']}}\n", done.stderr


def test_stripping_twice_changes_nothing_more() -> None:
    once = strip_debug.stripped(LIBRARY.read_bytes())
    assert strip_debug.stripped(once) == once


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(64)])
def test_what_is_no_64_bit_library_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="64-bit little-endian ELF"):
        strip_debug.stripped(content)
