"""One small HTTP request, with its time and its size bounded whatever the server does."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from .failure import AttemptError, Kind

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit

CONNECT_SECONDS = 1.0
READ_SECONDS = 2.0
BODY_BYTES = 128 * 1024


class TooLongError(ValueError):
    """A body is longer than anything that this server has to say."""


@dataclass(frozen=True)
class Answer:
    """A whole answer. ``repr`` leaves the body out: it may be a token or a credential."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"

    def date(self) -> float | None:
        """Return the server's clock in seconds since 1970; None if it does not say."""
        return _date(self.headers.get("Date"))

    def retry_after(self) -> float:
        """Return the seconds that the server asks to wait, 0 if it does not."""
        text = self.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        when, now = _date(text), self.date()
        return max(0.0, when - now) if when is not None and now is not None else 0.0


def session() -> requests.Session:
    """Return a session that takes nothing from the environment: no proxy, no netrc."""
    made = requests.Session()
    made.trust_env = False
    made.headers.clear()
    made.headers["User-Agent"] = "rancheros-ec2-metadata"
    made.headers["Accept-Encoding"] = "identity"  # nothing to unpack, so no bomb
    made.mount("http://", _BoundedAdapter())
    return made


def send(
    session: requests.Session, method: str, url: str, headers: Mapping[str, str], limit: Limit
) -> Answer:
    """Send one request without a body and read the whole answer, whatever its status.

    Redirects are answers like any other: they are not followed.

    Raises:
        AttemptError: no connection, no whole answer in time, too long a body, a URL that is none.
    """
    left = max(limit.left(), 0.001)
    timeout = (min(CONNECT_SECONDS, left), min(READ_SECONDS, left))
    try:
        # Not `request`: it goes through cookies, proxies and netrc for each, and all are empty.
        request = requests.Request(
            method, url, headers={**session.headers, **headers}, hooks=session.hooks
        )
        with session.send(
            request.prepare(), timeout=timeout, allow_redirects=False, stream=True, proxies={}
        ) as response:
            body = read_capped(response.raw, BODY_BYTES)
            return Answer(response.status_code, body, response.headers)
    except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
        text = f"{url}: no whole answer within {timeout[1]:.1f} s"
        raise AttemptError(text, Kind.TIMED_OUT) from None
    except requests.ConnectTimeout:
        text = f"{url}: no connection within {timeout[0]:.1f} s"
        raise AttemptError(text, Kind.UNREACHABLE) from None
    except TooLongError:
        raise AttemptError(f"{url}: the answer is longer than {BODY_BYTES} bytes") from None
    except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
        text = f"{url}: the connection failed ({cause(error)})"
        raise AttemptError(text, Kind.UNREACHABLE) from None
    except (requests.RequestException, ValueError) as error:
        raise AttemptError(f"{url}: cannot be asked ({type(error).__name__})") from None


class Readable(Protocol):
    """What urllib3's responses are to a reader of bodies."""

    def read(self, amt: int, *, decode_content: bool) -> bytes:
        """Return up to ``amt`` bytes, none at the end."""


def read_capped(raw: Readable, cap: int) -> bytes:
    """Return the body as it came over the wire.

    Raises:
        TooLongError: there are more than ``cap`` bytes.
    """
    body = bytearray()
    while chunk := raw.read(16 * 1024, decode_content=False):
        body += chunk
        if len(body) > cap:
            raise TooLongError(f"more than {cap} bytes")
    return bytes(body)


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def cause(error: BaseException) -> str:
    """Return the operating system's word for what went wrong, else the name of the error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__


class _BoundedSocket(socket.socket):
    """A socket on which a whole answer has to come by a point in time.

    A socket's own time-out is for each packet: one byte a second would never end.
    """

    ends = 0.0
    closed_by_server = False

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self.settimeout(left)
        received = super().recv_into(*args, **kwargs)
        self.closed_by_server = not received
        return received


class _BoundedConnection(HTTPConnection):
    """Counts the read time-out from the end of the request to the end of the answer."""

    def connect(self) -> None:
        super().connect()
        plain = self.sock
        self.sock = _BoundedSocket(plain.family, plain.type, plain.proto, plain.detach())
        self.sock.settimeout(self.timeout)

    def getresponse(self) -> Any:
        bounded: Any = self.sock  # as `connect` made it
        bounded.ends = time.monotonic() + float(self.timeout or READ_SECONDS)
        response = super().getresponse()
        if bounded.closed_by_server:
            # http.client takes this for the end of the headers, and a list of tags for empty.
            raise ConnectionError(errno.EPIPE, "the server closed it in the headers")
        return response


class _BoundedPool(HTTPConnectionPool):
    ConnectionCls = _BoundedConnection


class _BoundedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            **self.poolmanager.pool_classes_by_scheme,
            "http": _BoundedPool,
        }
