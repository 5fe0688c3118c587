"""How large a tree is with each alias taken for what it stands for."""

from __future__ import annotations

from dataclasses import dataclass

from rancheros_ec2_metadata.rancheros.ros_yaml import Node, Outcome, UnusableError

MOST_NODES = 200_000
DEEPEST = 100


@dataclass(frozen=True)
class _Size:
    nodes: int
    height: int


def check(tree: Node) -> None:
    """Let a tree pass that can be walked through, aliases and all.

    Raises:
        UnusableError: its aliases make more of it than that.
    """
    size = _size(tree, 0, {})
    if size.nodes > MOST_NODES:
        raise _too(f"more than {MOST_NODES} nodes")


def _size(node: Node, depth: int, known: dict[int, _Size]) -> _Size:
    if not isinstance(node, list | dict):
        return _Size(1, 0)
    if id(node) not in known:
        _check_depth(depth)
        inner = node if isinstance(node, list) else node.values()
        sizes = [_size(one, depth + 1, known) for one in inner]
        nodes = 1 + sum(size.nodes for size in sizes)
        known[id(node)] = _Size(nodes, 1 + max((size.height for size in sizes), default=0))
    _check_depth(depth + known[id(node)].height)
    return known[id(node)]


def _check_depth(depth: int) -> None:
    if depth > DEEPEST:
        raise _too(f"a depth of more than {DEEPEST}")


def _too(much: str) -> UnusableError:
    return UnusableError(f"with its aliases it has {much}", Outcome.UNKNOWN)
