"""What the metadata service answers to one request: tokens, errors, lists and leaves."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from urllib.parse import unquote

from rancheros_ec2_metadata.fake_ec2.data import FakeInstance

TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path, no secret
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
MAX_TTL = 21600  # seconds

# The oldest, the one RancherOS was written for, the first with tags, the newest, as IMDS lists
# them among others. All show the same here.
VERSIONS = ("1.0", "2009-04-04", "2016-09-02", "2021-03-23", "2024-04-11", "latest")

_ERROR_PAGE = """<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t\t "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
 </head>
 <body>
  <h1>{title}</h1>
 </body>
</html>
"""


@dataclass(frozen=True)
class Asked:
    """One request: its method, its path as decoded() gives it, its headers."""

    method: str
    path: str
    headers: Message


@dataclass(frozen=True)
class Shown:
    """Whose metadata service this is, and what tree.metadata() made of it."""

    instance: FakeInstance
    tree: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, less the headers that all answers have."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Tokens:
    """The session tokens given out.

    Args:
        now: the time, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._valid: dict[str, tuple[float, str]] = {}

    def issue(self, ttl: int, instance_id: str) -> str:
        """Return a new token, valid for ``ttl`` seconds on this instance only."""
        token = f"AQAE{secrets.token_urlsafe(38)}=="
        self._valid[token] = (self._now() + ttl, instance_id)
        return token

    def accepts(self, token: str, instance_id: str) -> bool:
        """Tell whether ``token`` is this instance's and has not expired."""
        ends, owner = self._valid.get(token, (0.0, ""))
        return owner == instance_id and self._now() < ends

    def expire(self) -> None:
        """Make every token given out so far invalid."""
        self._valid.clear()


def error_page(status: int) -> Answer:
    """Return IMDS's XHTML page for an error."""
    title = f"{status} - {HTTPStatus(status).phrase}"
    return Answer(status, _ERROR_PAGE.format(title=title).encode(), {"Content-Type": "text/html"})


def answer(asked: Asked, shown: Shown, tokens: Tokens) -> Answer | None:
    """Return what IMDS says; None if its answer never arrives."""
    if not shown.instance.imds.enabled:
        return error_page(403)
    if asked.path == TOKEN_PATH:
        return _token(asked, shown.instance, tokens)
    if asked.method not in ("GET", "HEAD"):
        return _not_allowed("GET, HEAD, OPTIONS")
    if not _may_read(asked, shown.instance, tokens):
        return error_page(401)
    text = _text(asked.path, shown.tree)
    if text is None:
        return error_page(404)
    # IMDS names no charset, so that whoever takes HTTP's default gets Latin-1.
    return Answer(200, text.encode(), {"Content-Type": "text/plain"})


def decoded(target: str) -> str:
    """Return the path of a request's target, without its query and percent-encoding."""
    return unquote(target.partition("?")[0])


def _not_allowed(allowed: str) -> Answer:
    return Answer(405, headers={"Allow": allowed, "Content-Type": "text/plain"})


def _token(asked: Asked, instance: FakeInstance, tokens: Tokens) -> Answer | None:
    if asked.method != "PUT":
        return _not_allowed("OPTIONS, PUT")
    if instance.imds.hop_limit_lost:
        return None
    if "X-Forwarded-For" in asked.headers:
        return error_page(403)
    ttl = asked.headers.get(TTL_HEADER, "")
    if not re.fullmatch("[0-9]{1,5}", ttl) or not 1 <= int(ttl) <= MAX_TTL:
        return error_page(400)
    token = tokens.issue(int(ttl), instance.instance_id)
    return Answer(200, token.encode(), {"Content-Type": "text/plain", TTL_HEADER: ttl})


def _may_read(asked: Asked, instance: FakeInstance, tokens: Tokens) -> bool:
    token = asked.headers.get(TOKEN_HEADER)
    if token is None:
        return instance.imds.tokens == "optional"
    # A token that is sent must be right also where none is required.
    return tokens.accepts(token, instance.instance_id)


def _text(path: str, tree: Mapping[str, str]) -> str | None:
    if path == "/":
        return "\n".join(VERSIONS)
    root, version, *below = path.split("/", 2)
    if root or version not in VERSIONS:
        return None
    wanted = "".join(below)
    # A folder's list is the same with and without the slash; a leaf with one does not exist.
    return tree.get(wanted, tree.get(f"{wanted}/"))
