from __future__ import annotations

import pytest

from rancheros_ec2_metadata.errors import Level
from rancheros_ec2_metadata.hosts.rancheros.saved_metadata import warn_of_another_machine

HERE = {
    "AWS_HOSTNAME": "ip-10-0-0-12.eu-west-1.compute.internal",
    "AWS_LOCAL_IPV4": "10.0.0.12",
}
KEY = "AAAAB3NzaC1yc2E-of-somebody"
# As candiedyaml writes the struct of rancher/os: a net.IP is a list of its bytes.
NULLS = "PublicIPv4: []\nPublicIPv6: []\nPrivateIPv6: []\nNetworkConfig: {}\n"


def saved(host: str, last: int) -> bytes:
    address = "".join(f"- {n}\n" for n in [0] * 10 + [255, 255, 10, 0, 0, last])
    keys = f"SSHPublicKeys:\n  k: ssh-rsa {KEY}\n"
    return f"Hostname: {host}\n{keys}{NULLS}PrivateIPv4:\n{address}".encode()


def test_of_this_instance_nothing_is_said() -> None:
    for host in (HERE["AWS_HOSTNAME"], HERE["AWS_HOSTNAME"].upper(), f"{HERE['AWS_HOSTNAME']}."):
        assert warn_of_another_machine(saved(host, 12), HERE) is None


def test_of_another_machine_host_and_address_are_named_and_what_follows_but_no_key() -> None:
    note = warn_of_another_machine(saved("ip-10-0-0-9.ec2.internal", 9), HERE)
    assert note is not None
    assert (note.level, note.status) == (Level.WARNING, 0)
    for text in (
        "/var/lib/rancher/conf/metadata",
        "'ip-10-0-0-9.ec2.internal' (here 'ip-10-0-0-12.eu-west-1.compute.internal')",
        "'10.0.0.9' (here '10.0.0.12')",
        "$private_ipv4",
        "remove it",
    ):
        assert text in note.text
    assert KEY not in note.text


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("PrivateIPv4: [10, 0, 0, 9]", "'10.0.0.9'"),
        ("PrivateIPv4: 10.0.0.9", "'10.0.0.9'"),
        ("privateipv4: 10.0.0.9", "'10.0.0.9'"),
        ('{"Hostname": "other"}', "'other'"),
    ],
)
def test_each_form_of_an_address_or_a_host_is_read(text: str, named: str) -> None:
    note = warn_of_another_machine(text.encode(), HERE)
    assert note is not None
    assert f"{named} (here" in note.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hostname: ''",
        "Hostname: [a]",
        "Hostname: null",
        "PrivateIPv4: []",
        "PrivateIPv4: [10, 0, 0]",
        "PrivateIPv4: [10, 0, 0, 999]",
        "PrivateIPv4: [10, 0, 0, x]",
        "PublicIPv4: 203.0.113.25",
        "a: {",
        "- x",
    ],
)
def test_what_names_no_host_is_not_of_another(text: str) -> None:
    assert warn_of_another_machine(text.encode(), HERE) is None


def test_without_knowing_this_instance_nothing_can_be_said() -> None:
    assert warn_of_another_machine(saved("other", 9), {}) is None
