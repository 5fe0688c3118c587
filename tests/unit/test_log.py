import fcntl
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.errors import (
    SEVERITY,
    ExitStatus,
    Level,
    Note,
    error,
    quote,
    warning,
    worst,
)
from rancheros_ec2_metadata.log import Log, make_nonblocking
from rancheros_ec2_metadata.plan.provenance import LeftOut


@given(st.text())
def test_whatever_is_logged_is_one_printable_line(text: str) -> None:
    stream = io.StringIO()
    Log(stream).note(warning(text))
    line = stream.getvalue()
    assert line.startswith("ec2-metadata: warning: ")
    assert line.endswith("\n")
    assert line[:-1].isprintable()


@given(st.text(min_size=200))
def test_a_shown_text_is_short_and_printable(text: str) -> None:
    assert quote(text).isprintable()
    assert len(quote(text, 10)) <= 10 * 10 + 3


def test_a_shown_text_cannot_close_its_own_quotes() -> None:
    assert quote("a' b\\'") == r"'a\' b\\\''"


def test_a_note_is_written_once_and_counts_in_the_status() -> None:
    stream = io.StringIO()
    log = Log(stream)
    for _ in range(2):
        log.note(error(ExitStatus.INCOMPLETE, "x"))
    log.note(Note(Level.DEBUG, "hidden"))
    assert stream.getvalue() == "ec2-metadata: error: x\n"
    assert log.status() is ExitStatus.INCOMPLETE


def test_a_note_is_written_once_whatever_each_plan_leaves_out_with_it() -> None:
    stream = io.StringIO()
    log = Log(stream)
    log.notes(warning("none is set", LeftOut("label", key, "x")) for key in ("a", "b"))
    log.note(error(ExitStatus.FILES, "none is set"))
    assert stream.getvalue().splitlines() == [
        "ec2-metadata: warning: none is set",
        "ec2-metadata: error: none is set",
    ]
    assert log.status() == ExitStatus.FILES


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, TextIO]]:
    """A pipe: its reader, who does not wait, and its writer."""
    read, written = os.pipe()
    os.set_blocking(read, False)
    with os.fdopen(read, "rb", 0) as reader, os.fdopen(written, "w") as writer:
        yield reader, writer


def test_at_boot_what_the_reader_of_a_pipe_does_not_take_is_lost_and_not_waited_for(
    pipe: tuple[BinaryIO, TextIO],
) -> None:
    reader, writer = pipe
    size = fcntl.fcntl(writer.fileno(), fcntl.F_GETPIPE_SZ)
    with make_nonblocking(writer) as stream:
        log = Log(stream)
        log.line("read")
        assert reader.read(size) == b"ec2-metadata: read\n"
        os.write(writer.fileno(), bytes(size))
        log.line("lost")
        assert reader.read(size) == bytes(size)
        log.line("read")
        assert reader.read(size) == b"ec2-metadata: read\n"
    # It is others' too.
    assert os.get_blocking(writer.fileno())


def test_at_boot_a_log_that_is_no_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    memory = io.StringIO()
    assert make_nonblocking(memory) is memory
    with (tmp_path / "log").open("w") as file:
        assert make_nonblocking(file) is file


def test_only_the_last_line_goes_to_the_kernels_log_and_is_one_record_that_it_takes() -> None:
    terminal, device = os.openpty()
    log = Log(io.StringIO(), kmsg=os.ttyname(device))
    log.line("the first")
    log.last("complete: café\nx; exit 0")
    assert os.read(terminal, 1000).splitlines() == [
        rb"<6>ec2-metadata: complete: caf\xe9\nx; exit 0"
    ]
    log.last("x" * 5000)
    assert len(os.read(terminal, 10_000)) < 976
    os.close(terminal)
    os.close(device)


def test_what_is_no_device_is_left_as_it_is_and_not_waited_for(tmp_path: Path) -> None:
    file, fifo, link = (tmp_path / name for name in ("file", "fifo", "link"))
    file.write_text("theirs")
    os.mkfifo(fifo)
    terminal, device = os.openpty()
    os.set_blocking(terminal, False)
    link.symlink_to(os.ttyname(device))
    for path in (file, fifo, link, tmp_path, tmp_path / "nothing", "/dev/full"):
        Log(io.StringIO(), kmsg=str(path)).last("a line")
    with os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        Log(io.StringIO(), kmsg=str(fifo)).last("a line")
        assert reader.read() == b""
    assert file.read_text() == "theirs"
    with pytest.raises(BlockingIOError):
        os.read(terminal, 100)
    os.close(terminal)
    os.close(device)


def test_of_several_failures_the_first_in_the_documented_order_counts() -> None:
    assert [int(status) for status in SEVERITY] == [1, 2, 7, 5, 3, 6, 4]
    for position, status in enumerate(SEVERITY):
        assert worst(SEVERITY[position:]) is status
    assert worst([]) is ExitStatus.OK
