"""Text for a file that every release of ``ros`` reads back unchanged: a JSON document in ASCII."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from rancheros_ec2_metadata.rancheros.characters import Fate, first_with
from rancheros_ec2_metadata.rancheros.ros_scalars import NULLS
from rancheros_ec2_metadata.rancheros.ros_yaml import ADDRESS_VARIABLES, PLACEHOLDER_PATTERN

Tree: TypeAlias = "str | int | Sequence[Tree] | Mapping[str, Tree]"

_NOT_ASCII = re.compile(r"[^\t\n\r -~]")
_PLACEHOLDERS = re.compile(f"({PLACEHOLDER_PATTERN})")
_TWICE = re.compile(rf"{_PLACEHOLDERS.pattern}\1")


def render(tree: Mapping[str, Tree], comment_lines: Iterable[str] = ()) -> bytes:
    """Return a cloud-config of ``tree``, its keys in the order given.

    Args:
        tree: its values are text, or numbers where RancherOS wants them. An address variable, in
            the form the model has it, comes out for ``ros`` to replace; a ``$`` as such never does.
        comment_lines: without their ``#``.

    Raises:
        ValueError: there is something in it that ``ros`` would not read back, so the whole file
            would be lost. It is for the caller to leave that out.
    """
    comments = ["#cloud-config", *(f"# {line}" for line in comment_lines)]
    for line in comments:
        if re.search(r"[^ -~]", line) or any(name in line for name in ADDRESS_VARIABLES.values()):
            raise ValueError("a comment is not plain ASCII")
    return "".join(f"{line}\n" for line in (*comments, _json(tree, "\n"))).encode("ascii")


def scalar(text: str) -> str:
    """Return ``text`` as a quoted scalar, which is JSON as well as YAML; as ``render`` has it.

    Raises:
        ValueError: ``ros`` would not read it back.
    """
    why = uncarriable_item(text)
    if why:
        raise ValueError(f"a text is not for RancherOS: {why}")
    pieces = _PLACEHOLDERS.split(text)
    quoted = "".join(ADDRESS_VARIABLES.get(piece) or _escaped(piece) for piece in pieces)
    # A backslash before an address variable would keep `ros` from replacing it.
    return '"' + quoted.replace(r"\\$", r"\u005c$") + '"'


def uncarriable(text: str) -> str | None:
    """Return why ``text`` cannot be an environment name or value; None if it can."""
    if text in NULLS:
        return f"RancherOS reads {text!r} as the empty text"
    character = _NOT_ASCII.search(text)
    if character:
        return f"it holds U+{ord(character[0]):04X}, and RancherOS carries only ASCII text there"
    return None


def uncarriable_item(text: str) -> str | None:
    """Return why ``text`` cannot be an item of Docker's arguments; None if it can.

    More is possible than for a value: items of the user's come as the model has them, with
    address variables and with the few letters beyond ASCII that survive.
    """
    if text in NULLS:
        return f"RancherOS reads {text!r} as the empty text"
    character = first_with((Fate.LOST, Fate.FATAL), text)
    if character:
        return f"it holds U+{ord(character):04X}, which RancherOS cannot read back"
    if _TWICE.search(text):
        return "an address variable stands in it twice in a row, and the second is not replaced"
    return None


def _json(node: Tree, newline: str) -> str:
    deeper = f"{newline} "
    if isinstance(node, str):
        return scalar(node)
    if isinstance(node, int):
        return json.dumps(node)
    if isinstance(node, Mapping):
        members = [f"{scalar(key)}: {_json(value, deeper)}" for key, value in node.items()]
        brackets = "{}"
    else:
        members = [_json(item, deeper) for item in node]
        brackets = "[]"
    if not members:
        return brackets
    return f"{brackets[0]}{deeper}{f',{deeper}'.join(members)}{newline}{brackets[1]}"


def _escaped(piece: str) -> str:
    return json.dumps(piece)[1:-1].replace("$", r"\u0024")
