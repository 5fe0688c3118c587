"""The client whose data is cut for the image sends and reads what the full one does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.session import Session

import prune_botocore
from e2e.answering_api import Answer, refusal, tags

FULL_DATA = Path(botocore.__file__).parent / "data"
# The second knows more of them.
REGIONS = sorted(
    {
        region
        for name in ("endpoints.json", "partitions.json")
        for partition in json.loads((FULL_DATA / name).read_text())["partitions"]
        for region in partition["regions"]
    }
)
FILTER = [{"Name": "resource-id", "Values": ["i-0123456789abcdef0"]}]


def session_on(data: Path) -> Session:
    """Return a session of a botocore whose own data is in this folder, as in the image."""
    session = Session()
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    loader.BUILTIN_DATA_PATH = str(data)
    session.register_component("data_loader", loader)
    session.set_credentials("AKIDEXAMPLE", "secret", "session")
    return session


@pytest.fixture(scope="module")
def full() -> Session:
    return session_on(FULL_DATA)


@pytest.fixture(scope="module")
def cut_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("botocore") / "data"
    prune_botocore.cut(FULL_DATA, data)
    return data


@pytest.fixture(scope="module")
def cut(cut_data: Path) -> Session:
    return session_on(cut_data)


class Streamed(BytesIO):
    """As urllib3 gives a body."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


@dataclass
class Wire:
    """Stands for the network: keeps what is sent, gives the answers in turn."""

    answers: Iterator[Answer]
    sent: list[object] = field(default_factory=list)

    def __call__(self, request: AWSPreparedRequest, **_: object) -> Any:
        headers = {name: _text(value) for name, value in request.headers.items()}
        del headers["X-Amz-Date"]
        del headers["amz-sdk-invocation-id"]
        headers["Authorization"] = re.sub(r"/\d{8}/|Signature=.*", "", headers["Authorization"])
        self.sent.append((request.method, request.url, headers, request.body))
        status, body = next(self.answers)
        raw = body.encode() if isinstance(body, str) else body
        return AWSResponse(request.url, status, HTTPHeaders(), Streamed(raw))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def asked(
    session: Session, region: str, answers: list[Answer], **config: Any
) -> tuple[list[object], object]:
    """Return all that a paginated DescribeTags sends, and what it reads or raises."""
    wire = Wire(iter(answers))
    read: object
    try:
        client = session.create_client(
            "ec2", region, config=Config(retries={"total_max_attempts": 1}, **config)
        )
        client.meta.events.register("before-send.ec2", wire)
        pages = client.get_paginator("describe_tags").paginate(
            Filters=FILTER, PaginationConfig={"PageSize": 1000}
        )
        read = [tag for page in pages for tag in page["Tags"]]
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        read = repr(error)
    return wire.sent, read


def test_each_partition_and_region_has_the_same_endpoint_request_and_signature(
    cut_data: Path, cut: Session, tmp_path: Path
) -> None:
    # Of the full data what is of endpoints: with all operations a client takes five times as long.
    (service,) = (cut_data / "ec2").iterdir()
    rules = (FULL_DATA / "ec2" / service.name).glob("endpoint-rule-set-1.json*")
    (tmp_path / "ec2" / service.name).mkdir(parents=True)
    for file in (*rules, service / "service-2.json", service / "paginators-1.json"):
        (tmp_path / "ec2" / service.name / file.name).symlink_to(file)
    for name in ("endpoints.json", *prune_botocore.SHARED):
        (tmp_path / name).symlink_to(FULL_DATA / name)
    full = session_on(tmp_path)
    assert {"us-east-1", "cn-north-1", "us-gov-west-1"} <= set(REGIONS)
    urls = set()
    for region, fips, dualstack in product([*REGIONS, "xx-new-1"], [False, True], [False, True]):
        config = {"use_fips_endpoint": fips, "use_dualstack_endpoint": dualstack}
        expected = asked(full, region, [tags("i-1", {})], **config)
        assert asked(cut, region, [tags("i-1", {})], **config) == expected, (region, config)
        urls.add(str(expected))
    assert len(urls) > len(REGIONS)


@pytest.mark.parametrize(
    "answers",
    [
        [tags("i-1", {})],
        [tags("i-1", {"docker.role": "web", "Größe": "a & b"})],
        [tags("i-1", {"empty": ""})],
        [tags("i-1", {"a": "1"}, "t"), tags("i-1", {"b": "2"})],
        [refusal(403, "UnauthorizedOperation")],
        [refusal(503, "RequestLimitExceeded")],
        [(200, b"<html>")],
        [(500, b"")],
    ],
    ids=["none", "two", "empty value", "pages", "denied", "throttled", "no XML", "no body"],
)
def test_each_answer_is_read_the_same(full: Session, cut: Session, answers: list[Answer]) -> None:
    expected = asked(full, "eu-central-1", answers)
    assert asked(cut, "eu-central-1", answers) == expected
    assert expected[0], "nothing was sent"


def test_the_model_keeps_the_shapes_that_are_reached_and_no_others() -> None:
    model: dict[str, Any] = {
        "version": "2.0",
        "operations": {
            "Kept": {"input": {"shape": "In"}, "errors": [{"shape": "Refused"}]},
            "Gone": {"input": {"shape": "Other"}},
        },
        "shapes": {
            "In": {"members": {"shape": {"shape": "Tree"}}},
            "Tree": {"type": "list", "member": {"shape": "Tree"}},
            "Refused": {"type": "structure", "members": {}},
            "Other": {"type": "string"},
        },
    }
    kept = prune_botocore.cut_model(model, ["Kept"])
    assert kept["operations"] == {"Kept": model["operations"]["Kept"]}
    assert kept["shapes"] == {n: model["shapes"][n] for n in ("In", "Tree", "Refused")}
    assert kept["version"] == "2.0"


def test_what_is_installed_for_the_image_is_replaced_by_the_cut_data(tmp_path: Path) -> None:
    for name in ("endpoints.json", *prune_botocore.SHARED):
        (tmp_path / "botocore/data").mkdir(parents=True, exist_ok=True)
        (tmp_path / "botocore/data" / name).write_bytes((FULL_DATA / name).read_bytes())
    (tmp_path / "botocore/data/ec2").symlink_to(FULL_DATA / "ec2")
    (tmp_path / "botocore/data/s3/2006-03-01").mkdir(parents=True)
    (tmp_path / "boto3/data/ec2").mkdir(parents=True)
    (tmp_path / "botocore/cacert.pem").touch()
    prune_botocore.main(tmp_path)
    assert not (tmp_path / "boto3/data").exists()
    assert not (tmp_path / "botocore/data/s3").exists()
    assert asked(session_on(tmp_path / "botocore/data"), "eu-central-1", [tags("i-1", {})])[1] == []
