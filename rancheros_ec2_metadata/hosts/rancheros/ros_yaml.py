"""YAML as ``ros`` reads and prints it: maps, lists and texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
# The C loader ends the process where maps or lists are nested some ten thousand deep.
_MOST_NESTED = 1000
_DEEP_BLOCK = re.compile(rf"^[ ?-]{{{_MOST_NESTED}}}", re.MULTILINE)


def load(text: str) -> Tree:
    """Return a YAML document, each scalar as its text; empty text if there is none.

    Raises:
        ValueError: it is not YAML.
    """
    may_be_deep = text.count("[") + text.count("{") > _MOST_NESTED or _DEEP_BLOCK.search(text)
    try:
        found: Tree | None = yaml.load(text, Loader=yaml.BaseLoader if may_be_deep else _Loader)  # noqa: S506 - it makes texts, lists and maps only
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("it is not YAML") from error
    return "" if found is None else found


def get(tree: Tree, *keys: str) -> Tree:
    """Return what is at ``keys``; empty text if nothing is."""
    for key in keys:
        tree = tree.get(key, "") if isinstance(tree, dict) else ""
    return tree


def flatten(tree: Tree, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tree]]:
    """Yield each text, list and empty map of a tree, with its path."""
    if isinstance(tree, dict) and tree:
        for key, inner in tree.items():
            yield from flatten(inner, (*path, key))
    else:
        yield path, tree
