import fcntl
import io
import os
import select

from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.errors import (
    SEVERITY,
    ExitStatus,
    Level,
    Note,
    error,
    info,
    shown,
    warning,
    worst,
)
from rancheros_ec2_metadata.log import Log
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
    assert shown(text).isprintable()
    assert len(shown(text, 10)) <= 10 * 10 + 3


def test_a_shown_text_cannot_close_its_own_quotes() -> None:
    assert shown("a' b\\'") == r"'a\' b\\\''"


def test_a_terminal_that_is_not_utf_8_gets_escapes() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Log(stream).note(info("café"))
    assert raw.getvalue() == b"ec2-metadata: caf\\xe9\n"


def test_a_note_is_written_once_and_counts_in_the_status() -> None:
    stream = io.StringIO()
    log = Log(stream)
    for _ in range(2):
        log.note(error(ExitStatus.INCOMPLETE, "x"))
    log.note(Note(Level.DEBUG, "hidden"))
    assert stream.getvalue() == "ec2-metadata: error: x\n"
    assert log.status() is ExitStatus.INCOMPLETE


def test_a_held_note_is_written_below_the_first_line_or_above_the_last() -> None:
    stream = io.StringIO()
    log = Log(stream)
    log.hold(warning("one"))
    log.line("first")
    log.line("then")
    log.hold(warning("two"))
    log.last("last")
    lines = ["first", "warning: one", "then", "warning: two", "last"]
    assert stream.getvalue() == "".join(f"ec2-metadata: {line}\n" for line in lines)


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


def test_what_a_reader_who_stands_still_does_not_take_is_not_waited_for() -> None:
    read, written = os.pipe()
    size = fcntl.fcntl(written, fcntl.F_GETPIPE_SZ)
    os.set_blocking(written, False)  # so that a write that would wait is cut off, not for ever
    with os.fdopen(written, "w", encoding="utf-8") as stream, os.fdopen(read, "rb", 0) as reader:
        log = Log(stream, patience=0.01)
        os.write(written, bytes(size))
        log.line("lost")
        assert reader.read(size) == bytes(size)
        os.write(written, bytes(size - select.PIPE_BUF))
        log.line("\0" * 1000)
        log.line("lost as well")
        assert reader.read(size).lstrip(b"\0") == b"ec2-metadata: " + rb"\x00" * 246 + rb"\x"
        log.line("read")
        assert reader.read(size) == b"ec2-metadata: read\n"


def test_only_the_last_line_goes_to_the_kernels_log_too() -> None:
    terminal, device = os.openpty()
    log = Log(io.StringIO(), kmsg=os.ttyname(device))
    log.line("the first")
    log.last("complete: café\nx; exit 0")
    written = os.read(terminal, 1000)
    assert written.splitlines() == [rb"<6>ec2-metadata: complete: caf\xe9\nx; exit 0"]
    os.close(terminal)
    os.close(device)


def test_debug_lines_are_written_on_request() -> None:
    stream = io.StringIO()
    Log(stream, debug=True).note(Note(Level.DEBUG, "shown"))
    assert stream.getvalue() == "ec2-metadata: debug: shown\n"


def test_of_several_failures_the_first_in_the_documented_order_counts() -> None:
    assert [int(status) for status in SEVERITY] == [1, 2, 7, 5, 3, 6, 4]
    for position, status in enumerate(SEVERITY):
        assert worst(SEVERITY[position:]) is status
    assert worst([]) is ExitStatus.OK
