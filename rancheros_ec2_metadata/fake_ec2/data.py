"""What the fake instance is, and the JSON an operator describes it in (docs/fake-imds.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, get_args

from rancheros_ec2_metadata.errors import FilesError, UsageError, quote

Tokens = Literal["required", "optional"]

# What the value of a field must be, by the field's type.
_MUST_BE = {
    "str": "text in quotes",
    "str | None": "text in quotes, or null",
    "bool": "true or false",
    "Tokens": '"required" or "optional"',
    "tuple[str, ...]": "a list of texts in quotes",
    "Mapping[str, str]": "a map of text to text",
    "Mapping[str, str | None]": "a map of text to text or null",
}


@dataclass(frozen=True)
class FakeInstance:
    """An instance as an operator describes it; every field has a default that works.

    docs/fake-imds.md says what each is.
    """

    instance_id: str = "i-0123456789abcdef0"
    region: str = "eu-west-1"
    availability_zone: str | None = None
    instance_type: str = "m5.large"
    architecture: str = "x86_64"
    ami_id: str = "ami-0abcdef1234567890"
    local_ipv4: str | None = "10.0.0.12"
    public_ipv4: str | None = None
    ipv6: str | None = None
    hostname: str | None = None
    public_hostname: str | None = None
    mac: str = "02:29:96:8f:6a:2d"
    vpc_id: str = "vpc-0123456789abcdef0"
    subnet_id: str = "subnet-0123456789abcdef0"
    security_groups: tuple[str, ...] = ("default",)
    role: str | None = None
    instance_profile: str | None = None
    pending_time: str = "2026-01-05T08:00:00Z"
    account_id: str = "123456789012"
    partition: str = "aws"
    domain: str = "amazonaws.com"
    autoscaling_group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    tags_in_metadata: bool = True
    user_data: str | None = None
    tokens: Tokens = "required"
    extra: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        """Return the availability zone."""
        return self.availability_zone or f"{self.region}a"

    @property
    def all_tags(self) -> dict[str, str]:
        """Return the tags with the one that EC2 Auto Scaling adds."""
        if self.autoscaling_group is None:
            return dict(self.tags)
        return {"aws:autoscaling:groupName": self.autoscaling_group, **self.tags}


def read_instance(path: Path) -> FakeInstance:
    """Return the instance that the JSON file ``path`` describes.

    Raises:
        FilesError: the file cannot be read.
        UsageError: it is no JSON, or as for parse_instance.
    """
    try:
        given = json.loads(path.read_bytes())
    except OSError as cause:
        raise FilesError(f"{path} cannot be read: {cause.strerror}") from cause
    except ValueError as cause:
        raise UsageError(f"{path} is not JSON: {cause}") from cause
    return parse_instance(given, str(path))


def parse_instance(given: object, source: str) -> FakeInstance:
    """Return the instance that ``given``, as the JSON parser gives it, describes.

    Args:
        given: a map of FakeInstance's fields; those left out have their default.
        source: the file's name, for errors.

    Raises:
        UsageError: a key that is not known, or a value of the wrong type.
    """
    if not isinstance(given, dict):
        raise UsageError(f"{source}: must be a map in {{}}")
    types = {one.name: str(one.type) for one in fields(FakeInstance)}
    for key, value in given.items():
        if key not in types:
            known = ", ".join(sorted(types))
            raise UsageError(f"{source}: unknown key {quote(key)}; the keys are {known}")
        if not _fits(value, types[key]):
            raise UsageError(f"{source}: {key}: must be {_MUST_BE[types[key]]}")
    lists = {key: tuple(value) for key, value in given.items() if isinstance(value, list)}
    return FakeInstance(**given | lists)


def _fits(value: object, kind: str) -> bool:
    match value:
        case None:
            return kind == "str | None"
        case bool():
            return kind == "bool"
        case str():
            return kind in ("str", "str | None") or (kind == "Tokens" and value in get_args(Tokens))
        case list():
            return kind == "tuple[str, ...]" and all(_fits(one, "str") for one in value)
        case dict():
            inner = "str | None" if kind == "Mapping[str, str | None]" else "str"
            return kind.startswith("Mapping") and all(_fits(one, inner) for one in value.values())
    return False
