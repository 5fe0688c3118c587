"""PyYAML's own parser, for where it comes without libyaml, with tabs as libyaml has them.

PyYAML refuses a tab wherever it separates two tokens; libyaml, and with it ``ros``, takes it.
Still refused here only: a block scalar whose comment touches its indicator (``>#``), a tag that
a tab or bracket follows; still taken here only: a directive that nobody knows.
"""

from __future__ import annotations

from typing import Any

from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError

_BREAKS = "\r\n\x85\u2028\u2029"
_BLANKS = " \t"


class _TabScanner(Scanner):
    """Scanner that treats tabs, and a byte order mark at the start of a line, as libyaml does."""

    # PyYAML's classes are mixed in by hand and typed by nobody: a scanner is also a reader.
    peek: Any
    prefix: Any
    forward: Any
    scan_line_break: Any
    column: int
    index: int
    get_mark: Any

    def scan_to_next_token(self) -> None:
        """Skip blanks, comments and line ends; a tab only where no block key can start."""
        while True:
            if self.column == 0 and self.peek() == "\ufeff":
                self.forward()
                self.column = min(1, self.index - 1)  # it counts, but not where the text starts
            while self.peek() == " " or (
                self.peek() == "\t" and (self.flow_level or not self.allow_simple_key)
            ):
                self.forward()
            if self.peek() == "#":
                while self.peek() not in "\0" + _BREAKS:
                    self.forward()
            if not self.scan_line_break():
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def scan_plain_spaces(
        self,
        indent: int,
        start_mark: Any,  # noqa: ARG002 - the parent's signature
    ) -> list[str]:
        """Return what the blanks and line ends inside a plain scalar amount to."""
        length = 0
        while self.peek(length) in _BLANKS:
            length += 1
        blanks = self.prefix(length)
        self.forward(length)
        if self.peek() not in _BREAKS:
            return [blanks] if blanks else []
        first = self.scan_line_break()
        self.allow_simple_key = True
        breaks: list[str] = []
        while not self._at_document_marker() and self.peek() in _BLANKS + _BREAKS:
            if self.peek() in _BREAKS:
                breaks.append(self.scan_line_break())
            elif self.peek() == "\t" and self.column < indent:
                return []  # the tab then starts a token, which is an error
            else:
                self.forward()
        if self._at_document_marker():
            return []
        if first != "\n":
            return [first, *breaks]
        return breaks or [" "]

    def scan_block_scalar_indentation(self) -> tuple[list[str], int, Any]:
        """Return the empty lines at the start of a block scalar, its indentation and a mark."""
        found: tuple[list[str], int, Any] = super().scan_block_scalar_indentation()
        self._refuse_tab()
        return found

    def scan_block_scalar_breaks(self, indent: int) -> tuple[list[str], Any]:
        """Return the empty lines inside a block scalar and a mark."""
        found: tuple[list[str], Any] = super().scan_block_scalar_breaks(indent)
        if self.column < indent:
            self._refuse_tab()
        return found

    def _refuse_tab(self) -> None:
        if self.peek() == "\t":
            raise ScannerError(None, None, "a tab in the indentation", self.get_mark())

    def _at_document_marker(self) -> bool:
        return (
            self.column == 0
            and self.prefix(3) in ("---", "...")
            and self.peek(3) in "\0" + _BLANKS + _BREAKS
        )


class PureLoader(Reader, _TabScanner, Parser):
    """A loader to take events from, as ``yaml.parse`` wants one."""

    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
