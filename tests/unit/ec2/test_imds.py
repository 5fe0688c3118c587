"""The metadata service's protocol: addresses, tokens, versions, retries, paths."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rancheros_ec2_metadata.ec2.imds import IPV4, IPV6, Imds, component
from rancheros_ec2_metadata.ec2.retry import SILENT, Reason, RequestError
from rancheros_ec2_metadata.errors import Ec2Error
from rancheros_ec2_metadata.settings import ImdsSettings
from unit.ec2.metadata_server import NOW, FakeClock, MetadataServer, imds_of

if TYPE_CHECKING:
    import responses

HERE = {"meta-data": {"mac": "0e:00", "instance-id": "i-1"}}
REFUSED = requests.ConnectionError("refused")
SLOW = requests.ReadTimeout("nothing")


def connected(clock: FakeClock, settings: ImdsSettings | None = None) -> Imds:
    imds = imds_of(clock, settings)
    imds.connect(imds.limit)
    return imds


def refused(clock: FakeClock, settings: ImdsSettings | None = None) -> RequestError:
    imds = imds_of(clock, settings)
    with pytest.raises(RequestError) as caught:
        imds.connect(imds.limit)
    return caught.value


def test_the_token_comes_first_and_is_sent_on_every_get(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    server = MetadataServer(HERE).start(mock)
    imds = connected(clock)
    assert imds.get("meta-data/mac") == "0e:00"
    assert imds.get("meta-data/instance-id") == "i-1"
    assert server.asked == ["PUT api/token", "GET meta-data/mac", "GET meta-data/instance-id"]
    assert [one.headers.get("X-aws-ec2-metadata-token") for one in server.sent] == [
        None,
        "TOKEN-1-SECRET",
        "TOKEN-1-SECRET",
    ]


def test_a_refused_token_is_renewed_once(mock: responses.RequestsMock, clock: FakeClock) -> None:
    server = MetadataServer(HERE, put=["TOKEN-1-SECRET", "TOKEN-2-SECRET"]).start(mock)
    imds = connected(clock)
    server.valid = {"TOKEN-2-SECRET"}
    assert imds.get("meta-data/mac") == "0e:00"
    assert server.asked.count("PUT api/token") == 2
    assert clock.slept == []


def test_a_token_that_is_refused_again_is_an_error_and_not_asked_for_again(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    server = MetadataServer(HERE).start(mock)
    imds = connected(clock)
    server.valid = set()
    with pytest.raises(RequestError, match=r"meta-data/mac: answered with 401") as caught:
        imds.get("meta-data/mac")
    assert server.asked.count("PUT api/token") == 2
    assert "SECRET" not in repr(caught.value)


def test_a_renewal_that_gives_no_token_says_so(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    server = MetadataServer(HERE, put=["TOKEN-1-SECRET", 403]).start(mock)
    imds = connected(clock)
    server.valid = set()
    with pytest.raises(
        RequestError, match=r"refuses its own token \(401\), and gives no other \(403\)"
    ):
        imds.get("meta-data/mac")


@pytest.mark.parametrize("status", [403, 404, 405])
def test_without_tokens_v1_is_spoken_and_logged(
    mock: responses.RequestsMock, clock: FakeClock, status: int
) -> None:
    MetadataServer(HERE, put=status, v1=True).start(mock)
    imds = imds_of(clock)
    note = imds.connect(imds.limit)
    assert note.text == f"IMDSv1 at {IPV4}: the token request was answered with {status}"
    assert imds.get("meta-data/mac") == "0e:00"


@pytest.mark.parametrize("status", [403, 404, 405])
def test_without_tokens_and_with_v1_forbidden_it_ends_at_once(
    mock: responses.RequestsMock, clock: FakeClock, status: int
) -> None:
    server = MetadataServer(HERE, put=status, v1=True).start(mock)
    caught = refused(clock, ImdsSettings(v1=False))
    assert f"answered with {status}" in str(caught)
    assert "--imds v2" in str(caught)
    assert "AWS_EC2_METADATA_V1_DISABLED" in str(caught)
    assert (server.asked, clock.slept) == (["PUT api/token"], [])


@pytest.mark.parametrize("status", [302, 400, 401, 418])
def test_another_answer_to_the_token_request_is_final(
    mock: responses.RequestsMock, clock: FakeClock, status: int
) -> None:
    server = MetadataServer(HERE, put=status).start(mock)
    caught = refused(clock)
    assert f"{IPV4}/latest/api/token: answered with {status}" in str(caught)
    assert (server.asked, clock.slept) == (["PUT api/token"], [])


@pytest.mark.parametrize(
    "body", ["", "two\nlines", "<html>hello world</html>", "x" * 1025, "é", "t\0", "y" * 1_000_000]
)
def test_what_is_no_token_is_not_sent_back_nor_shown(
    mock: responses.RequestsMock, clock: FakeClock, body: str
) -> None:
    server = MetadataServer(HERE, put=body).start(mock)
    caught = refused(clock)
    assert caught.reason is Reason.FINAL
    assert len(str(caught)) < 200
    assert server.asked == ["PUT api/token"]


def test_lost_answers_to_two_token_requests_and_an_answered_get_are_the_hop_limit(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    server = MetadataServer(HERE, put=SLOW, v1=True).start(mock)
    imds = imds_of(clock, ImdsSettings(mode="IPv4"))
    note = imds.connect(imds.limit)
    assert note.text.startswith(f"IMDSv1 at {IPV4}: ")
    assert "`net: host`" in note.text
    assert "HttpPutResponseHopLimit" in note.text
    assert server.asked == ["PUT api/token", "PUT api/token", "GET meta-data/instance-id"]
    assert imds.get("meta-data/mac") == "0e:00"


@pytest.mark.parametrize(
    ("service", "settings", "words"),
    [
        ({"tree": HERE}, {}, ("`net: host`", "HttpPutResponseHopLimit", "401")),
        ({"tree": HERE, "v1": True}, {"v1": False}, ("HttpPutResponseHopLimit", "--imds v2")),
        ({"tree": {"meta-data": {"instance-id": 403}}, "v1": True}, {}, ("disabled",)),
    ],
    ids=["tokens required", "IMDSv1 forbidden", "disabled"],
)
def test_behind_the_hop_limit_without_imdsv1_it_is_an_error_at_once(
    mock: responses.RequestsMock,
    clock: FakeClock,
    service: dict[str, Any],
    settings: dict[str, Any],
    words: tuple[str, ...],
) -> None:
    server = MetadataServer(put=SLOW, **service).start(mock)
    caught = refused(clock, ImdsSettings(mode="IPv4", **settings))
    assert [word for word in words if word not in str(caught)] == []
    assert caught.reason is Reason.FINAL
    assert server.asked == ["PUT api/token", "PUT api/token", "GET meta-data/instance-id"]


def test_a_service_that_accepts_and_says_nothing_is_silent_until_the_limit(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    MetadataServer({"meta-data": {"instance-id": SLOW}}, put=SLOW, v1=True).start(mock)
    caught = refused(clock, ImdsSettings(mode="IPv4"))
    assert caught.reason in SILENT
    assert 1100 < clock.time <= 1110


def test_ipv6_is_asked_where_ipv4_does_not_answer(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    MetadataServer(HERE, put=REFUSED).start(mock)
    server = MetadataServer(HERE, IPV6).start(mock)
    imds = imds_of(clock)
    assert imds.connect(imds.limit).text == f"IMDSv2 at {IPV6}"
    assert imds.get("meta-data/mac") == "0e:00"
    assert server.asked == ["PUT api/token", "GET meta-data/mac"]
    assert clock.slept == []


def test_ipv6_is_left_alone_where_ipv4_answers(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    MetadataServer(HERE, put=[503, "TOKEN-1-SECRET"]).start(mock)
    other = MetadataServer(HERE, IPV6).start(mock)
    connected(clock)
    assert other.asked == []


@pytest.mark.parametrize(
    ("settings", "base"),
    [
        (ImdsSettings(mode="IPv6"), IPV6),
        (ImdsSettings(mode="IPv4"), IPV4),
        (ImdsSettings(endpoint="http://[::1]:1338/"), "http://[::1]:1338"),
        (ImdsSettings(endpoint="http://metadata.test", mode="IPv6"), "http://metadata.test"),
    ],
)
def test_only_the_address_of_the_settings_is_asked(
    mock: responses.RequestsMock, clock: FakeClock, settings: ImdsSettings, base: str
) -> None:
    server = MetadataServer(HERE, base, put=[REFUSED, REFUSED, "TOKEN-1-SECRET"]).start(mock)
    connected(clock, settings)
    assert {str(call.request.url) for call in mock.calls} == {f"{base}/latest/api/token"}
    assert len(server.asked) == 3


def test_a_disabled_service_is_not_asked(mock: responses.RequestsMock, clock: FakeClock) -> None:
    imds = imds_of(clock, ImdsSettings(disabled=True))
    with pytest.raises(Ec2Error, match="AWS_EC2_METADATA_DISABLED"):
        imds.connect(imds.limit)
    assert len(mock.calls) == 0


def test_silence_is_asked_again_until_the_limit_and_named_with_what_to_do(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    caught = refused(clock)  # nothing is registered: every connection is refused
    assert caught.reason in SILENT
    assert 1100 < clock.time <= 1110
    assert max(clock.slept) <= 2
    assert IPV4 in str(caught)
    assert "HttpEndpoint" in str(caught)
    assert "`net: host`" in str(caught)


@pytest.mark.parametrize(
    "trouble", [500, 502, 503, 504, 429, REFUSED, SLOW, requests.ConnectTimeout("slow")]
)
def test_trouble_that_passes_is_asked_again(
    mock: responses.RequestsMock, clock: FakeClock, trouble: int | Exception
) -> None:
    tree = {"meta-data": {"mac": [trouble, trouble, trouble, "0e:00"]}}
    server = MetadataServer(tree).start(mock)
    assert connected(clock).get("meta-data/mac") == "0e:00"
    assert server.paths().count("meta-data/mac") == 4
    assert clock.slept == [0.1, 0.2, 0.4]


@pytest.mark.parametrize("status", [301, 302, 400, 403])
def test_a_refusal_is_asked_once(
    mock: responses.RequestsMock, clock: FakeClock, status: int
) -> None:
    server = MetadataServer({"meta-data": {"mac": status}}).start(mock)
    with pytest.raises(RequestError, match=f"meta-data/mac: answered with {status}"):
        connected(clock).get("meta-data/mac")
    assert server.paths() == ["meta-data/mac"]


def test_retry_after_is_honoured(mock: responses.RequestsMock, clock: FakeClock) -> None:
    tree = {"meta-data": {"mac": [(503, {"Retry-After": "7"}), "0e:00"]}}
    MetadataServer(tree).start(mock)
    assert connected(clock).get("meta-data/mac") == "0e:00"
    assert clock.slept == [7]


def test_a_retry_after_beyond_the_limit_ends_at_the_limit(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    MetadataServer({"meta-data": {"mac": (503, {"Retry-After": "3600"})}}).start(mock)
    with pytest.raises(RequestError, match="answered with 503"):
        connected(clock).get("meta-data/mac")
    assert 1109 < clock.time <= 1110


def test_busy_for_ever_ends_at_the_limit_of_the_call(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    MetadataServer({"meta-data": {"mac": 503}}).start(mock)
    imds = connected(clock)
    with pytest.raises(RequestError, match="answered with 503"):
        imds.get("meta-data/mac", imds.limit.within(20))
    assert 1018 < clock.time <= 1020


@pytest.mark.parametrize(
    ("body", "what"),
    [(b"caf\xe9", "not UTF-8"), (b"a\0b", "NUL"), (b"x" * 200_000, "longer than")],
)
def test_bytes_that_are_no_text_are_an_error_that_names_the_path(
    mock: responses.RequestsMock, clock: FakeClock, body: bytes, what: str
) -> None:
    server = MetadataServer({"meta-data": {"mac": body}}).start(mock)
    with pytest.raises(RequestError, match=rf"meta-data/mac.*{what}"):
        connected(clock).get("meta-data/mac")
    assert server.paths() == ["meta-data/mac"]


def test_get_all_gives_each_path_its_own_answer_and_asks_none_twice(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    server = MetadataServer({"meta-data": {"mac": "0e:00", "hostname": 403}}).start(mock)
    paths = ["meta-data/mac", "meta-data/hostname", "meta-data/ipv6", "meta-data/mac"]
    answers = connected(clock).get_all(paths)
    assert answers["meta-data/mac"] == "0e:00"
    assert answers["meta-data/ipv6"] is None
    assert isinstance(answers["meta-data/hostname"], RequestError)
    assert sorted(server.paths()) == ["meta-data/hostname", "meta-data/ipv6", "meta-data/mac"]


def test_the_services_clock_and_ours_are_compared(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    MetadataServer(HERE).start(mock)
    imds = imds_of(clock, wall=NOW + 3600)
    imds.connect(imds.limit)
    assert imds.served_at == NOW
    assert imds.clock_ahead == 3600


def test_without_a_date_the_age_is_not_known(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    server = MetadataServer(HERE)
    server.headers.clear()
    server.start(mock)
    assert connected(clock).served_at is None


def test_a_client_does_not_show_its_token(mock: responses.RequestsMock, clock: FakeClock) -> None:
    MetadataServer(HERE).start(mock)
    imds = imds_of(clock)
    assert repr(imds) == "Imds(not connected)"
    note = imds.connect(imds.limit)
    assert "SECRET" not in f"{imds!r} {note!r}"


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../../user-data", "%2e%2e", "a/b", "a?b", "a#b", "a b", "a\nb", "é", "a\\b"],
)
def test_a_component_that_could_lead_elsewhere_is_refused_by_name(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        component(text, re.compile(r"[a-z.]{1,64}"), "a test")
    assert "\n" not in str(caught.value)
    assert "a test" in str(caught.value)


def test_one_that_never_answers_is_asked_again_after_all_the_others(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    leaves = {"mac": [SLOW, 503, "0e:00"], "hostname": SLOW, "ipv6": "::1"}
    server = MetadataServer({"meta-data": leaves}).start(mock)
    imds = connected(clock)
    answers = imds.get_all([f"meta-data/{name}" for name in leaves], imds.limit.within(5))
    assert [path.removeprefix("meta-data/") for path in server.paths()][:6] == [
        *("mac", "hostname", "ipv6"),
        *("mac", "hostname"),
        "mac",
    ]
    assert (answers["meta-data/mac"], answers["meta-data/ipv6"]) == ("0e:00", "::1")
    assert isinstance(answers["meta-data/hostname"], RequestError)
    assert 1004 < clock.time <= 1005
