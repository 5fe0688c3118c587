"""YAML as ``ros`` writes it: candiedyaml's emitter.

It decides by itself which texts need quotes, and folds lines beyond a width.
"""

from __future__ import annotations

import re

from .yaml_scalars import TIME, Node, NotText, Scalar, plain, text_of

_ALWAYS_QUOTED = re.compile(
    r"[#,\[\]{}&*!|>'\"%@`]"  # an indicator at the start
    r"|---|\.\.\."  # a document marker
    r"|[-?:](?=[ \t\n]|$)"
    r"|.*(?::(?=[ \t\n]|$)|(?<=[ \t\n])#)",
    re.DOTALL,
)
_ESCAPES = {
    "\t": "\\t",
    "\n": "\\n",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
    "\x85": "\\N",
    "\xa0": "\\_",
    "\u2028": "\\L",
    "\u2029": "\\P",
}


def write_document(node: Node, *, width: int = 80) -> str:
    """Return a whole document, with the line end that it ends in.

    Args:
        node: what to write.
        width: the columns after which a line is folded.
    """
    return _Writer(width).document(node)


class _Writer:
    def __init__(self, width: int) -> None:
        self.width = width

    def document(self, node: Node) -> str:
        if isinstance(node, dict) and node:
            return self._map(node, 0)
        if isinstance(node, list) and node:
            return self._list(node, 0)
        return self._value(node, 0, 0).lstrip(" ")

    def _map(self, node: dict[Scalar, Node], indent: int) -> str:
        lines = ""
        for key in sorted(node, key=_sort_key):
            start = " " * indent + self._key(key) + ":"
            value = node[key]
            if isinstance(value, dict) and value:
                lines += start + "\n" + self._map(value, indent + 2)
            elif isinstance(value, list) and value:
                lines += start + "\n" + self._list(value, indent)
            else:
                lines += start + self._value(value, indent, len(start))
        return lines

    def _list(self, node: list[Node], indent: int) -> str:
        lines = ""
        for item in node:
            start = " " * indent + "-"
            if isinstance(item, dict) and item:
                lines += start + " " + self._map(item, indent + 2)[indent + 2 :]
            elif isinstance(item, list) and item:
                lines += start + " " + self._list(item, indent + 2)[indent + 2 :]
            else:
                lines += start + self._value(item, indent, len(start))
        return lines

    def _value(self, node: Node, indent: int, column: int) -> str:
        """Return a scalar, or an empty collection, behind its key or dash."""
        if isinstance(node, dict | list):
            return " {}\n" if isinstance(node, dict) else " []\n"
        if not isinstance(node, str) or (isinstance(node, NotText) and TIME.fullmatch(node)):
            return f" {_retyped(node)}\n"
        return " " + self._text(node, indent + 2, column + 1) + "\n"

    def _key(self, key: Scalar) -> str:
        return self._text(key, 0, -(10**6)) if isinstance(key, str) else _retyped(key)

    def _text(self, text: str, indent: int, column: int) -> str:
        special = bool(re.search(r"[^\n -~]", text))
        if plain(text) != text or TIME.fullmatch(text):
            return self._double(text, indent, column)
        spaces_at_breaks = bool(re.search(r" [\n\x85\u2028\u2029]", text))
        if re.search(r"[\n\x85\u2028\u2029]", text):
            fits = not (special or spaces_at_breaks or text.endswith(" ") or column < 0)
            return _literal(text, indent) if fits else self._double(text, indent, column)
        if special or spaces_at_breaks:
            return self._double(text, indent, column)
        if text.strip(" ") != text or _ALWAYS_QUOTED.match(text):
            return "'" + self._folded(text.replace("'", "''"), indent, column + 1) + "'"
        return self._folded(text, indent, column)

    def _folded(self, text: str, indent: int, column: int) -> str:
        """Return ``text`` with a line end for each single space beyond the width."""
        if column + len(text) <= self.width or " " not in text:
            return text
        out = ""
        for place, character in enumerate(text):
            before, after = text[place - 1 : place], text[place + 1 : place + 2]
            if (
                character == " "
                and column > self.width
                and before not in ("", " ")
                and after not in ("", " ")
            ):
                out += "\n" + " " * indent
                column = indent
            else:
                out += character
                column += 1
        return out

    def _double(self, text: str, indent: int, column: int) -> str:
        out = '"'
        column += 1
        spaces = False
        for place, character in enumerate(text):
            piece = _ESCAPES.get(character) or _hexadecimal(character)
            at_fold = character == " " and column > self.width and not spaces
            if at_fold and 0 < place < len(text) - 1:
                escape = "\\" if text[place + 1] == " " else ""
                out += "\n" + " " * indent + escape
                column = indent + len(escape)
            else:
                out += piece
                column += len(piece)
            spaces = character == " "
        return out + '"'


def _retyped(node: Scalar) -> str:
    return "null" if node is None else text_of(node)


def _sort_key(key: Scalar) -> tuple[int, str]:
    """Go sorts texts among themselves, after numbers and flags."""
    kinds = (type(None), bool, int, float, str)
    return kinds.index(type(key)), text_of(key)


def _hexadecimal(character: str) -> str:
    point = ord(character)
    if 0x20 <= point <= 0x7E:
        return character
    return f"\\x{point:02X}" if point <= 0xFF else f"\\u{point:04X}"


def _literal(text: str, indent: int) -> str:
    hint = "2" if text[0] in " \n" else ""
    chomp = "+" if text.endswith("\n") else "-"
    lines = text.removesuffix("\n").split("\n")
    body = "\n".join(" " * indent + line if line else "" for line in lines)
    return f"|{hint}{chomp}\n{body}"
