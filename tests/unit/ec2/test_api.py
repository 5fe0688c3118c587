"""The API client on the wire: what it sends, what it takes from where, and what it makes of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.answering_api import Answer, AnsweringApi, refusal, tags
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.api import TagsApi
from rancheros_ec2_metadata.ec2.instance import Identity
from rancheros_ec2_metadata.ec2.retry import Reason, RequestError
from rancheros_ec2_metadata.ec2.role import Credentials
from rancheros_ec2_metadata.settings import ApiSettings
from unit.ec2.metadata_server import (
    INSTANCE_ID,
    SECRETS,
)
from unit.ec2.scripted_server import Serve, closed_url

IDENTITY = Identity(INSTANCE_ID, "eu-central-1")
LIMIT = Limit.after(3600, Clock())
CREDENTIALS = Credentials("web-role", "ASIASECRETKEYID", "secret/access/key", "session//t")


def page(found: dict[str, str], token: str = "") -> Answer:
    return tags(INSTANCE_ID, found, token)


@pytest.fixture(scope="module")
def shared() -> Iterator[AnsweringApi]:
    """One endpoint for the module: botocore takes half a second to make a client for it."""
    with AnsweringApi() as served:
        yield served


@pytest.fixture
def endpoint(shared: AnsweringApi) -> AnsweringApi:
    shared.answers, shared.heads, shared.bodies = [], [], []
    return shared


@pytest.fixture(scope="module")
def api(shared: AnsweringApi) -> TagsApi:
    """One client at that endpoint; the tests of how it is made make their own."""
    return api_at(shared.url)


def api_at(url: str, identity: Identity = IDENTITY) -> TagsApi:
    return TagsApi(identity, CREDENTIALS, ApiSettings(endpoint=url))


def failure(api: TagsApi, limit: Limit = LIMIT) -> RequestError:
    with pytest.raises(RequestError) as caught:
        api.ask(limit)
    everything = f"{caught.value!r} {caught.value} {api!r}"
    assert not [secret for secret in SECRETS if secret in everything]
    return caught.value


def test_one_call_brings_all_tags_with_the_roles_credentials(
    endpoint: AnsweringApi, api: TagsApi
) -> None:
    found = {"docker.role": "web", "empty": "", "k": "caf\u00e9 & <x> \U0001f600  "}
    endpoint.answers = [page(found)]
    assert api.ask(LIMIT) == found
    (body,), (head,) = endpoint.bodies, endpoint.heads
    assert body["Action"] == ["DescribeTags"]
    assert (body["Filter.1.Name"], body["Filter.1.Value.1"]) == (["resource-id"], [INSTANCE_ID])
    assert body["MaxResults"] == ["1000"]
    assert "Credential=ASIASECRETKEYID/" in head["Authorization"]
    assert "/eu-central-1/ec2/" in head["Authorization"]
    assert head["X-Amz-Security-Token"] == "session//t"


def test_all_pages_are_read_but_not_pages_without_end(endpoint: AnsweringApi, api: TagsApi) -> None:
    endpoint.answers = [page({"a": "1"}, "next"), page({"b": "2"})]
    assert api.ask(LIMIT) == {"a": "1", "b": "2"}
    assert endpoint.bodies[1]["NextToken"] == ["next"]
    endpoint.answers = [page({f"key-{n}": ""}, f"token-{n}") for n in range(50)]
    assert "does not answer as the EC2 API does" in str(failure(api))
    assert len(endpoint.bodies) <= 13


STALE = {
    "AWS_ACCESS_KEY_ID": "ASIASTALE",
    "AWS_SECRET_ACCESS_KEY": "stale",
    "AWS_SESSION_TOKEN": "stale",
    "AWS_PROFILE": "nowhere",
    "AWS_DEFAULT_PROFILE": "nowhere",
    "AWS_REGION": "us-west-2",
    "AWS_DEFAULT_REGION": "us-west-2",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_RETRY_MODE": "never",
    "AWS_DEFAULTS_MODE": "odd",
    "AWS_CA_BUNDLE": "/nowhere",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1",
}


@pytest.mark.parametrize("broken", ["[[[ no ini\n", "\xff\xfe", "[default]\nregion = us-west-2\n"])
def test_nothing_of_the_environment_or_of_files_is_used_and_no_secret_logged(
    endpoint: AnsweringApi,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    broken: str,
) -> None:
    (tmp_path / ".aws").mkdir()
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text(broken, encoding="latin-1")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in STALE.items():
        monkeypatch.setenv(name, value)
    endpoint.answers = [page({"a": "1"})]
    # An endpoint of the settings needs no FIPS or dual-stack one of botocore's.
    settings = ApiSettings(endpoint=endpoint.url, fips=True, dualstack=True)
    with caplog.at_level(logging.DEBUG):
        api = TagsApi(IDENTITY, CREDENTIALS, settings)
        assert api.ask(LIMIT) == {"a": "1"}
    assert "Credential=ASIASECRETKEYID/" in endpoint.heads[0]["Authorization"]
    assert "/eu-central-1/" in endpoint.heads[0]["Authorization"]
    assert not [secret for secret in SECRETS if secret in caplog.text]


OK = b"HTTP/1.1 200 OK\r\n"
CHUNK = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel"
TOO_SHORT = OK + b"Content-Length: 400\r\n\r\n" + str(page({"a": "1"})[1]).encode()[:-10]


@pytest.mark.parametrize("said", [b"", CHUNK, TOO_SHORT], ids=["nothing", "a chunk", "too little"])
def test_an_endpoint_that_breaks_off_is_out_of_reach_and_named(serve: Serve, said: bytes) -> None:
    url = serve(lambda c: c.sendall(said))
    caught = failure(api_at(url))
    assert (caught.reason, url in str(caught)) == (Reason.UNREACHABLE, True)


@pytest.mark.parametrize(
    ("limit", "said"), [(LIMIT, "Connection refused"), (Limit.after(0, Clock()), "VPC endpoint")]
)
def test_where_nobody_listens_or_no_time_is_left_the_endpoint_is_named(
    limit: Limit, said: str
) -> None:
    url = closed_url()
    caught = failure(api_at(url), limit)
    assert caught.reason is Reason.UNREACHABLE
    assert [words for words in (url, said) if words not in str(caught)] == []


@pytest.mark.parametrize(("exempt", "came"), [("", [b"CONNECT"]), ("127.0.0.1", [])])
def test_the_proxy_of_the_environment_is_used_and_its_password_not_shown(
    serve: Serve,
    heads: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    exempt: str,
    came: list[bytes],
) -> None:
    url = closed_url().replace("http:", "https:")
    proxy = serve(lambda c: c.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.replace("//", "//me:hidden@"))
    monkeypatch.setenv("NO_PROXY", exempt)
    caught = failure(api_at(url))
    assert [head.split()[0] for head in heads] == came
    assert caught.reason is Reason.UNREACHABLE
    assert url in str(caught)
    assert "hidden" not in str(caught)


@pytest.mark.parametrize("url", ["no-url", "http://", "ftp://127.0.0.1"])
def test_an_endpoint_that_is_no_url_is_named(url: str) -> None:
    caught = failure(api_at(url))
    assert url in str(caught)
    assert not str(caught).startswith("<")


def test_a_ca_bundle_that_is_not_there_is_an_error(endpoint: AnsweringApi) -> None:
    settings = ApiSettings(endpoint=endpoint.url.replace("http:", "https:"), ca_bundle="/nowhere")
    assert "AWS_CA_BUNDLE" in str(failure(TagsApi(IDENTITY, CREDENTIALS, settings)))
    assert endpoint.bodies == []


@pytest.mark.parametrize(
    ("region", "settings", "url"),
    [
        ("eu-central-1", {}, "https://ec2.eu-central-1.amazonaws.com"),
        ("eu-central-1", {"fips": True}, "https://ec2-fips.eu-central-1.amazonaws.com"),
        ("us-east-1", {"dualstack": True}, "https://ec2.us-east-1.api.aws"),
        ("cn-north-1", {}, "https://ec2.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", {}, "https://ec2.eusc-de-east-1.amazonaws.eu"),
        ("xx-moon-1", {"endpoint": "https://of-the-operator"}, "https://of-the-operator"),
    ],
)
def test_the_endpoint_is_the_settings_or_botocores(
    region: str, settings: dict[str, Any], url: str
) -> None:
    api = TagsApi(Identity(INSTANCE_ID, region), CREDENTIALS, ApiSettings(**settings))
    assert api._make_client().meta.endpoint_url == url  # noqa: SLF001 - no request leaves a test


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        *[
            ((200, text), Reason.FINAL, ("http://127.0.0.1",))
            for text in (b"<html><body>Welcome</body></html>", b"<html><br>Welcome", b"")
        ],
        ((200, b"\xff\xfe\x00"), Reason.FINAL, ("http://127.0.0.1",)),
        pytest.param((200, b"x" * 5_000_000), Reason.FINAL, ("http://127.0.0.1",), id="long"),
        ((502, b"<html><br>Bad gateway"), Reason.BUSY, ("http://127.0.0.1",)),
        ((429, b"slow down"), Reason.BUSY, ("http://127.0.0.1",)),
        ((302, b""), Reason.FINAL, ()),
        (refusal(403, "UnauthorizedOperation"), Reason.REFUSED, ("'web-role'", "ec2:DescribeTags")),
        (refusal(403, "AccessDenied"), Reason.REFUSED, ("'web-role'", "ec2:DescribeTags")),
        (refusal(503, "RequestLimitExceeded"), Reason.BUSY, ("throttles", "InstanceMetadataTags")),
        (refusal(400, "Throttling"), Reason.BUSY, ("throttles",)),
        (refusal(429, "TooMany"), Reason.BUSY, ("throttles",)),
        (
            refusal(500, "InternalError"),
            Reason.BUSY,
            ("500", "'InternalError'", "http://127.0.0.1"),
        ),
        (refusal(401, "AuthFailure"), Reason.REFUSED, ("'web-role'", "AuthFailure", "clock")),
        (refusal(400, "RequestExpired"), Reason.FINAL, ("RequestExpired", "NTP")),
        (refusal(403, "SignatureDoesNotMatch"), Reason.FINAL, ("NTP",)),
        (
            refusal(403, "OptInRequired"),
            Reason.FINAL,
            ("'OptInRequired'", "'web-role'", "DescribeTags"),
        ),
        (refusal(400, "Bad\n2026 forged line"), Reason.FINAL, ("\\n2026",)),
    ],
)
def test_what_brings_no_tags_is_asked_once_and_has_its_reason_and_its_words(
    endpoint: AnsweringApi,
    api: TagsApi,
    answer: Answer,
    reason: Reason,
    words: tuple[str, ...],
) -> None:
    endpoint.answers = [answer]
    caught = failure(api)
    assert caught.reason is reason
    assert [word for word in words if word not in str(caught)] == []
    assert "\n" not in str(caught)
    assert len(endpoint.bodies) == 1  # botocore's own retries are off
