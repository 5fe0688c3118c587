from __future__ import annotations

import pytest

from rancheros_ec2_metadata.ec2.api_errors import Asked
from rancheros_ec2_metadata.ec2.failure import Kind

RIGHT = Asked("https://ec2.eu-central-1.amazonaws.com", "web-role", clock_ahead=2)
AHEAD = Asked("https://ec2.eu-central-1.amazonaws.com", "web-role", clock_ahead=7200)
BEHIND = Asked("https://ec2.eu-central-1.amazonaws.com", "web-role", clock_ahead=-7200)
UNKNOWN = Asked("https://ec2.eu-central-1.amazonaws.com", "web-role", clock_ahead=None)


@pytest.mark.parametrize(
    ("code", "status", "kind", "words"),
    [
        ("UnauthorizedOperation", 403, Kind.DENIED, ["'web-role'", "ec2:DescribeTags"]),
        ("AccessDenied", 403, Kind.DENIED, ["'web-role'", "ec2:DescribeTags"]),
        ("RequestLimitExceeded", 503, Kind.BUSY, ["throttles", "metadata service"]),
        ("Throttling", 400, Kind.BUSY, ["throttles"]),
        ("TooMany", 429, Kind.BUSY, ["throttles"]),
        ("InternalError", 500, Kind.BUSY, ["500", "'InternalError'", "amazonaws.com"]),
        ("Unavailable", 503, Kind.BUSY, ["503"]),
        ("AuthFailure", 401, Kind.UNAUTHENTIC, ["'web-role'", "AuthFailure"]),
        ("RequestExpired", 400, Kind.FINAL, ["time of the request"]),
        ("SignatureDoesNotMatch", 403, Kind.FINAL, ["time of the request"]),
        ("OptInRequired", 403, Kind.FINAL, ["'OptInRequired'", "'web-role'", "DescribeTags"]),
        ("", 404, Kind.FINAL, ["404"]),
    ],
)
def test_each_refusal_has_its_kind_and_its_words(
    code: str, status: int, kind: Kind, words: list[str]
) -> None:
    failure = RIGHT.refused(code, status)
    assert failure.kind is kind
    for word in words:
        assert word in str(failure)
    assert "clock" not in str(failure)


@pytest.mark.parametrize("code", ["AuthFailure", "RequestExpired", "SignatureDoesNotMatch"])
def test_a_wrong_clock_is_named_where_it_can_be_the_reason(code: str) -> None:
    assert "7200 s ahead of AWS's" in str(AHEAD.refused(code, 401))
    assert "7200 s behind AWS's" in str(BEHIND.refused(code, 401))
    assert "check this machine's clock" in str(UNKNOWN.refused(code, 401))
    assert "7200 s behind AWS's" in str(BEHIND.unreachable("SSLError"))


def test_a_hostile_code_stays_on_its_line() -> None:
    assert "\n" not in str(RIGHT.refused("Bad\n2026 forged line\x1b[2J", 400))


@pytest.mark.parametrize(
    ("status", "kind"), [(200, Kind.FINAL), (500, Kind.BUSY), (429, Kind.BUSY)]
)
def test_nonsense_of_a_failing_server_is_worth_another_try(status: int, kind: Kind) -> None:
    assert RIGHT.nonsense(status, "ResponseParserError").kind is kind


def test_what_cannot_be_reached_or_asked_names_where_and_what_to_check() -> None:
    assert RIGHT.unreachable("refused").silent
    assert "VPC endpoint" in str(RIGHT.unreachable("refused"))
    assert "AWS_CA_BUNDLE" in str(RIGHT.impossible("InvalidRegionError"))
    assert RIGHT.impossible("InvalidRegionError").kind is Kind.FINAL
