from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from rancheros_ec2_metadata.errors import FilesError, UsageError
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance, parse_instance, read_instance

PAGE = Path(__file__).parents[3] / "docs/fake-imds.md"
# Every field, each with another value than its default.
OTHERS: dict[str, Any] = {
    one.name: {"str": "x", "bool": False, "tuple[str, ...]": ("a", "b")}.get(
        str(one.type).removesuffix(" | None"), {"k": "é"}
    )
    for one in fields(FakeInstance)
}
OTHERS["tokens"] = "optional"
EVERY_FIELD = FakeInstance(**OTHERS)


@pytest.mark.parametrize("instance", [FakeInstance(), EVERY_FIELD])
def test_what_json_says_of_each_field_is_the_instance(instance: FakeInstance) -> None:
    assert parse_instance(json.loads(json.dumps(asdict(instance))), "f") == instance
    assert parse_instance({}, "f") == FakeInstance()


def test_the_page_has_every_key_with_its_default() -> None:
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| `(.*?)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    keys = [name for name, _ in rows]
    defaults = asdict(FakeInstance())
    assert keys == list(defaults)
    assert {name: json.loads(text) for name, text in rows} == json.loads(json.dumps(defaults))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "must be a map in {}"),
        ({"account_id": 123456789012}, "account_id: must be text in quotes"),
        ({"region": None}, "region: must be text in quotes"),
        ({"public_ipv4": False}, "public_ipv4: must be text in quotes, or null"),
        ({"tags": []}, "tags: must be a map of text to text"),
        ({"tags_in_metadata": "yes"}, "tags_in_metadata: must be true or false"),
        ({"security_groups": "default"}, "security_groups: must be a list of texts"),
        ({"security_groups": ["a", 1]}, "security_groups: must be a list of texts"),
        ({"tags": {"a": None}}, "tags: must be a map of text to text"),
        ({"extra": {"hostname": 1}}, "extra: must be a map of text to text or null"),
        ({"tokens": "never"}, 'tokens: must be "required" or "optional"'),
        ({"tag": {}}, "unknown key 'tag'; the keys are account_id, ami_id, "),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(given: object, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_instance(given, "fake.json")
    assert str(caught.value).startswith(f"fake.json: {said}")


@pytest.mark.parametrize("raw", [b'{"tags": {}', b'{"tags": {"a": "\xe9"}}', b'{"tag": {}}'])
def test_a_file_that_describes_nothing_is_named(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "fake.json"
    file.write_bytes(raw)
    with pytest.raises(UsageError, match=f"^{file}( is not JSON: |: unknown key 'tag')"):
        read_instance(file)
    file.unlink()
    with pytest.raises(FilesError, match=f"^{file} cannot be read: No such file"):
        read_instance(file)
