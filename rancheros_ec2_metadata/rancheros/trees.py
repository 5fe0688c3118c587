"""Trees of maps, as YAML files make them: merged, looked up, walked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from rancheros_ec2_metadata.rancheros.ros_yaml import Node

Path: TypeAlias = tuple[str, ...]
Tree: TypeAlias = dict[str, Node]


def merged(under: Tree, over: Tree) -> Tree:
    """Return two trees as one: maps merge key by key, of all else ``over`` has the word."""
    return _merged(under, over, {})


def at(tree: Tree, path: Path) -> Node:
    """Return what is at ``path``; None where nothing or a null is."""
    node: Node = tree
    for key in path:
        if not isinstance(node, dict):
            return None
        node = node.get(key)
    return node


def sets(tree: Tree, path: Path) -> bool:
    """Tell whether ``path`` is there, or a null or anything but a map above it."""
    node: Node = tree
    for key in path:
        if not isinstance(node, dict):
            return True
        if key not in node:
            return False
        node = node[key]
    return True


def texts(tree: Tree) -> Iterator[tuple[Path, str]]:
    """Yield every key, and every text, with where it is; what has several places, once."""
    return _texts(tree, (), set())


def _merged(under: Tree, over: Tree, known: dict[tuple[int, int], Tree]) -> Tree:
    """Merge; ``known`` keeps aliases of aliases from being merged again and again."""
    pair = (id(under), id(over))
    if pair not in known:
        result = known[pair] = dict(under)
        for key, node in over.items():
            inner = under.get(key)
            if isinstance(inner, dict) and isinstance(node, dict):
                result[key] = _merged(inner, node, known)
            else:
                result[key] = node
    return known[pair]


def _texts(node: Node, path: Path, seen: set[int]) -> Iterator[tuple[Path, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, list | dict) and id(node) not in seen:
        seen.add(id(node))
        for item in node if isinstance(node, list) else ():
            yield from _texts(item, path, seen)
        for key, value in node.items() if isinstance(node, dict) else ():
            yield (*path, key), key
            yield from _texts(value, (*path, key), seen)
