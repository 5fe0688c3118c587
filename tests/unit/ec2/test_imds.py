"""The metadata service's protocol: addresses, tokens, versions, retries, paths."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rancheros_ec2_metadata.ec2.imds import IPV4, IPV6, check_component
from rancheros_ec2_metadata.ec2.retry import SILENT, Reason, RequestError
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.settings import ImdsSettings
from unit.ec2.metadata_server import NOW, FakeClock, MetadataServer, connected, imds_of

if TYPE_CHECKING:
    import responses

HERE = {"meta-data": {"mac": "0e:00", "instance-id": "i-1"}}
REFUSED = requests.ConnectionError("refused")
SLOW = requests.ReadTimeout("nothing")
MAC = "meta-data/mac"
PUT = "PUT api/token"
TWO_PUTS = [PUT, PUT, "GET meta-data/instance-id"]
IPV4_ONLY = ImdsSettings(mode="IPv4")
NO_V1 = ImdsSettings(mode="IPv4", v1=False)

Serve = Callable[..., MetadataServer]


@pytest.fixture
def serve(mock: responses.RequestsMock) -> Serve:
    """Let a service answer; by default at IPv4, with what is HERE."""

    def start(tree: Any = None, base: str = IPV4, **more: Any) -> MetadataServer:
        return MetadataServer(HERE if tree is None else tree, base, **more).start(mock)

    return start


def refused(clock: FakeClock, settings: ImdsSettings | None = None) -> RequestError:
    imds = imds_of(clock, settings)
    with pytest.raises(RequestError) as caught:
        imds.connect(imds.limit)
    assert "SECRET" not in repr(caught.value)
    return caught.value


# --- tokens and versions ---


def test_the_token_comes_first_is_sent_on_every_get_and_never_shown(
    serve: Serve, clock: FakeClock
) -> None:
    server = serve()
    stream = io.StringIO()
    log = Log(stream, debug=True)
    imds = connected(clock, log=log)
    assert [imds.get(MAC), imds.get("meta-data/instance-id")] == ["0e:00", "i-1"]
    assert server.asked == [PUT, f"GET {MAC}", "GET meta-data/instance-id"]
    tokens = [one.headers.get("X-aws-ec2-metadata-token") for one in server.sent]
    assert tokens == [None, "TOKEN-1-SECRET", "TOKEN-1-SECRET"]
    assert "SECRET" not in f"{imds!r} {stream.getvalue()}"


@pytest.mark.parametrize(
    ("put", "error"),
    [
        ("TOKEN-1-SECRET", f"{MAC}: answered with 401"),
        (["TOKEN-1-SECRET", 403], "/latest/api/token: answered with 403"),
    ],
    ids=["refused again", "no other"],
)
def test_a_refused_token_is_renewed_once(
    serve: Serve, clock: FakeClock, put: Any, error: str
) -> None:
    server = serve(put=put)
    imds = connected(clock)
    server.valid = {"another"}
    with pytest.raises(RequestError, match=re.escape(error)) as caught:
        imds.get(MAC)
    assert "SECRET" not in repr(caught.value)
    assert (server.asked.count(PUT), clock.slept) == (2, [])


@pytest.mark.parametrize(
    ("put", "why", "asked"),
    [
        *[(n, f"the token request was answered with {n}", [PUT]) for n in (403, 404, 405)],
        # Two lost answers to the token request, and a GET that is answered: the hop limit.
        (SLOW, "HttpPutResponseHopLimit", TWO_PUTS),
    ],
)
def test_without_tokens_v1_is_spoken_and_logged_or_it_is_forbidden(
    serve: Serve, clock: FakeClock, put: Any, why: str, asked: list[str]
) -> None:
    server = serve(put=put, v1=True)
    caught = refused(clock, NO_V1)
    for words in (why, "--imds v2", "AWS_EC2_METADATA_V1_DISABLED"):
        assert words in str(caught)
    assert server.asked == asked
    log = Log(io.StringIO())
    imds = connected(clock, IPV4_ONLY, log)
    (note,) = log.noted
    assert note.text.startswith(f"IMDSv1 at {IPV4}: ")
    assert why in note.text
    assert imds.get(MAC) == "0e:00"


def test_behind_the_hop_limit_a_service_that_is_disabled_is_an_error_at_once(
    serve: Serve, clock: FakeClock
) -> None:
    server = serve({"meta-data": {"instance-id": 403}}, put=SLOW, v1=True)
    caught = refused(clock, IPV4_ONLY)
    assert "disabled" in str(caught)
    assert (caught.reason, server.asked) == (Reason.FINAL, TWO_PUTS)


NO_TOKENS = ("", "a\nb", "<html>hello world</html>", "x" * 1025, "é", "t\0", "y" * 1_000_000)


@pytest.mark.parametrize("put", [302, 400, 401, 418, *NO_TOKENS])
def test_another_answer_to_the_token_request_is_final_and_not_shown(
    serve: Serve, clock: FakeClock, put: int | str
) -> None:
    server = serve(put=put)
    caught = refused(clock)
    said = f"/api/token: answered with {put}" if isinstance(put, int) else "/api/token: the answer"
    assert f"{IPV4}/latest{said}" in str(caught)
    assert (caught.reason, server.asked, clock.slept) == (Reason.FINAL, [PUT], [])
    assert len(str(caught)) < 200


# --- addresses and silence ---


@pytest.mark.parametrize("accepts", [True, False])
def test_silence_is_asked_again_until_the_limit_and_named_with_what_to_do(
    serve: Serve, clock: FakeClock, accepts: bool
) -> None:
    if accepts:  # else nothing is registered: every connection is refused
        serve({"meta-data": {"instance-id": SLOW}}, put=SLOW, v1=True)
    caught = refused(clock, IPV4_ONLY)
    assert caught.reason in SILENT
    assert 1100 < clock.time <= 1110
    assert max(clock.slept) <= 2
    assert [w for w in (IPV4, "HttpEndpoint", "'net: host'") if w not in str(caught)] == []


@pytest.mark.parametrize(
    ("put", "base", "asked"), [(REFUSED, IPV6, [PUT]), ([503, "TOKEN-1-SECRET"], IPV4, [])]
)
def test_ipv6_is_asked_where_ipv4_does_not_answer(
    serve: Serve, clock: FakeClock, put: Any, base: str, asked: list[str]
) -> None:
    serve(put=put)
    other = serve(base=IPV6)
    log = Log(io.StringIO())
    imds = connected(clock, log=log)
    assert [note.text for note in log.noted] == [f"IMDSv2 at {base}"]
    assert other.asked == asked
    assert imds.get(MAC) == "0e:00"


@pytest.mark.parametrize(
    ("settings", "base"),
    [
        (ImdsSettings(mode="IPv6"), IPV6),
        (IPV4_ONLY, IPV4),
        (ImdsSettings(endpoint="http://[::1]:1338/"), "http://[::1]:1338"),
        (ImdsSettings(endpoint="http://metadata.test", mode="IPv6"), "http://metadata.test"),
    ],
)
def test_only_the_address_of_the_settings_is_asked(
    mock: responses.RequestsMock,
    serve: Serve,
    clock: FakeClock,
    settings: ImdsSettings,
    base: str,
) -> None:
    server = serve(base=base, put=[REFUSED, REFUSED, "TOKEN-1-SECRET"])
    connected(clock, settings)
    assert {str(call.request.url) for call in mock.calls} == {f"{base}/latest/api/token"}
    assert len(server.asked) == 3


# --- one path, and several ---


@pytest.mark.parametrize(
    ("answers", "slept"),
    [
        *[
            ([trouble] * 3, [0.1, 0.2, 0.4])
            for trouble in (500, 502, 503, 504, 429, REFUSED, SLOW, requests.ConnectTimeout("x"))
        ],
        ([(503, {"Retry-After": "7"})], [7]),
    ],
)
def test_trouble_that_passes_is_asked_again(
    serve: Serve, clock: FakeClock, answers: list[Any], slept: list[float]
) -> None:
    server = serve({"meta-data": {"mac": [*answers, "0e:00"]}})
    assert connected(clock).get(MAC) == "0e:00"
    assert server.paths() == [MAC] * (len(answers) + 1)
    assert clock.slept == slept


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        *[(status, f"{MAC}: answered with {status}") for status in (301, 302, 400, 403)],
        (b"caf\xe9", f"{MAC}.*not UTF-8"),
        (b"a\0b", f"{MAC}.*NUL"),
        (b"x" * 200_000, f"{MAC}.*longer than"),
    ],
)
def test_a_refusal_or_what_is_no_text_is_asked_for_once(
    serve: Serve, clock: FakeClock, answer: Any, said: str
) -> None:
    server = serve({"meta-data": {"mac": answer}})
    with pytest.raises(RequestError, match=said):
        connected(clock).get(MAC)
    assert server.paths() == [MAC]


@pytest.mark.parametrize(
    ("answer", "seconds"), [(503, 20), (503, 110), ((503, {"Retry-After": "3600"}), 110)]
)
def test_busy_for_ever_ends_at_the_limit_of_the_call(
    serve: Serve, clock: FakeClock, answer: Any, seconds: float
) -> None:
    serve({"meta-data": {"mac": answer}})
    imds = connected(clock)
    with pytest.raises(RequestError, match="answered with 503"):
        imds.get(MAC, imds.limit.within(seconds))
    assert seconds - 2 < clock.time - 1000 <= seconds


def test_get_all_gives_each_path_its_own_answer_and_asks_none_twice(
    serve: Serve, clock: FakeClock
) -> None:
    server = serve({"meta-data": {"mac": "0e:00", "hostname": 403}})
    paths = [MAC, "meta-data/hostname", "meta-data/ipv6", MAC]
    answers = connected(clock).get_all(paths)
    assert (answers[MAC], answers["meta-data/ipv6"]) == ("0e:00", None)
    assert isinstance(answers["meta-data/hostname"], RequestError)
    assert sorted(server.paths()) == ["meta-data/hostname", "meta-data/ipv6", MAC]


def test_one_that_never_answers_is_asked_again_after_all_the_others(
    serve: Serve, clock: FakeClock
) -> None:
    leaves = {"mac": [SLOW, 503, "0e:00"], "hostname": SLOW, "ipv6": "::1"}
    server = serve({"meta-data": leaves})
    imds = connected(clock)
    answers = imds.get_all([f"meta-data/{name}" for name in leaves], imds.limit.within(5))
    asked = [path.removeprefix("meta-data/") for path in server.paths()]
    assert asked[:6] == ["mac", "hostname", "ipv6", "mac", "hostname", "mac"]
    assert (answers[MAC], answers["meta-data/ipv6"]) == ("0e:00", "::1")
    assert isinstance(answers["meta-data/hostname"], RequestError)
    assert 1004 < clock.time <= 1005


@pytest.mark.parametrize("says", [True, False])
def test_the_services_clock_is_known_if_it_says_it(
    serve: Serve, clock: FakeClock, says: bool
) -> None:
    server = serve()
    if not says:
        server.headers.clear()
    assert connected(clock).served_at == (NOW if says else None)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../../user-data", "%2e%2e", "a/b", "a?b", "a#b", "a b", "a\nb", "é", "a\\b"],
)
def test_a_component_that_could_lead_elsewhere_is_refused_by_name(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_component(text, re.compile(r"[a-z.]{1,64}"), "a test")
    assert "\n" not in str(caught.value)
    assert "a test" in str(caught.value)
