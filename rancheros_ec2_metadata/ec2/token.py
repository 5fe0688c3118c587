"""The first contact with the metadata service: which address answers, and does it give tokens?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.errors import Note, info

from .failure import AttemptError, Kind
from .retry import IMDS, Draw, Patience, persist

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit
    from rancheros_ec2_metadata.settings import ImdsSettings

    from .transport import Answer

    Send = Callable[[str, str, dict[str, str], Limit], Answer]
    """Method, URL, headers, limit."""

IPV4 = "http://169.254.169.254"
IPV6 = "http://[fd00:ec2::254]"

_TOKEN_SECONDS = 600  # of 1..21600; a run that takes longer renews it
_TOKEN = re.compile(rb"[!-~]{1,1024}")  # what may stand in a header
_PLAIN_PATH = "meta-data/instance-id"  # asked without a token, to tell the hop limit from silence

_HOP_LIMIT = (
    "the answer to the token request is lost, which is what a hop limit does: run the service "
    "with `net: host`, or raise the instance's HttpPutResponseHopLimit"
)


@dataclass(frozen=True)
class Contact:
    """An address that answers.

    Args:
        base: its URL.
        token: to be sent with each request; None where IMDSv1 is spoken.
        note: says so in the log.
    """

    base: str
    token: str | None = field(repr=False)
    note: Note


class NoTokenError(Exception):
    """The service answered the token request, and gives none."""


def bases(settings: ImdsSettings) -> list[str]:
    """Return the addresses to try, in this order."""
    if settings.endpoint:
        return [settings.endpoint.rstrip("/")]
    return {"IPv4": [IPV4], "IPv6": [IPV6], None: [IPV4, IPV6]}[settings.mode]


def first_contact(send: Send, settings: ImdsSettings, limit: Limit, draw: Draw) -> Contact:
    """Find the address that answers, and get a token there.

    Raises:
        AttemptError: `silent` if nothing has answered until ``limit``.
    """
    addresses = [_Address(base, send, v1=settings.v1) for base in bases(settings)]

    def round_of_addresses() -> Contact:
        silences = []
        for address in addresses:
            try:
                return address.greet(limit)
            except AttemptError as failure:
                if not failure.silent:
                    raise
                silences.append(failure)
        raise silences[0]

    try:
        return persist(round_of_addresses, Patience(IMDS, limit, draw=draw), limit.sleep)
    except AttemptError as failure:
        if not failure.silent:
            raise
        raise AttemptError(
            f"the metadata service does not answer ({failure}): check that it is enabled for "
            "this instance (HttpEndpoint), and that the service runs with `net: host`",
            failure.kind,
        ) from None


def fetch_token(send: Send, base: str, limit: Limit) -> str:
    """Return a new token.

    Raises:
        NoTokenError: there are none: answered with 403, 404 or 405.
        AttemptError: anything else.
    """
    url = f"{base}/latest/api/token"
    answer = send("PUT", url, {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}, limit)
    if answer.status in (403, 404, 405):
        raise NoTokenError(f"the token request was answered with {answer.status}")
    if answer.status != 200:
        raise refusal(url, answer)
    token = answer.body.strip()
    if not _TOKEN.fullmatch(token):
        raise AttemptError(f"{url}: the answer is no token ({len(answer.body)} bytes)")
    return token.decode("ascii")


def refusal(url: str, answer: Answer) -> AttemptError:
    """Return the error that an answer other than 200 is."""
    status = answer.status
    if status == 429 or status >= 500:
        return AttemptError(f"{url}: answered with {status}", Kind.BUSY, answer.retry_after())
    meaning = {
        401: " (a token is required, or ours is refused)",
        403: " (the metadata service is disabled for this instance: set HttpEndpoint to enabled)",
    }.get(status, " (a redirect, not followed)" if 300 <= status < 400 else "")
    return AttemptError(f"{url}: answered with {status}{meaning}")


class _Address:
    """One address, and how often its answer to a token request was lost."""

    def __init__(self, base: str, send: Send, *, v1: bool) -> None:
        self._base = base
        self._send = send
        self._v1 = v1
        self._timeouts = 0

    def greet(self, limit: Limit) -> Contact:
        try:
            token = fetch_token(self._send, self._base, limit)
        except NoTokenError as refused:
            return self._without_token(str(refused))
        except AttemptError as failure:
            self._timeouts += failure.kind is Kind.TIMED_OUT
            if self._timeouts < 2:
                raise
            return self._past_hop_limit(limit)
        return Contact(self._base, token, info(f"IMDSv2 at {self._base}"))

    def _without_token(self, why: str) -> Contact:
        if not self._v1:
            raise AttemptError(
                f"{self._base} gives no token ({why}), and IMDSv1 is forbidden (--imds v2 or "
                "AWS_EC2_METADATA_V1_DISABLED): allow it, or enable the metadata service"
            )
        return Contact(self._base, None, info(f"IMDSv1 at {self._base}: {why}"))

    def _past_hop_limit(self, limit: Limit) -> Contact:
        """Ask without a token where two token requests have timed out."""
        url = f"{self._base}/latest/{_PLAIN_PATH}"
        answer = self._send("GET", url, {}, limit)
        if answer.status == 401:
            raise AttemptError(f"{url}: a token is required (401), but {_HOP_LIMIT}")
        if answer.status not in (200, 404):
            raise refusal(url, answer)
        return self._without_token(_HOP_LIMIT)
