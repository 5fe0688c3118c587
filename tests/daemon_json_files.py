"""Made-up files for /etc/docker/daemon.json, as people and programs write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True)
class UsersFile:
    """A daemon.json, in parts.

    Args:
        before: its text up to the value of ``labels``; up to and with the { where it has none.
        value: the text of that value; None where it has none.
        after: the rest.
        items: of ``labels``.
    """

    before: str
    value: str | None
    after: str
    items: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"{self.before}{self.value or ''}{self.after}"


def _escaped(text: str) -> str:
    units = text.encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return '"' + "".join(f"\\u{pair}" for pair in pairs) + '"'


_SPELLINGS: tuple[Callable[[str], str], ...] = (
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps(text).replace("/", "\\/"),
    _escaped,
)
_BLANKS = ("", " ", "\n", "\r\n", "\t", "\n\n   ", " \r\n\t ")
_NUMBERS = ("0", "-0", "1e400", "1E+2", "0.10", "123456789012345678901234567890", "-1.5e-9")
_WORDS = ("true", "false", "null", '"\\ud800"', *_NUMBERS)
# What every dockerd takes.
_OF_DOCKER = (
    ('"debug"', "true"),
    ('"log-level"', '"warn"'),
    ('"log-opts"', '{\n    "max-size": "10m",\n"tag" : "\\u007b{.Name}}" }'),
    ('"registry-mirrors"', '[ "https:\\/\\/mirror.example" ]'),
    ('"max-concurrent-downloads"', "3"),
    ('"shutdown-timeout"', "15"),
    ('"default-address-pools"', '[{"base": "10.201.0.0/16", "size": 24}]'),
    ('"features"', '{"buildkit":true}'),
    ('"exec-opts"', "[]"),
    ('"insecure-registries"', "null"),
)
KEYS = ("docker.role", "docker.z", "mine", "é 日本", "a\\b", "")
_VALUES = ("", "web", "db=1", 'q"$\\', "日\n", "\0")
_PRETTY = [
    (f"{end}{indent}", f",{end}{indent}", ": ", end)
    for end in ("\n", "\r\n")
    for indent in ("  ", "    ", "\t")
]
_LINES = [("", ",", ":", ""), ("", ", ", ": ", ""), (" ", " , ", " : ", " ")]


def _text(rng: Random) -> str:
    """Return any Unicode text without surrogates, as a rule of a small range."""
    last = rng.choice((0x7F, 0xFF, 0x2FFF, 0x10FFFF))
    codes = (rng.randint(0, last) for _ in range(rng.randint(0, 6)))
    return "".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF)


def _string(rng: Random) -> str:
    return rng.choice(_SPELLINGS)(_text(rng))


def _value(rng: Random, depth: int = 0) -> str:
    kind = rng.random()
    if depth == 3 or kind < 0.6:
        return rng.choice(_WORDS) if kind < 0.3 else _string(rng)
    gap, inner = rng.choice(_BLANKS), [_value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    if kind < 0.8:
        return f"[{gap}{f' ,{gap}'.join(inner)}]"
    keys = ('"labels"' if rng.random() < 0.3 else _string(rng) for _ in inner)
    pairs = ",".join(f"{key}{gap}: {value}" for key, value in zip(keys, inner, strict=False))
    return f"{{{gap}{pairs}{gap}}}"


def any_member(rng: Random) -> tuple[str, str]:
    """Return a key and a value as JSON; of keys that differ in case Docker takes the last."""
    key = rng.choice(("label", "a/b", _text(rng)))
    return rng.choice(_SPELLINGS)("" if key.casefold() == "labels" else key), _value(rng)


def dockers_member(rng: Random) -> tuple[str, str]:
    """Return one that every dockerd takes."""
    return rng.choice(_OF_DOCKER)


def labels(rng: Random, keys: tuple[str, ...] = KEYS) -> dict[str, str]:
    """Return up to three labels."""
    found = rng.sample(keys, rng.randint(0, 3))
    return {key: rng.choice((*_VALUES, _text(rng))) for key in found}


def users_file(
    rng: Random, member: Callable[[Random], tuple[str, str]], keys: tuple[str, ...] = KEYS
) -> UsersFile:
    """Return one, with members of these in any layout."""
    items = [f"{key}={value}" for key, value in labels(rng, keys).items()]
    items += rng.choices(items, k=rng.randint(0, 2)) if items else []
    a, b, c, d = (rng.choice(_BLANKS) for _ in range(4))
    odd = (a, f"{b},{a}", f"{c}:{d}", b)
    lead, comma, colon, last = rng.choice((*_PRETTY, *_LINES)) if rng.random() < 0.5 else odd
    parts = [colon.join(member(rng)) for _ in range(rng.randint(0, 4))]
    empty, gap = (rng.choice(_BLANKS), rng.choice(_BLANKS)), rng.choice(_BLANKS)
    kind = rng.choice(("absent", "null", "list"))
    if kind == "absent":
        inside = f"{lead}{comma.join(parts)}{last}" if parts else empty[0]
        return UsersFile(f"{empty[0]}{{", None, f"{inside}}}{empty[1]}", ())
    at = rng.randint(0, len(parts))
    listed = f"{gap},".join(map(rng.choice(_SPELLINGS), items))
    before = "".join(f"{part}{comma}" for part in parts[:at])
    after = "".join(f"{comma}{part}" for part in parts[at:])
    return UsersFile(
        f'{empty[0]}{{{lead}{before}"labels"{colon}',
        "null" if kind == "null" else f"[{gap}{listed}]",
        f"{after}{last}}}{empty[1]}",
        tuple(items) if kind == "list" else (),
    )


def load_strictly(text: str) -> list[tuple[str, Any]]:
    """Return the members of a JSON object, numbers as text; keys may stand in it twice.

    Raises:
        ValueError: it is not JSON, or no object.
    """

    def refuse(name: str) -> None:
        raise ValueError(name)

    found = json.loads(
        text,
        object_pairs_hook=lambda pairs: ("object", pairs),
        parse_constant=refuse,
        parse_int=lambda digits: ("number", digits),
        parse_float=lambda digits: ("number", digits),
    )
    if not isinstance(found, tuple) or found[0] != "object":
        raise ValueError("not an object")
    members: list[tuple[str, Any]] = found[1]
    return members
