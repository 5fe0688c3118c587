from __future__ import annotations

import pytest

from rancheros_ec2_metadata.rancheros.config_types import wrong_type
from rancheros_ec2_metadata.rancheros.ros_yaml import Node, parse


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rancher: x", "rancher is not a map"),
        ("rancher: {docker: []}", "rancher.docker is not a map"),
        ("rancher: {docker: {extra_args: x}}", "rancher.docker.extra_args is not a list"),
        ("rancher: {docker: {args: {}}}", "rancher.docker.args is not a list"),
        (
            "rancher: {docker: {extra_args: [a, [b]]}}",
            "an item of rancher.docker.extra_args is a list or a map, not text",
        ),
        ("rancher: {docker: {tls: 1}}", "rancher.docker.tls is not true or false"),
        ("rancher: {docker: {tls: []}}", "rancher.docker.tls is not true or false"),
        ("rancher: {environment: [A]}", "rancher.environment is not a map"),
        (
            'rancher: {environment: {"a\\nb": {}}}',
            "rancher.environment.a\\nb is a list or a map, not text",
        ),
        ("rancher: {environment: {<<: {A: b}}}", "rancher.environment.<< is a list or a map"),
        ("rancher: {services: {x: y}}", "rancher.services.x is not a map"),
        ("ssh_authorized_keys: x", "ssh_authorized_keys is not a list"),
        ("write_files: [{content: []}]", "an item of write_files.content is a list or a map"),
        ("hostname: {}", "hostname is a list or a map, not text"),
    ],
)
def test_one_wrong_node_is_named(text: str, why: str) -> None:
    assert str(wrong_type(parse(text.encode()))).startswith(why)


@pytest.mark.parametrize(
    "text",
    [
        "rancher:",
        "rancher: {docker: , environment: , services: }",
        "rancher: {docker: {extra_args: , tls: , args: [1, true, ~]}}",
        "rancher: {docker: {tls: 'yes'}, debug: On, environment: {A: 1, B: }}",
        "rancher: {services: {x: {image: y}}, services_include: {x: true}}",
        "hostname: 1\nmounts: [[a, b], [c]]\nruncmd: [a, [b, c]]\nnobody_knows: {a: [b]}",
        "write_files: [{path: /a, content: b, permissions: 0644, other: {}}]",
    ],
)
def test_nulls_and_retyped_scalars_are_right(text: str) -> None:
    assert wrong_type(parse(text.encode())) is None


def test_a_bomb_of_aliases_is_checked_in_no_time() -> None:
    bomb: Node = "x"
    for _ in range(90):
        bomb = {"a": bomb, "b": bomb}
    assert wrong_type({"rancher": {"services": bomb, "other": bomb}}) is None
