"""The kernel command line, and EXTRA_CMDLINE, which ``ros`` reads the same way."""

from __future__ import annotations

from rancheros_ec2_metadata.rancheros.ros_yaml import Node, parse_value


def parse(text: str) -> dict[str, Node]:
    """Return what the parameters ``rancher.…=VALUE`` and ``cc.…=VALUE`` set.

    A parameter without a value is true. Of two, the later one is taken; one that goes through
    another's value is left out.
    """
    tree: dict[str, Node] = {}
    for parameter in text.strip().replace('\\"', '"').replace("\\'", "'").split(" "):
        name, has_value, value = parameter.removeprefix("cc.").partition("=")
        if parameter.startswith(("cc.", "rancher.")):
            _set(tree, name.split("."), parse_value(value if has_value else "true"))
    return tree


def _set(tree: dict[str, Node], path: list[str], value: Node) -> None:
    for key in path[:-1]:
        inner = tree.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        tree = inner
    tree[path[-1]] = value
