"""The instance metadata service (IMDS), path by path."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.at_once import AtOnce
from rancheros_ec2_metadata.errors import Ec2Error, Note, shown

from . import transport
from .failure import AttemptError
from .retry import IMDS, Draw, Patience, persist
from .token import NoTokenError, fetch_token, first_contact, refusal

if TYPE_CHECKING:
    import requests

    from rancheros_ec2_metadata.deadline import Limit
    from rancheros_ec2_metadata.settings import ImdsSettings

_AT_ONCE = 4


class Imds:
    """The metadata service of this instance.

    Safe to use from several threads. ``repr``, notes and errors hold no token.

    Args:
        session: from `transport.session`.
        settings: address and version.
        limit: until when anything is tried again, if a call does not say otherwise.
        draw: returns a random number of [0, 1).
        wall: seconds since 1970 by this machine's clock.
    """

    def __init__(
        self,
        session: requests.Session,
        settings: ImdsSettings,
        limit: Limit,
        draw: Draw = random.random,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.limit = limit
        self.served_at: float | None = None
        """The service's clock at its last answer, seconds since 1970."""
        self.clock_ahead: float | None = None
        """Seconds by which this machine's clock was ahead of it then."""
        # As many as requests were sent: of what threads can do at once, to append is whole.
        self._sent: list[None] = []
        self._session = session
        self.draw = draw
        self._wall = wall
        self._base = ""
        self._token: str | None = None
        self._renewing = threading.Lock()
        self._at_once = AtOnce(_AT_ONCE - 1)

    def __repr__(self) -> str:
        return f"Imds({self._base or 'not connected'})"

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return len(self._sent)

    def connect(self, limit: Limit) -> Note:
        """Find the address that answers, and get a token there; needed before the first `get`.

        Returns:
            A note that says where the service is and which version is spoken.

        Raises:
            AttemptError: `silent` if nothing has answered until ``limit``.
            Ec2Error: asking is forbidden.
        """
        if self.settings.disabled:
            raise Ec2Error(
                "the metadata service is not asked, because AWS_EC2_METADATA_DISABLED is set: "
                "unset it to import tags and metadata"
            )
        contact = first_contact(self._send, self.settings, limit, self.draw)
        self._base = contact.base
        self._token = contact.token
        return contact.note

    def get(self, path: str, limit: Limit | None = None) -> str | None:
        """Return the text at ``path`` (below /latest/), None if there is none (404).

        Raises:
            AttemptError: it could not be had; names the path.
        """
        within = limit or self.limit
        patience = Patience(IMDS, within, draw=self.draw)
        return persist(lambda: self._ask(path, within), patience, within.sleep)

    def get_all(
        self, paths: Iterable[str], limit: Limit | None = None
    ) -> dict[str, str | AttemptError | None]:
        """Return what `get` returns or raises for each path, asking for four at once.

        Where threads cannot start, one is asked for after the other.
        """

        def answer(path: str) -> str | AttemptError | None:
            try:
                return self.get(path, limit)
            except AttemptError as failure:
                return failure

        once = list(dict.fromkeys(paths))
        return dict(zip(once, self._at_once.map(answer, once), strict=True))

    def _ask(self, path: str, limit: Limit) -> str | None:
        url = f"{self._base}/latest/{path}"
        used = self._token
        answer = self._get(url, limit)
        if answer.status == 401 and used:
            self._renew(used, limit)
            answer = self._get(url, limit)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise refusal(url, answer)
        return _text(url, answer.body)

    def _get(self, url: str, limit: Limit) -> transport.Answer:
        headers = {"X-aws-ec2-metadata-token": self._token} if self._token else {}
        return self._send("GET", url, headers, limit)

    def _renew(self, refused: str, limit: Limit) -> None:
        """Get a new token, unless another thread has done so since ``refused`` was sent."""
        with self._renewing:
            if self._token != refused:
                return
            try:
                self._token = fetch_token(self._send, self._base, limit)
            except NoTokenError as none:
                text = f"{self._base} refuses its own token (401), and {none}"
                raise AttemptError(text) from None

    def _send(
        self, method: str, url: str, headers: dict[str, str], limit: Limit
    ) -> transport.Answer:
        self._sent.append(None)
        answer = transport.send(self._session, method, url, headers, limit)
        date = answer.date()
        if date is not None:
            self.served_at = date
            self.clock_ahead = self._wall() - date
        return answer


def component(text: str, shape: re.Pattern[str], what: str) -> str:
    """Return ``text``, which came from the service, if it may stand between two slashes.

    Raises:
        AttemptError: it has another shape: it could lead the request elsewhere.
    """
    if not shape.fullmatch(text) or text in (".", ".."):
        raise AttemptError(f"the metadata service gave {shown(text)} as {what}: not asked for")
    return text


def _text(url: str, body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise AttemptError(f"{url}: the answer is not UTF-8") from None
    if "\0" in text:
        raise AttemptError(f"{url}: the answer has a NUL byte in it")
    return text
