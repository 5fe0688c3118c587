"""The instance metadata service (IMDS): HTTP, the token, and texts path by path."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

import requests
import urllib3
from requests.adapters import HTTPAdapter

from rancheros_ec2_metadata.errors import Ec2Error, debug, info, quote

from .retry import IMDS, PASSING, SILENT, Reason, RequestError, retry

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit
    from rancheros_ec2_metadata.log import Log
    from rancheros_ec2_metadata.settings import ImdsSettings

IPV4 = "http://169.254.169.254"
IPV6 = "http://[fd00:ec2::254]"

_TOKEN_SECONDS = 600  # of 1..21600; a run that takes longer renews it
_TOKEN = re.compile(rb"[!-~]{1,1024}")  # what may stand in a header
_NO_TOKENS = (403, 404, 405)
_HEADERS = {
    "User-Agent": "rancheros-ec2-metadata",
    "Accept-Encoding": "identity",  # nothing to unpack, so no bomb
}
_MEANINGS = {
    **dict.fromkeys(range(300, 400), ", a redirect, which is not followed"),
    401: ", which asks for a token or refuses ours",
    403: ", which is IMDS disabled for this instance; enable HttpEndpoint",
}
_PLAIN_PATH = "meta-data/instance-id"  # asked without a token: an answer shows the hop limit
_HOP_LIMIT = (
    "the answer to the token request is lost, as beyond the hop limit; run in the network of the "
    "host ('net: host'), or raise HttpPutResponseHopLimit of the instance"
)


class Bounds(NamedTuple):
    """What an answer may take: seconds for the connection and for each read, bytes of a body."""

    connect: float = 1
    read: float = 2
    body: int = 128 * 1024


IMDS_BOUNDS = Bounds()


class Answer(NamedTuple):
    """A whole answer. ``repr`` leaves the body out: it may be a token or a credential."""

    url: str
    status: int
    body: bytes
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"

    def parse_date(self) -> float | None:
        """Return the server's clock in seconds since 1970; None if it does not say."""
        text = self.headers.get("Date")
        try:
            return parsedate_to_datetime(text).timestamp() if text else None
        except (ValueError, OverflowError):
            return None

    def make_error(self) -> RequestError:
        """Return the error that an answer other than 200 is."""
        text = f"{self.url}: answered with {self.status}{_MEANINGS.get(self.status, '')}"
        if self.status != 429 and self.status < 500:
            return RequestError(text)
        seconds = self.headers.get("Retry-After", "")
        pause = float(seconds[:9]) if re.fullmatch("[0-9]+", seconds) else 0.0
        return RequestError(text, Reason.BUSY, pause)


class HttpClient:
    """Sends requests one by one, and takes nothing from the environment.

    It has the adapter of requests, and no session: no cookie is kept and no redirect followed.

    Args:
        bounds: of each answer.
        verify: path of the certificates to trust; True for those of requests.
    """

    def __init__(self, bounds: Bounds, *, verify: bool | str = True) -> None:
        self._bounds = bounds
        self._verify = verify
        self._adapter = HTTPAdapter()

    def send(
        self, request: requests.Request, limit: Limit, proxies: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and read the whole answer, whatever its status.

        Args:
            request: what to send.
            limit: until when an answer is waited for.
            proxies: by the scheme of the address.

        Raises:
            RequestError: no connection, no whole answer in time, too long a body, a URL that is
                none.
        """
        url = request.url
        left = max(limit.remaining(), 0.001)
        timeout = (min(self._bounds.connect, left), min(self._bounds.read, left))
        request.headers = {**_HEADERS, **request.headers}
        try:
            with self._adapter.send(
                request.prepare(),
                stream=True,
                timeout=timeout,
                verify=self._verify,
                proxies=proxies,
            ) as response:
                body = b""
                while chunk := response.raw.read(16 * 1024, decode_content=False):
                    body += chunk
                    if len(body) > self._bounds.body:
                        raise RequestError(
                            f"{url}: the answer is longer than {self._bounds.body} bytes"
                        )
        except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
            raise RequestError(
                f"{url}: no answer for {timeout[1]:.1f} s", Reason.TIMED_OUT
            ) from None
        except requests.ConnectTimeout:
            raise RequestError(
                f"{url}: no connection within {timeout[0]:.1f} s", Reason.UNREACHABLE
            ) from None
        except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
            raise RequestError(
                f"{url}: the connection failed, {find_cause(error)}", Reason.UNREACHABLE
            ) from None
        except (OSError, ValueError) as error:
            raise RequestError(f"{url}: cannot be asked, {type(error).__name__}") from None
        if response.status_code == 200 and not _says_its_length(response.headers):
            # http.client accepts truncated headers: a list of tags would seem empty.
            text = f"{url}: the connection failed, the answer does not say its length"
            raise RequestError(text, Reason.UNREACHABLE)
        return Answer(url, response.status_code, body, response.headers)


class Imds:
    """The metadata service of this instance. Notes and errors hold no token.

    Args:
        settings: address and version.
        limit: until when anything is tried again, if a call does not say otherwise.
        log: the boot log.
    """

    def __init__(self, settings: ImdsSettings, limit: Limit, log: Log) -> None:
        self.settings = settings
        self.limit = limit
        self.requests = 0
        """How many requests were sent."""
        self.served_at: float | None = None
        """The service's clock at its last answer, seconds since 1970."""
        self._log = log
        self._client = HttpClient(IMDS_BOUNDS)
        self._base = ""
        self._token: str | None = None
        self._lost = 0

    def connect(self, limit: Limit) -> None:
        """Find the address that answers, and get a token there; needed before the first `get`.

        Raises:
            RequestError: nothing has answered until ``limit``, or not as it should.
            Ec2Error: asking is forbidden.
        """
        settings = self.settings
        if settings.disabled:
            raise Ec2Error(
                "IMDS is not asked: AWS_EC2_METADATA_DISABLED is set; unset it to read tags and "
                "metadata"
            )
        bases = {"IPv4": [IPV4], "IPv6": [IPV6], None: [IPV4, IPV6]}[settings.mode]
        if settings.endpoint:
            bases = [settings.endpoint.rstrip("/")]

        def greet_each() -> None:
            silences = []
            for self._base in bases:
                try:
                    return self._greet(limit)
                except RequestError as failure:
                    if failure.reason not in SILENT:
                        raise
                    silences.append(failure)
            raise silences[0]

        try:
            return retry(greet_each, IMDS, limit)
        except RequestError as failure:
            if failure.reason not in SILENT:
                raise
            raise RequestError(
                f"IMDS does not answer: {failure}; enable it for this instance (HttpEndpoint), and "
                "run in the network of the host ('net: host')",
                failure.reason,
            ) from None

    def get(self, path: str, limit: Limit | None = None) -> str | None:
        """Return the text at ``path`` (below /latest/), None if there is none (404).

        Raises:
            RequestError: it could not be had; names the path.
        """
        answer = self.get_all([path], limit)[path]
        if isinstance(answer, RequestError):
            raise answer
        return answer

    def get_all(
        self, paths: Iterable[str], limit: Limit | None = None
    ) -> dict[str, str | RequestError | None]:
        """Return what `get` returns or raises for each path.

        Each path is requested once before any is retried, so that a path that fails or never
        answers does not use up the time of the others.
        """
        within = limit or self.limit
        answers: dict[str, str | RequestError | None] = dict.fromkeys(paths)
        todo = list(answers)

        def ask_the_rest() -> None:
            failing = []
            for path in todo:
                try:
                    answers[path] = self._ask(path, within)
                except RequestError as failure:
                    answers[path] = failure
                    if failure.reason in PASSING:
                        failing.append((path, failure))
            todo[:] = [path for path, _ in failing]
            if failing:
                raise max((failure for _, failure in failing), key=lambda one: one.retry_after)

        with contextlib.suppress(RequestError):  # it is among the answers
            retry(ask_the_rest, IMDS, within)
        return answers

    def _greet(self, limit: Limit) -> None:
        """Get a token, or decide to use IMDSv1.

        If two token requests time out and a GET is answered, the hop limit is too small.
        """
        try:
            answer = self._request_token(limit)
        except RequestError as failure:
            self._lost += failure.reason is Reason.TIMED_OUT
            if self._lost < 2:
                raise
            answer = self._send("GET", _PLAIN_PATH, {}, limit)
            if answer.status == 401:
                raise RequestError(f"{answer.url}: a token is required, but {_HOP_LIMIT}") from None
            if answer.status not in (200, 404):
                raise answer.make_error() from None
            return self._go_without_token(_HOP_LIMIT)
        if answer.status in _NO_TOKENS:
            return self._go_without_token(f"the token request was answered with {answer.status}")
        self._token = _read_token(answer)
        return self._log.note(info(f"IMDSv2 at {self._base}"))

    def _go_without_token(self, why: str) -> None:
        if not self.settings.v1:
            raise RequestError(
                f"no token from {self._base}, and IMDSv1 is forbidden by --imds v2 or "
                f"AWS_EC2_METADATA_V1_DISABLED: {why}"
            )
        self._log.note(info(f"IMDSv1 at {self._base}: {why}"))

    def _request_token(self, limit: Limit) -> Answer:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
        return self._send("PUT", "api/token", headers, limit)

    def _ask(self, path: str, limit: Limit) -> str | None:
        answer = self._get(path, limit)
        if answer.status == 401 and self._token:
            self._token = _read_token(self._request_token(limit))
            answer = self._get(path, limit)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise answer.make_error()
        return _decode(answer)

    def _get(self, path: str, limit: Limit) -> Answer:
        headers = {"X-aws-ec2-metadata-token": self._token} if self._token else {}
        return self._send("GET", path, headers, limit)

    def _send(self, method: str, path: str, headers: Mapping[str, str], limit: Limit) -> Answer:
        self.requests += 1
        request = requests.Request(method, f"{self._base}/latest/{path}", headers)
        answer = self._client.send(request, limit)
        # Tokens are in headers and bodies, not in addresses.
        self._log.note(debug(f"{method} {quote(answer.url, 200)}: {answer.status}"))
        self.served_at = answer.parse_date() or self.served_at
        return answer


def find_cause(error: BaseException) -> str:
    """Return the operating system's error text, else the name of the exception."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__


def check_component(text: str, shape: re.Pattern[str], what: str) -> str:
    """Return ``text``, which came from the service, if it may stand between two slashes.

    Raises:
        RequestError: it has another shape: it could lead the request elsewhere.
    """
    if not shape.fullmatch(text) or text in (".", ".."):
        raise RequestError(f"IMDS gave {quote(text)} as {what}: not asked for")
    return text


def _says_its_length(headers: Mapping[str, str]) -> bool:
    chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
    return chunked or headers.get("Content-Length", "").isdigit()


def _read_token(answer: Answer) -> str:
    if answer.status != 200:
        raise answer.make_error()
    token = answer.body.strip()
    if not _TOKEN.fullmatch(token):
        raise RequestError(f"{answer.url}: the answer of {len(answer.body)} bytes is not a token")
    return token.decode("ascii")


def _decode(answer: Answer) -> str:
    try:
        text = answer.body.decode("utf-8")
    except UnicodeDecodeError:
        raise RequestError(f"{answer.url}: the answer is not UTF-8") from None
    if "\0" in text:
        raise RequestError(f"{answer.url}: the answer has a NUL byte in it")
    return text
