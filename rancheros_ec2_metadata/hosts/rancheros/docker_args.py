"""Docker's argument lists: the user's items, and the labels put behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rancheros_ec2_metadata.hosts.rancheros import shell
from rancheros_ec2_metadata.hosts.rancheros.release import Quoting

# Linux passes 131,072 bytes in one argument, and bash gets all of dockerd's command in one
# (docs/rancheros.md). The rest is for what the system adds to our lists.
MOST_BYTES = 96 * 1024

_OPTION = re.compile(r"--[A-Za-z0-9-]+|-[A-Za-z]")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_ADDRESS_VARIABLE = re.compile(r"\$(?:private|public)_ipv[46]")


def make_label_item(key: str, value: str, quoting: Quoting) -> str:
    """Return the one item that sets a label.

    One token, ``--label=k=v``: the system looks at arguments by prefix before dockerd does, and a
    value that is an item of its own may be taken for an option.

    Raises:
        ValueError: the label cannot be carried; the message says why.
    """
    text = f"{key}={value}"
    if quoting == "shell":
        return f"--label={shell.quote(text)}"
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("before v0.6 only printable ASCII can be passed")
    if _ADDRESS_VARIABLE.search(text):
        # `ros` leaves the $ bare when it writes cloud-config.yml anew, then replaces the name.
        raise ValueError("before v0.6 RancherOS would put an address of the machine there")
    return f"--label={text}"


def make_label_items(
    wanted: Mapping[str, str], quoting: Quoting, taken: int
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the items for ``wanted`` labels by key, sorted, and why the others were left out.

    If not all labels fit beside the bytes ``taken`` by the user's own items, the longest are left
    out first, so that one long tag cannot displace the short ones.
    """
    items: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for key in sorted(wanted):
        try:
            items[key] = make_label_item(key, wanted[key], quoting)
        except ValueError as reason:
            left_out[key] = str(reason)
    total = taken + count_bytes(items.values())
    for key in sorted(items, key=lambda key: (-len(items[key]), key)):
        if total <= MOST_BYTES:
            break
        total -= len(items.pop(key)) + 1
        left_out[key] = f"Docker's arguments would be longer than {MOST_BYTES // 1024} KiB"
    return items, left_out


def count_bytes(items: Iterable[str]) -> int:
    """Return the bytes that ``items`` take, joined by spaces."""
    return sum(len(item.encode("utf-8", "surrogatepass")) + 1 for item in items)


def find_labels(items: Sequence[str], quoting: Quoting) -> dict[str, str]:
    """Return the labels that ``items`` set.

    Raises:
        NotWordsError: an item does not read as shell words.
    """
    return {key: value for key, value, _ in _list_labels(items, quoting)}


def find_option(items: Sequence[str], name: str, quoting: Quoting) -> list[str]:
    """Return the values that ``items`` give an option, ``name=value`` or ``name value``.

    Raises:
        NotWordsError: an item does not read as shell words.
    """
    return [value for value, _ in _list_options(items, name, quoting)]


class WithoutLabels(NamedTuple):
    """A list of arguments without some of its labels, and the items that set these."""

    items: tuple[str, ...]
    removed: tuple[str, ...]


def remove_labels(items: Sequence[str], keys: Iterable[str], quoting: Quoting) -> WithoutLabels:
    """Remove the labels with one of ``keys`` from ``items``; everything else stays verbatim.

    A label may be one item (``--label=k=v``, quoted or not), one of two words (``--label k=v``),
    or two items. Of an item that also holds other words, only the label is cut out.

    Raises:
        NotWordsError: an item does not read as shell words.
    """
    unwanted = set(keys)
    labels = _list_labels(items, quoting) if unwanted else ()
    cut = {word for key, _, words in labels if key in unwanted for word in words}
    if not cut:
        return WithoutLabels(tuple(items), ())
    every, kept, removed = _split(items, quoting), [], []
    for index, item in enumerate(items):
        here = [word for word in every if word.item == index]
        gone = [word for word in here if word in cut]
        if not gone:
            kept.append(item)
            continue
        removed.append(_join(item, gone))
        if len(gone) < len(here):
            kept.append(_join(item, [word for word in here if word not in cut]))
    return WithoutLabels(tuple(kept), tuple(removed))


def _join(item: str, words: Sequence[shell.Word]) -> str:
    return " ".join(item[word.start : word.end] for word in words)


def name_option(item: str) -> str:
    """Return an item of the user's by its option alone: what follows may be a password."""
    option = _OPTION.match(item)
    name = option[0] if option else ""
    return name if name == item else f"{name}…"


def _list_labels(
    items: Sequence[str], quoting: Quoting
) -> Iterator[tuple[str, str, tuple[shell.Word, ...]]]:
    """Yield the key and the value of each label, and the words that set it."""
    for value, words in _list_options(items, "--label", quoting):
        key, _, text = value.partition("=")
        if shell.EXPANDED not in key:
            yield key, text, words


def _list_options(
    items: Sequence[str], name: str, quoting: Quoting
) -> Iterator[tuple[str, tuple[shell.Word, ...]]]:
    left = iter(_split(items, quoting))
    for word in left:
        if word.text.startswith(name + "="):
            yield word.text[len(name) + 1 :], (word,)
        elif word.text == name and (value := next(left, None)) is not None:
            yield value.text, (word, value)


def _split(items: Sequence[str], quoting: Quoting) -> list[shell.Word]:
    if quoting == "raw":
        return [shell.Word(i, 0, len(item), item) for i, item in enumerate(items)]
    return shell.split(items)
