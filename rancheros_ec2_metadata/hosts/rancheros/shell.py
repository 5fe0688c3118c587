"""Shell words: read as bash reads them, written so that bash gives them back.

From v0.6 on RancherOS joins dockerd's arguments with spaces into one ``bash -c`` command, which
is evaluated exactly once, as root (docs/rancheros.md, "From the lists to dockerd's arguments").
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

# Placeholder for the result of an expansion; a word of bash cannot hold NUL.
EXPANDED = "\0"

_SPECIAL = {";": "a ;", "&": "an &", "|": "a |", "<": "a <", ">": "a >", "(": "a (", ")": "a )"}
_QUOTING = "'\"\\`$"
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_ANSI_C = re.compile(
    rb"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))",
    re.DOTALL,
)
_ANSI_C_LETTERS = {
    b"a": b"\a",
    b"b": b"\b",
    b"e": b"\x1b",
    b"E": b"\x1b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
}
# Each is scanned to the end of its word, so more would hold up the boot.
_MOST_BRACES = 100
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")


@dataclass(frozen=True)
class Word:
    """One word of an item, and where in the item it stands.

    ``text`` is what dockerd is given, with :data:`EXPANDED` for each part only bash can know.
    ``forks_at`` is where in it braces begin of which bash makes several words; None without such.
    """

    item: int
    start: int
    end: int
    text: str
    forks_at: int | None = None


class NotWordsError(ValueError):
    """An item is more, or less, than plain words: what follows it may not reach dockerd."""

    def __init__(
        self, item: int, reason: str, so: str = "what follows may never reach Docker; quote it"
    ) -> None:
        super().__init__(reason)
        self.item = item
        self.reason = reason
        self.so = so


def words(items: Sequence[str]) -> list[Word]:
    """Return the words of ``items``, each read for itself.

    Raises:
        NotWordsError: an item has an open quote, an operator, a comment or a line break: joined
            with others it would end or change the command.
    """
    found = []
    for index, item in enumerate(items):
        try:
            found.extend(_Reader(index, item).words())
        except RecursionError:
            raise NotWordsError(index, "too many $( in each other") from None
    return found


class _Reader:
    """Reads one item from left to right."""

    def __init__(self, index: int, item: str) -> None:
        self._index = index
        self._item = item
        self._at = 0

    def words(self) -> list[Word]:
        found: list[Word] = []
        while True:
            while self._peek() in (" ", "\t"):
                self._at += 1
            if not self._peek():
                return found
            if self._peek() == "#":
                raise self._wrong("a comment")
            start = self._at
            text, bare = self._word()
            found.append(Word(self._index, start, self._at, text, _forks_at(bare)))

    def _peek(self) -> str:
        return self._item[self._at : self._at + 1]

    def _wrong(self, reason: str) -> NotWordsError:
        return NotWordsError(self._index, reason)

    def _word(self) -> tuple[str, str]:
        """Return a word's text, and the same with a space for each character that was quoted."""
        text = bare = ""
        while (c := self._peek()) and c not in " \t":
            self._at += 1
            text += self._part(c)
            bare = bare.ljust(len(text)) if c in _QUOTING else bare + c
        return text, bare

    def _part(self, c: str) -> str:
        if c in _SPECIAL:
            raise self._wrong(_SPECIAL[c])
        match c:
            case "\n":
                raise self._wrong("a line break")
            case "'":
                return self._until("'")
            case '"':
                return self._double_quoted()
            case "\\":
                return self._escaped()
            case "`":
                return self._backquoted()
            case "$":
                return self._dollar(quoted=False)
        return c

    def _until(self, end: str) -> str:
        close = self._item.find(end, self._at)
        if close < 0:
            raise self._wrong(f"an open {end}")
        text = self._item[self._at : close]
        self._at = close + 1
        return text

    def _escaped(self) -> str:
        c = self._peek()
        if not c or c == "\n":
            raise self._wrong("a \\ at its end")
        self._at += 1
        return c

    def _backquoted(self) -> str:
        while (c := self._peek()) != "`":
            if not c:
                raise self._wrong("an open `")
            self._at += 2 if c == "\\" else 1
        self._at += 1
        return EXPANDED

    def _double_quoted(self) -> str:
        text = ""
        while (c := self._peek()) != '"':
            if not c:
                raise self._wrong('an open "')
            self._at += 1
            if c == "\\" and self._peek() and self._peek() in '$`"\\\n':
                escaped = self._peek()
                self._at += 1
                text += "" if escaped == "\n" else escaped
            elif c == "`":
                text += self._backquoted()
            elif c == "$":
                text += self._dollar(quoted=True)
            else:
                text += c
        self._at += 1
        return text

    def _dollar(self, *, quoted: bool) -> str:
        c = self._peek()
        if c == "'" and not quoted:
            self._at += 1
            return self._ansi_c()
        if c == '"' and not quoted:
            self._at += 1
            return self._double_quoted()
        if c in _CLOSING:
            self._nested(c, _CLOSING[c])
            return EXPANDED
        if name := _NAME.match(self._item, self._at):
            self._at = name.end()
            return EXPANDED
        return "$"

    def _nested(self, opening: str, closing: str) -> None:
        depth = 0
        while c := self._peek():
            self._at += 1
            if c == "\\":
                self._at += 1
            elif c == "'" and opening == "(":
                self._until("'")
            elif c == '"':
                self._double_quoted()
            elif c == opening:
                depth += 1
            elif c == closing:
                depth -= 1
                if not depth:
                    return
        raise self._wrong(f"an open ${opening}")

    def _ansi_c(self) -> str:
        start = self._at
        while (c := self._peek()) != "'":
            if not c:
                raise self._wrong("an open $'")
            self._at += 2 if c == "\\" else 1
        raw = self._item[start : self._at].encode("utf-8", "surrogatepass")
        self._at += 1
        return _ANSI_C.sub(_ansi_c_escape, raw).decode("utf-8", "surrogateescape")


def _forks_at(bare: str) -> int | None:
    """Return where braces begin of which bash makes several words: ``{a,b}``, ``{1..3}``.

    None if there are none. Some that bash leaves as they are (``{ab..c}``, or any beside very
    many others) are among them.

    Args:
        bare: the word, with a space for each character that is quoted or expanded in another way.
    """
    starts = [at for at, c in enumerate(bare) if c == "{"]
    if len(starts) > _MOST_BRACES:
        return starts[0]
    for start in starts:
        depth, parts = 0, 1
        for at in range(start + 1, len(bare)):
            if bare[at] == "{":
                depth += 1
            elif bare[at] == "}" and depth:
                depth -= 1
            elif bare[at] == "}" and parts > 1:
                return start
            elif not depth and bare.startswith((",", ".."), at):
                parts += 1
    return None


def _ansi_c_escape(match: re.Match[bytes]) -> bytes:
    byte, short, long, octal, control, other = match.groups()
    if byte or octal:
        return bytes([int(byte, 16) if byte else int(octal, 8) & 0xFF])
    if code := short or long:
        point = int(code, 16)
        return chr(point).encode("utf-8", "surrogatepass") if point < 0x110000 else match[0]
    if control:
        return bytes([ord(control) & 0x1F])
    if other in b"\\'\"?":
        return bytes(other)
    return _ANSI_C_LETTERS.get(other, match[0])


def quoted(text: str) -> str:
    r"""Return one bash word, in printable ASCII, that evaluates to the UTF-8 bytes of ``text``.

    Plain quoting where it can carry the text, else ANSI-C quoting. A ``$`` is always carried as
    ``\x24``: ``ros`` replaces ``$private_ipv4`` and its like in the text of every file it loads,
    and writes our words into cloud-config.yml anew with the ``$`` bare.

    Raises:
        ValueError: ``text`` holds a NUL or a lone surrogate, which no argument can.
    """
    if "\0" in text:
        raise ValueError("a NUL character")
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair") from None
    if all(0x20 <= byte < 0x7F and byte not in b"$'" for byte in raw):
        return shlex.quote(text)
    return "$'" + "".join(_ansi_c_quoted(byte) for byte in raw) + "'"


def _ansi_c_quoted(byte: int) -> str:
    if byte in b"'\\":
        return "\\" + chr(byte)
    if 0x20 <= byte < 0x7F and byte != ord("$"):
        return chr(byte)
    return f"\\x{byte:02x}"
