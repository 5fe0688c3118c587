from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from rancheros_ec2_metadata.errors import FilesError, UsageError
from rancheros_ec2_metadata.fake_ec2.data import (
    FakeInstance,
    ImdsOptions,
    instance_from,
    read_instance,
)

EVERY_FIELD = {
    "instance_id": "i-0fedcba9876543210",
    "region": "us-gov-west-1",
    "availability_zone": "us-gov-west-1b",
    "availability_zone_id": "usgw1-az2",
    "instance_type": "a1.metal",
    "architecture": "arm64",
    "ami_id": "ami-1",
    "ami_launch_index": 3,
    "ami_manifest_path": "m",
    "ancestor_ami_ids": ["ami-2", "ami-3"],
    "reservation_id": "r-1",
    "local_ipv4": "10.1.2.3",
    "public_ipv4": "52.1.2.3",
    "ipv6": "2001:db8::1",
    "hostname": "h.example",
    "public_hostname": "p.example",
    "mac": "0a:00:00:00:00:01",
    "vpc_id": "vpc-1",
    "subnet_id": "subnet-1",
    "security_groups": ["default", "web"],
    "role": "docker-node",
    "instance_profile": "other",
    "pending_time": "now",
    "account_id": "000000000001",
    "lifecycle": "spot",
    "spot_termination_time": "2026-02-01T00:00:00Z",
    "placement_group": "g",
    "host_id": "h-1",
    "partition_number": 2,
    "partition": "aws-us-gov",
    "domain": "amazonaws.example",
    "autoscaling_group": "web",
    "target_lifecycle_state": "Warmed:Stopped",
    "tags": {"docker.role": "web", "é": "€"},
    "tags_in_metadata": False,
    "user_data": "#cloud-config",
    "imds": {"tokens": "optional", "hop_limit_lost": True, "enabled": False},
    "extra": {"public-hostname": "", "iam": None},
}


def test_an_empty_map_is_the_default_instance() -> None:
    assert instance_from({}, "f") == FakeInstance()


def test_a_map_of_every_field_sets_every_field() -> None:
    instance = instance_from(json.loads(json.dumps(EVERY_FIELD)), "f")

    assert {field.name for field in fields(FakeInstance)} == set(EVERY_FIELD)
    for key, value in EVERY_FIELD.items():
        if key == "imds":
            assert instance.imds == ImdsOptions("optional", hop_limit_lost=True, enabled=False)
        else:
            expected = tuple(value) if isinstance(value, list) else value
            assert getattr(instance, key) == expected


@pytest.mark.parametrize(
    "key",
    sorted(f.name for f in fields(FakeInstance) if "None" in str(f.type) and f.default is None),
)
def test_null_is_a_field_left_out(key: str) -> None:
    assert instance_from({key: None}, "f") == FakeInstance()


@pytest.mark.parametrize(
    ("given", "key", "expected"),
    [
        ({"account_id": 123456789012}, "account_id", "text in quotes"),
        ({"region": None}, "region", "text in quotes"),
        ({"region": "\ud800"}, "region", "text in quotes"),
        ({"public_ipv4": False}, "public_ipv4", "text in quotes, or null"),
        ({"ami_launch_index": True}, "ami_launch_index", "a whole number"),
        ({"ami_launch_index": "0"}, "ami_launch_index", "a whole number"),
        ({"partition_number": 1.5}, "partition_number", "a whole number, or null"),
        ({"tags_in_metadata": "yes"}, "tags_in_metadata", "true or false"),
        ({"security_groups": "default"}, "security_groups", "a list of texts"),
        ({"security_groups": ["a", 1]}, "security_groups", "a list of texts"),
        ({"tags": {"a": None}}, "tags", "a map of text to text"),
        ({"tags": {"\ud800": "a"}}, "tags", "a map of text to text"),
        ({"tags": ["a"]}, "tags", "a map of text to text"),
        ({"extra": {"hostname": 1}}, "extra", "a map of text to text or null"),
        ({"extra": []}, "extra", "a map of text to text or null"),
        ({"imds": "required"}, "imds", "a map"),
        ({"imds": {"tokens": "never"}}, "imds: tokens", '"required" or "optional"'),
        ({"imds": {"enabled": 1}}, "imds: enabled", "true or false"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_file_and_key(
    given: object, key: str, expected: str
) -> None:
    with pytest.raises(UsageError) as caught:
        instance_from(given, "fake.json")

    assert str(caught.value).startswith(f"fake.json: {key}: must be {expected}")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("pending_time", "yesterday"),
        ("pending_time", "2026-01-05 08:00:00"),
        ("spot_termination_time", "soon"),
        ("role", "a/b"),
        ("role", ""),
        ("mac", "02:29:96"),
    ],
)
def test_a_text_of_the_wrong_form_is_named_with_file_and_key(key: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"^fake.json: {key}: '{text}' is not "):
        instance_from({key: text}, "fake.json")


@pytest.mark.parametrize("path", ["/hostname", "tags/", "a//b", "", "a\nb"])
def test_an_extra_path_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match=r"^fake.json: extra: "):
        instance_from({"extra": {path: "x"}}, "fake.json")


def test_an_unknown_key_is_named_with_the_key_that_may_be_meant() -> None:
    with pytest.raises(
        UsageError, match=r"^fake.json: unknown key 'instanceid'; known: instance_id$"
    ):
        instance_from({"instanceid": "i-1"}, "fake.json")


def test_an_unknown_key_like_no_other_is_answered_with_all_keys() -> None:
    with pytest.raises(
        UsageError, match=r"^fake.json: imds: unknown key 'x'; known: enabled, hop_"
    ):
        instance_from({"imds": {"x": 1}}, "fake.json")


def test_a_list_is_no_instance() -> None:
    with pytest.raises(UsageError, match=r"^fake.json: must be a map"):
        instance_from([], "fake.json")


def test_a_file_is_read_as_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "fake.json"
    file.write_bytes('{"tags": {"team": "café"}}'.encode())

    assert read_instance(file).tags == {"team": "café"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"tags": {}', "no JSON at line 1, column 12"),
        (b'{"tags": {"a": "\xe9"}}', "not UTF-8 at byte 16"),
        (b'{"tag": {}}', "unknown key 'tag'; known: tags"),
    ],
)
def test_a_file_that_describes_nothing_is_named(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    file = tmp_path / "fake.json"
    file.write_bytes(content)

    with pytest.raises(UsageError) as caught:
        read_instance(file)

    assert str(caught.value).startswith(f"{file}: {expected}")


def test_a_file_that_cannot_be_read_is_a_files_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match=r"fake.json: No such file"):
        read_instance(tmp_path / "fake.json")
