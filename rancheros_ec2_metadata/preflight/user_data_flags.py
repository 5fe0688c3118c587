"""The flags that user-data gives this program: of its own service, or of its ``install`` line."""

from __future__ import annotations

import base64
import binascii
import contextlib
import email
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Literal

from rancheros_ec2_metadata import options
from rancheros_ec2_metadata.check.checked_file import NEWEST_RELEASE, File
from rancheros_ec2_metadata.check.service import parse_quietly
from rancheros_ec2_metadata.check.yaml_reader import Node
from rancheros_ec2_metadata.errors import UsageError, quote
from rancheros_ec2_metadata.hosts.rancheros import user_data
from rancheros_ec2_metadata.hosts.rancheros.user_data import Form
from rancheros_ec2_metadata.settings import HostKind, Settings

_VARIABLES = frozenset({*options.AWS_VARIABLES, *(one.variable for one in options.OPTIONS)})
_MIME = (b"content-type:", b"mime-version:")
# A script for RancherOS, which has no first line of its own.
_ROS = re.compile(rb"\bros (?:config|service|engine|console|os|install)\b|\bsystem-docker\b")
_PROGRAM = r"(?:ec2[-_]docker[-_]labels|rancheros[-_]ec2[-_]metadata)"
_INSTALL = re.compile(rf"^(.*\b{_PROGRAM}[\w.+-]*[\"']?\s+)install(?![\w-])(.*)$")
_OPERATOR = re.compile(r"[;&|<>()]+")
_REDIRECTED = re.compile(r"(?<=\s)\d(?=[<>])")  # the 2 of 2> is no word of the command
_EXPANDED = re.compile(r"[$`]")


@dataclass(frozen=True)
class UserDataFlags:
    """What user-data says of this program.

    Args:
        host: the kind of host that it is for.
        form: what the user-data is, in words.
        source: of the flags, in words; empty if there is none.
        words: the flags, and variables as ``NAME=value``.
        settings: that they make; None if there are no flags, or they are wrong.
        follow: the seconds of ``install --follow``.
        wrong: what is wrong with the ``install`` line, if anything is.
        file: the user-data as `check` sees it; None if it is for another host.
    """

    host: Literal["rancheros", "systemd"]
    form: str
    source: str = ""
    words: tuple[str, ...] = ()
    settings: Settings | None = None
    follow: int | None = None
    wrong: str = ""
    file: File | None = field(default=None, repr=False)


def read_flags(raw: bytes | None, host: HostKind) -> UserDataFlags:
    """Return what user-data says of this program.

    Args:
        raw: its bytes, as the instance is given them; None if there are none.
        host: the kind of host; auto goes by the user-data.
    """
    if raw is None:
        return UserDataFlags("systemd" if host == "systemd" else "rancheros", "none")
    form, parts = _unpack(raw)
    if host == "auto":
        is_for_rancheros = any(_is_for_rancheros(file) for _, file in parts)
        host = "rancheros" if is_for_rancheros else "systemd"
    if host == "rancheros":
        return _read_service(form, File(raw, NEWEST_RELEASE))
    return _read_install(form, parts)


def _unpack(raw: bytes) -> tuple[str, list[tuple[str, File]]]:
    """Return what user-data is, in words, and its parts, each behind what it is for cloud-init."""
    plain, packed = _decompress(raw)
    if not plain.lower().startswith(_MIME):
        kind = _find_type(plain, "text/plain")
        return f"{packed}{kind}", [(kind, File(plain, NEWEST_RELEASE))]
    parts = []
    for part in email.message_from_bytes(plain).walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and not part.is_multipart():
            inner, _ = _decompress(content)
            kind = _find_type(inner, part.get_content_type())
            parts.append((kind, File(inner, NEWEST_RELEASE)))
    kinds = ", ".join(kind for kind, _ in parts)
    return f"{packed}MIME multipart of {kinds or 'nothing'}", parts


def _decompress(raw: bytes) -> tuple[bytes, str]:
    """Return user-data without base64 and gzip, as far as it can be, and those in words."""
    packed = ""
    seen = user_data.classify(raw, NEWEST_RELEASE)
    if "base64" in seen.why:
        with contextlib.suppress(binascii.Error):
            raw, packed = base64.b64decode(raw), "base64 of "
            seen = user_data.classify(raw, NEWEST_RELEASE)
    return seen.plain, packed + "gzip of " * (seen.plain != raw)


def _find_type(plain: bytes, told: str) -> str:
    """Return what the first line says that it is, in the words of cloud-init, or what is told."""
    if plain.startswith(b"#cloud-config"):
        return "text/cloud-config"
    return "text/x-shellscript" if plain.startswith(b"#!") else told


def _is_for_rancheros(file: File) -> bool:
    is_script = file.form is Form.SCRIPT and bool(_ROS.search(file.raw))
    return is_script or file.form is Form.COMPOSE or "rancher" in file.root.fields


def _read_service(form: str, file: File) -> UserDataFlags:
    if not file.ours:
        return UserDataFlags("rancheros", form, file=file)
    service = file.ours[0]
    words = service.node.at("command").words or []
    variables = service.environ.items()
    # No other is shown: it may be a credential.
    words += [f"{name}={node.text}" for name, node in variables if name in _VARIABLES]
    source = f"the service {service.name} of the user-data"
    return UserDataFlags("rancheros", form, source, tuple(words), service.settings, file=file)


def _read_install(form: str, parts: list[tuple[str, File]]) -> UserDataFlags:
    lines = (line for kind, file in parts for line in _list_lines(kind, file))
    found = [match for line in lines if (match := _INSTALL.match(line))]
    if not found:
        return UserDataFlags("systemd", form)
    before, behind = found[-1].groups()  # a later `install` overrides
    said = UserDataFlags("systemd", form, "the install line of the user-data")
    try:
        flags = list(takewhile(lambda word: not _OPERATOR.fullmatch(word), _split_words(behind)))
        pairs = (one.partition("=")[::2] for one in _split_words(before) if "=" in one)
        environ = {name: value for name, value in pairs if name in _VARIABLES}
        words = (*flags, *(f"{name}={value}" for name, value in environ.items()))
        said = replace(said, words=words)
        if expanded := next(filter(_EXPANDED.search, words), None):
            return replace(said, wrong=f"only the shell knows what {quote(expanded)} is")
        _, given, settings = parse_quietly(["install", *flags], environ)
    except UsageError as error:
        return replace(said, wrong=str(error))
    return replace(said, settings=settings, follow=given.follow)


def _list_lines(kind: str, file: File) -> Iterator[str]:
    """Yield the lines of a script, and those that a cloud-config has anywhere in it."""
    if kind == "text/cloud-config":
        yield from _list_lines_in(file.root)
        return
    text = file.raw.decode("utf-8", "replace").replace("\\\n", " ")
    yield from (line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _list_lines_in(node: Node) -> Iterator[str]:
    yield from node.text.replace("\\\n", " ").splitlines()
    if node.items and all(item.is_scalar for item in node.items):
        yield shlex.join(item.text for item in node.items)
    for inner in (*node.items, *node.fields.values()):
        yield from _list_lines_in(inner)


def _split_words(text: str) -> Iterator[str]:
    """Yield the words and the operators of a line of shell.

    Raises:
        UsageError: a quote is open.
    """
    reader = shlex.shlex(_REDIRECTED.sub("", text), posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    try:
        yield from reader
    except ValueError:
        raise UsageError("a quote in it is open") from None
