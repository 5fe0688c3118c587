"""Shell words: split as bash splits them, quoted so that bash gives them back.

From v0.6 on RancherOS joins dockerd's arguments with spaces into one ``bash -c`` command, which
is evaluated exactly once, as root (docs/rancheros.md, "From the lists to dockerd's arguments").
Plain words are read here; an item that is anything else is refused by name.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Placeholder for the result of an expansion; a word of bash cannot hold NUL.
EXPANDED = "\0"

# One expansion, with whole quotes and no more braces or parentheses in it.
_EXPANSION = r"""
    \$ (?: [A-Za-z_][A-Za-z0-9_]* (?![A-Za-z0-9_])
         | [-0-9@*\#?$!]
         | \{ [^{}'"\\`$\n]* \}
         | \( (?: [^()'"\\`\#\n] | '[^'()\n]*' | "[^"()\\`\n]*" )* \) )
    | ` [^`'"\\\n]* `
"""
# What makes an expansion of a $ before it.
_EXPANDABLE = r"-A-Za-z0-9_@*\#?$!({\["
_PIECE = re.compile(
    rf"""
    (?P<bare> (?: [^ \t\n'"\\`$;&|<>()] | \$ (?! [{_EXPANDABLE}'"] ) )+ )
    | \\ (?P<escaped> [^\n] )
    | ' (?P<single> [^']* ) '
    | " (?P<double> (?: [^"\\`$] | \\ . | {_EXPANSION} | \$ (?! [{_EXPANDABLE}] ) )* ) "
    | \$' (?P<ansi_c> (?: [^'\\] | \\ [\\'] | \\ x [0-9A-Fa-f]{{2}} )* ) '
    | (?P<expansion> {_EXPANSION} )
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_DOUBLE_QUOTES = re.compile(rf"""\\ (?P<escaped> [$`"\\\n] ) | {_EXPANSION}""", re.VERBOSE)
_IN_ANSI_C = re.compile(rb"\\(?:x(..)|(.))")
# Go's templates, as in --log-opt: bash leaves them as they are.
_TEMPLATE = re.compile(r"\{\{(?:[^{},.]|\.(?!\.))*\}\}")
_REASONS = {
    "\n": "a line break",
    "#": "a comment",
    "&": "an &",
    "'": "an open '",
    "\\": "a \\ at its end",
    '"': 'a " that is not closed, or not plain',
    "`": "a ` that is not closed, or not plain",
    "$": "a $ that is not closed, or not plain",
}


class Word(NamedTuple):
    """One word of an item, and where in the item it stands.

    ``text`` is what dockerd is given, with :data:`EXPANDED` for each part only bash can know.
    """

    item: int
    start: int
    end: int
    text: str


class NotWordsError(ValueError):
    """An item is more, or less, than plain words: what follows it may not reach dockerd."""

    def __init__(
        self, item: int, reason: str, so: str = "what follows may never reach Docker; quote it"
    ) -> None:
        super().__init__(reason)
        self.item = item
        self.reason = reason
        self.so = so


def split(items: Sequence[str]) -> list[Word]:
    """Return the words of ``items``, each read for itself.

    Raises:
        NotWordsError: an item has an open quote, an operator, a comment or a line break: joined
            with others it would end or change the command. Or it has quotes or braces in each
            other that are not plain.
    """
    return [word for index, item in enumerate(items) for word in _split_item(index, item)]


def _split_item(index: int, item: str) -> Iterator[Word]:
    at = 0
    while at < len(item):
        if item[at] in " \t":
            at += 1
            continue
        if item[at] == "#":
            raise NotWordsError(index, _REASONS["#"])
        start, text, bare = at, "", ""
        while at < len(item) and item[at] not in " \t":
            piece = _PIECE.match(item, at)
            if piece is None:
                raise NotWordsError(index, _REASONS.get(item[at], f"a {item[at]}"))
            at = piece.end()
            text += _evaluate(piece)
            bare += piece["bare"] or " "
        if _may_fork(bare):
            reason = "braces, of which bash makes several words"
            raise NotWordsError(index, reason, "write each word as an item of its own")
        yield Word(index, start, at, text)


def _may_fork(bare: str) -> bool:
    """Tell whether bash may make several words of one: ``{a,b}``, ``{1..3}``.

    Args:
        bare: the word, with a space for each part that is quoted or expanded in another way.
    """
    inside = _TEMPLATE.sub("{", bare).partition("{")[2].rpartition("}")[0]
    return "," in inside or ".." in inside


def _evaluate(piece: re.Match[str]) -> str:
    """Return what bash makes of one piece of a word."""
    if (double := piece["double"]) is not None:
        # A line break behind a backslash is dropped.
        return _IN_DOUBLE_QUOTES.sub(
            lambda found: EXPANDED if found["escaped"] is None else found["escaped"].strip("\n"),
            double,
        )
    if (ansi_c := piece["ansi_c"]) is not None:
        raw = _IN_ANSI_C.sub(
            lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2],
            ansi_c.encode("utf-8", "surrogatepass"),
        )
        return raw.decode("utf-8", "surrogateescape")
    if piece["expansion"] is not None:
        return EXPANDED
    return piece["bare"] or piece["escaped"] or piece["single"] or ""


def quote(text: str) -> str:
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
    return "$'" + "".join(_quote_ansi_c(byte) for byte in raw) + "'"


def _quote_ansi_c(byte: int) -> str:
    if byte in b"'\\":
        return "\\" + chr(byte)
    if 0x20 <= byte < 0x7F and byte != ord("$"):
        return chr(byte)
    return f"\\x{byte:02x}"
