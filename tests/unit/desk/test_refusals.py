"""What a refusal means to one who asks with a login of their own."""

from __future__ import annotations

import pytest

from rancheros_ec2_metadata.desk.refusals import Asked
from rancheros_ec2_metadata.ec2.failure import AttemptError, Kind
from rancheros_ec2_metadata.errors import ExitStatus, UsageError

ASKED = Asked("i-0", "eu-west-1", "the profile 'ops'", "log in (as by x)", "https://ec2.example")


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("UnauthorizedOperation", 403, ("the profile 'ops'", "ec2:DescribeInstances", "policy")),
        ("AccessDenied", 403, ("the profile 'ops'", "ec2:DescribeInstances")),
        ("InvalidInstanceID.NotFound", 400, ("no instance 'i-0' in eu-west-1", "--region")),
        ("RequestExpired", 400, ("expired", "clock", "log in (as by x)")),
        ("ExpiredToken", 400, ("expired", "log in (as by x)")),
        ("AuthFailure", 401, ("does not accept the credentials", "log in (as by x)")),
        ("SignatureDoesNotMatch", 403, ("secret key", "clock")),
        ("OptInRequired", 401, ("has not switched on eu-west-1",)),
        ("Odd\x1b[2J\nx", 400, ("DescribeInstances", "400", r"'Odd\x1b[2J\nx'")),
    ],
)
def test_a_refusal_says_what_to_do_and_is_not_tried_again(
    code: str, status: int, words: tuple[str, ...]
) -> None:
    refusal = ASKED.refused("DescribeInstances", code, status)
    assert isinstance(refusal, AttemptError)
    assert refusal.kind is Kind.FINAL
    assert refusal.status is ExitStatus.INCOMPLETE
    assert [word for word in words if word not in str(refusal)] == []
    assert len(str(refusal).splitlines()) == 1


@pytest.mark.parametrize(
    ("code", "status"), [("RequestLimitExceeded", 503), ("Odd", 429), ("InternalError", 500)]
)
def test_what_may_pass_is_tried_again(code: str, status: int) -> None:
    refusal = ASKED.refused("DescribeTags", code, status)
    assert isinstance(refusal, AttemptError)
    assert refusal.kind is Kind.BUSY


def test_the_permission_named_is_the_one_that_is_missing() -> None:
    assert "ec2:DescribeTags in" in str(ASKED.refused("DescribeTags", "AccessDenied", 403))


def test_a_malformed_id_is_wrong_usage() -> None:
    refusal = ASKED.refused("DescribeInstances", "InvalidInstanceID.Malformed", 400)
    assert isinstance(refusal, UsageError)
    assert "'i-0'" in str(refusal)
