from __future__ import annotations

import pytest

from rancheros_ec2_metadata.rancheros.command_line import parse
from rancheros_ec2_metadata.rancheros.ros_yaml import Node


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", {}),
        ("console=ttyS0 quiet ancher.x=y\n", {}),
        ("rancher.debug\n", {"rancher": {"debug": True}}),
        ("rancher.a.b=0x10 rancher.a.c=", {"rancher": {"a": {"b": 16, "c": None}}}),
        ("rancher.a=1 rancher.a=2", {"rancher": {"a": 2}}),
        ("rancher.a=1 rancher.a.b=2 rancher.c=3", {"rancher": {"a": 1, "c": 3}}),
        ("rancher.a.b=1 rancher.a=2", {"rancher": {"a": 2}}),
        ("cc.hostname=x cc.rancher.a=b", {"hostname": "x", "rancher": {"a": "b"}}),
        (r"rancher.a=[\"b\",\'c\']", {"rancher": {"a": ["b", "c"]}}),
        ("rancher.a=b=c", {"rancher": {"a": "b=c"}}),
    ],
)
def test_parameters_of_rancher_become_a_tree(text: str, tree: dict[str, Node]) -> None:
    assert parse(text) == tree
