from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from e2e import program
from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.scratch import make_scratch_folder


def test_the_folder_is_its_owners_alone_and_is_removed() -> None:
    with make_scratch_folder("plan", {"/etc/a": b"1", "/etc/b": b"2"}) as folder:
        assert [(folder / "etc" / name).read_text() for name in "ab"] == ["1", "2"]
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_no_place_for_it_is_said_and_what_happens_inside_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ZeroDivisionError), make_scratch_folder("plan", {}):
        raise ZeroDivisionError
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(FilesError, match="set TMPDIR"), make_scratch_folder("plan", {}):
        pass


@pytest.mark.parametrize("command", [["demo"], ["plan", "--user-data", "-"]])
def test_a_command_without_a_place_for_it_is_no_bug(command: list[str]) -> None:
    # As in a container whose root is read-only.
    script = (
        "import sys, tempfile; tempfile.tempdir = '/proc/none'; "
        "from rancheros_ec2_metadata.__main__ import console; console()"
    )
    done = program.ended([sys.executable, "-c", script, *command], input="#cloud-config\n")
    assert done.returncode == 5
    assert f"{command[0]} needs a temporary folder" in done.stderr
    assert "bug" not in done.stderr
