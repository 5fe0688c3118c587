"""``labels`` of /etc/docker/daemon.json, changed in the text: all else stays as the user has it.

With what is written every Docker from 20.10 on starts (docs/plain-hosts.md, "daemon.json"): strict
JSON in UTF-8, no label with two values, no key of our own. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from rancheros_ec2_metadata.errors import quote
from rancheros_ec2_metadata.plan.labels import is_reserved

KEY = "labels"
_BLANKS = re.compile(r"[ \t\r\n]*")


class CannotMergeError(Exception):
    """The file is left alone; the message says why, and what to do."""


class Place(NamedTuple):
    """Where the key ``labels`` and its value stand in the text."""

    key: int
    value: int
    end: int


class DaemonJson(NamedTuple):
    """A daemon.json, as read.

    Args:
        text: of it.
        items: of ``labels``.
        place: of ``labels``; None without that key.
        has_others: it has other keys.
    """

    text: str
    items: tuple[str, ...]
    place: Place | None
    has_others: bool

    @property
    def source(self) -> str:
        """The text of the value of ``labels``; empty without that key."""
        return self.text[self.place.value : self.place.end] if self.place is not None else ""

    @property
    def lead(self) -> str:
        """The blanks before the first key."""
        start = self.text.index("{") + 1
        return self.text[start : _skip_blanks(self.text, start)]


class LabelRecord(NamedTuple):
    """Which of daemon.json is ours, and how to restore the user's.

    Args:
        former: the text of the user's ``labels``; empty without that key, None without a file.
        ours: the items that are ours, or were until this run.
        pending: Docker has not shown yet that it has the labels of the file.
    """

    former: str | None
    ours: tuple[str, ...]
    pending: bool = False


class Merged(NamedTuple):
    """The planned daemon.json.

    Args:
        text: of it; None for no file.
        items: of ``labels`` in it.
        record: of what is ours.
        is_users: nothing in it is ours.
    """

    text: str | None
    items: tuple[str, ...]
    record: LabelRecord
    is_users: bool

    @property
    def content(self) -> bytes | None:
        """The bytes of the file."""
        return self.text.encode() if self.text is not None else None


def parse_daemon_json(raw: bytes) -> DaemonJson:
    """Read a daemon.json.

    Raises:
        CannotMergeError: Docker, or an older or a newer one, would not start with it.
    """
    try:
        text = raw.decode("utf-8")
        tree = json.loads(text, object_pairs_hook=_Object, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise CannotMergeError("it is not UTF-8; save it as UTF-8 without a mark") from None
    except RecursionError:
        raise CannotMergeError("it is nested too deep; correct it") from None
    except ValueError as why:
        raise CannotMergeError(f"it is not JSON: {why}; correct it") from None
    if not isinstance(tree, _Object):
        raise CannotMergeError("it is not a JSON object; correct it")
    # Docker reads keys without regard to case, of two the last one.
    keys = [name for name, _ in tree if name.casefold() == KEY]
    if keys not in ([], [KEY]):
        raise CannotMergeError(f"it has {', '.join(map(quote, keys))}; keep one key 'labels'")
    items = read_items(dict(tree).get(KEY))
    return DaemonJson(text, items, _find_labels(text), has_others=len(tree) > len(keys))


def merge(
    found: DaemonJson | None,
    labels: Mapping[str, str],
    record: LabelRecord | None,
    *,
    clear: bool,
) -> Merged:
    """Return daemon.json with our ``labels`` in place of those that an earlier run set.

    Args:
        found: as it is; None if there is no file.
        labels: ours, by key.
        record: of what an earlier run set; None if it set nothing.
        clear: leave ``[]`` where the key would go: a running Docker keeps its labels without it.
    """
    former = _take_out(found, record)
    users = read_items(json.loads(former or "null"))
    kept = tuple(item for item in users if _read_key(item) not in labels)
    ours = tuple(f"{key}={value}" for key, value in sorted(labels.items()))
    source = former or ""
    if ours:
        source = _render((*kept, *ours), found or _NEW)
    elif clear and not source.startswith("["):
        source = "[]"
    text = None
    if source or former is not None or (found is not None and found.has_others):
        text = _put(found or _NEW, source)
    # A run may be killed before it writes: what is there now is ours too.
    still = [item for item in record.ours if item in found.items] if record and found else []
    new_record = LabelRecord(former, tuple(dict.fromkeys((*still, *ours))))
    is_users = not ours and source == (former or "")
    return Merged(text, (*kept, *ours), new_record, is_users)


def diff_labels(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """Yield the labels that are removed and added: what else is in the file is not for showing."""
    for sign, these, others in (("-", before, after), ("+", after, before)):
        for item in these:
            if item not in others:
                yield f"{sign}labels: {quote(item, 600)}"


def _take_out(found: DaemonJson | None, record: LabelRecord | None) -> str | None:
    """Return the text of the user's ``labels``; empty without that key, None without a file."""
    if found is None:
        return None
    if record is None:
        return found.source
    # Another tool may have changed the list since: ours are removed by their text, and what those
    # that are still there replaced returns. An empty list may be the one that waits for Docker.
    ours = [item for item in found.items if item in record.ours]
    if not ours and found.source != "[]":
        return found.source
    users = [item for item in found.items if item not in ours]
    former = read_items(json.loads(record.former or "null"))
    replaced = set(map(_read_key, ours)) - set(map(_read_key, users))
    users += [item for item in former if _read_key(item) in replaced]
    return record.former if set(users) == set(former) else _render(users, found)


def _put(found: DaemonJson, source: str) -> str:
    """Return the text with ``source`` as the value of ``labels``, without the key where empty."""
    text, place = found.text, found.place
    if place is None:
        start = text.index("{") + 1
        member = f'{found.lead}"labels": {source}{"," if found.has_others else ""}'
        return text[:start] + member + text[start:] if source else text
    if source:
        return text[: place.value] + source + text[place.end :]
    before, after = text[: place.key].rstrip(), text[place.end :]
    if before.endswith(","):
        return before[:-1] + after
    return before + (after.lstrip().removeprefix(",") if found.has_others else after)


def _find_labels(text: str) -> Place | None:
    decode = json.JSONDecoder().raw_decode
    key = _skip_blanks(text, text.index("{") + 1)
    while text[key] != "}":
        name, end = decode(text, key)
        value = _skip_blanks(text, _skip_blanks(text, end) + 1)
        _, end = decode(text, value)
        if name == KEY:
            return Place(key, value, end)
        comma = _skip_blanks(text, end)
        key = _skip_blanks(text, comma + 1) if text[comma] == "," else comma
    return None


def _skip_blanks(text: str, start: int) -> int:
    blanks = _BLANKS.match(text, start)
    return blanks.end() if blanks else start


def _render(items: Sequence[str], file: DaemonJson) -> str:
    """Return a list in ASCII, one label a line where the file has a line for each key."""
    newline, indent = "\r\n" if "\r\n" in file.lead else "\n", file.lead.rpartition("\n")[2]
    if "\n" not in file.lead or not items:
        return json.dumps(list(items))
    lines = f",{newline}".join(f"{indent * 2}{json.dumps(item)}" for item in items)
    return f"[{newline}{lines}{newline}{indent}]"


def parse_record(raw: bytes) -> LabelRecord:
    """Return the record that ``raw`` holds.

    Raises:
        ValueError: this program did not write it, or it is not whole.
    """
    try:
        found = json.loads(raw)
        read_items(json.loads(found["former"] or "null"))
        ours = tuple(map(str, found["ours"]))
        return LabelRecord(found["former"], ours, bool(found["pending"]))
    except (KeyError, TypeError, RecursionError, CannotMergeError) as why:
        raise ValueError("it is not a record of labels") from why


def render_record(record: LabelRecord) -> bytes:
    """Return the record as the bytes of its file: ASCII JSON, the same for the same record."""
    return (json.dumps(record._asdict(), indent=1) + "\n").encode("ascii")


class _Object(list[tuple[str, Any]]):
    """A JSON object with each of its keys, also those that it has twice."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def read_items(node: object) -> tuple[str, ...]:
    """Return the items of a value of ``labels``.

    Raises:
        CannotMergeError: Docker would not start with it.
    """
    if node is None:
        return ()
    if not isinstance(node, list) or isinstance(node, _Object):
        raise CannotMergeError("its labels are not a list; correct them")
    values: dict[str, str] = {}
    for item in node:
        if not isinstance(item, str) or "=" not in item:
            raise CannotMergeError(f"its label {quote(str(item))} is not KEY=VALUE; correct it")
        if is_reserved(item):
            raise CannotMergeError(f"its label {quote(item)} is in a reserved namespace; remove it")
        if values.setdefault(_read_key(item), item) != item:
            raise CannotMergeError(f"its label {quote(_read_key(item))} has two values; keep one")
    return tuple(node)


def _read_key(item: str) -> str:
    return item.partition("=")[0]


_NEW = parse_daemon_json(b'{\n  "labels": []\n}\n')
