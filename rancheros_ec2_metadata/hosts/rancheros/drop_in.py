"""Our drop-in, as every release of ``ros`` reads it: comments, then one JSON document in ASCII."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

Value: TypeAlias = "str | int | Sequence[Value] | Mapping[str, Value]"

_COMMENT = """\
#cloud-config
# Written by rancheros-ec2-metadata from this instance's tags and metadata, anew at every boot.
# To remove it: run the service once with the command 'clean'.
"""
_NOT_ASCII = re.compile(r"[^\t\n\r -~]")
# As values `ros` reads them as the empty text, even in quotes.
_NULLS = ("~", "null", "Null", "NULL")


def render_drop_in(tree: Mapping[str, Value], addressed: Iterable[str] = ()) -> bytes:
    """Return the file; a ``$`` is escaped, as ``ros`` would replace $private_ipv4 in the text.

    Args:
        tree: of the file, Docker's arguments first.
        addressed: the user's arguments in which ``ros`` must replace it.
    """
    text = json.dumps(tree, indent=1).replace("$", r"\u0024")
    for item in map(json.dumps, addressed):
        text = text.replace(item.replace("$", r"\u0024"), item, 1)
    return f"{_COMMENT}{text}\n".encode("ascii")


def parse_drop_in(raw: bytes) -> dict[str, Any]:
    """Return what our drop-in sets; empty if it is not as this program writes it."""
    lines = raw.decode("utf-8", "replace").splitlines()
    try:
        found = json.loads("\n".join(line for line in lines if not line.startswith("#")))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def put(tree: dict[str, Any], path: Sequence[str], value: Value) -> None:
    """Put ``value`` into a tree of maps at ``path``."""
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value


def explain_uncarriable(text: str) -> str | None:
    """Return why ``text`` cannot be an environment name or value; None if it can."""
    if text in _NULLS:
        return f"RancherOS reads {text!r} as the empty text"
    character = _NOT_ASCII.search(text)
    if character:
        return f"it holds U+{ord(character[0]):04X}, and RancherOS carries only ASCII text there"
    return None
