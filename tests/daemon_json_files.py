"""Made-up files for /etc/docker/daemon.json, as people and programs write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st


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
_BLANKS = st.sampled_from(("", " ", "\n", "\r\n", "\t", "\n\n   ", " \r\n\t "))
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_NUMBERS = ("0", "-0", "1e400", "1E+2", "0.10", "123456789012345678901234567890", "-1.5e-9")
_STRINGS = st.builds(lambda text, spell: spell(text), _TEXT, st.sampled_from(_SPELLINGS))
ANY_VALUE = st.recursive(
    st.sampled_from(("true", "false", "null", '"\\ud800"', *_NUMBERS)) | _STRINGS,
    lambda inner: (
        st.builds(lambda some, gap: f"[{gap}{f' ,{gap}'.join(some)}]", st.lists(inner), _BLANKS)
        | st.builds(
            lambda pairs, gap: "{" + gap + ",".join(f"{k}{gap}: {v}" for k, v in pairs) + gap + "}",
            st.lists(st.tuples(_STRINGS | st.just('"labels"'), inner)),
            _BLANKS,
        )
    ),
    max_leaves=6,
)
# Of keys that differ in case Docker takes the last.
ANY_MEMBER = st.tuples(
    st.builds(
        lambda text, spell: spell(text),
        _TEXT.filter(lambda text: text.casefold() != "labels") | st.sampled_from(("label", "a/b")),
        st.sampled_from(_SPELLINGS),
    ),
    ANY_VALUE,
)
# What every dockerd takes.
DOCKERS_MEMBER = st.sampled_from(
    (
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
)

KEYS = ("docker.role", "docker.z", "mine", "é 日本", "a\\b", "")
VALUES = st.sampled_from(("", "web", "db=1", 'q"$\\', "日\n", "\0")) | _TEXT


@st.composite
def users_files(
    draw: st.DrawFn, members: st.SearchStrategy[tuple[str, str]], keys: tuple[str, ...] = KEYS
) -> UsersFile:
    """Return one, with members of these in any layout."""
    named = draw(st.dictionaries(st.sampled_from(keys), VALUES, max_size=3))
    items = [f"{key}={value}" for key, value in named.items()]
    items += draw(st.lists(st.sampled_from(items), max_size=2)) if items else []
    pretty = [
        (f"{end}{indent}", f",{end}{indent}", ": ", end)
        for end in ("\n", "\r\n")
        for indent in ("  ", "    ", "\t")
    ]
    line = [("", ",", ":", ""), ("", ", ", ": ", ""), (" ", " , ", " : ", " ")]
    lead, comma, colon, last = draw(
        st.sampled_from((*pretty, *line))
        | st.builds(lambda a, b, c, d: (a, f"{b},{a}", f"{c}:{d}", b), *[_BLANKS] * 4)
    )
    parts = [f"{key}{colon}{value}" for key, value in draw(st.lists(members, max_size=4))]
    empty = draw(_BLANKS), draw(_BLANKS)
    kind = draw(st.sampled_from(("absent", "null", "list")))
    if kind == "absent":
        inside = f"{lead}{comma.join(parts)}{last}" if parts else empty[0]
        return UsersFile(f"{empty[0]}{{", None, f"{inside}}}{empty[1]}", ())
    at = draw(st.integers(0, len(parts)))
    spell = draw(st.sampled_from(_SPELLINGS))
    gap = draw(_BLANKS)
    value = "null" if kind == "null" else f"[{gap}{f'{gap},'.join(map(spell, items))}]"
    before = "".join(f"{part}{comma}" for part in parts[:at])
    after = "".join(f"{comma}{part}" for part in parts[at:])
    return UsersFile(
        f'{empty[0]}{{{lead}{before}"labels"{colon}',
        value,
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
