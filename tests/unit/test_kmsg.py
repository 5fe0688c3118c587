from __future__ import annotations

import os
from pathlib import Path

import pytest

from rancheros_ec2_metadata import kmsg


@pytest.mark.parametrize(
    ("arguments", "root"),
    [
        ([], ""),
        (["apply", "-m"], ""),
        (["--root", "/x"], "/x"),
        (["--root=/x/", "-m"], "/x"),
        (["--root", "/x", "--root=/y"], "/y"),
        (["--root"], ""),
    ],
)
def test_the_device_is_below_the_root_of_the_run(arguments: list[str], root: str) -> None:
    assert kmsg.device(arguments, {}) == f"{root}/dev/kmsg"


def test_a_flag_beats_its_variable_here_too() -> None:
    environ = {"AWS_METADATA_ROOT": "/z"}
    assert kmsg.device([], environ) == "/z/dev/kmsg"
    assert kmsg.device(["--root", "/x"], environ) == "/x/dev/kmsg"


def test_a_line_is_one_record_that_the_kernel_takes() -> None:
    terminal, device = os.openpty()
    kmsg.tell("x" * 5000, os.ttyname(device))
    written = os.read(terminal, 10_000)
    assert written.startswith(b"<6>xxx")
    assert written.endswith(b"\n")
    assert len(written) < 976
    os.close(terminal)
    os.close(device)


def test_what_is_no_device_is_left_as_it_is(tmp_path: Path) -> None:
    file, fifo = tmp_path / "file", tmp_path / "fifo"
    file.write_text("theirs")
    os.mkfifo(fifo)
    terminal, device = os.openpty()
    link = tmp_path / "link"
    link.symlink_to(os.ttyname(device))
    with os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        for path in (file, fifo, link, tmp_path, tmp_path / "nothing"):
            kmsg.tell("a line", str(path))
        assert reader.read() == b""
    assert file.read_text() == "theirs"
    os.set_blocking(terminal, False)
    with pytest.raises(BlockingIOError):
        os.read(terminal, 100)
    os.close(terminal)
    os.close(device)


def test_a_fifo_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    kmsg.tell("a line", str(tmp_path / "fifo"))


def test_a_device_that_refuses_is_no_failure() -> None:
    kmsg.tell("a line", "/dev/full")
