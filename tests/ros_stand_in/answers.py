"""What a call of ``ros`` prints and writes.

Source: rancher/os, cmd/control/config.go and config/config.go, at the tag of each release.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from . import loading
from .config_structs import Series
from .loading import CLOUD_CONFIG, CONF, Disk, FatalError, Tree
from .yaml_reading import CrashError, UnusableError, read_value
from .yaml_scalars import Node, text_of
from .yaml_writing import write_document

_USAGE = "NAME:\n   ros config set - set a value\n\nUSAGE:\n   ros config set [arguments...]\n"


@dataclass(frozen=True)
class Answer:
    """What a call ends with.

    Args:
        status: its exit status. stdout, stderr: what it prints.
        written: new content of files, by path below the conf folder.
    """

    status: int = 0
    stdout: str = ""
    stderr: str = ""
    written: Mapping[str, bytes] = field(default_factory=dict)


def answer(disk: Disk, release: str, arguments: Sequence[str]) -> Answer:
    """Return what ``ros`` of a release answers to ``config get`` or ``config set``.

    Args:
        disk: what it reads. release: its name, as ``v1.5.8``.
        arguments: those after ``ros``.
    """
    commands: dict[str, Callable[..., Answer]] = {"get": _get, "set": _set}
    config, command, *words = arguments
    assert config == "config", arguments
    try:
        return commands[command](disk, release, *words)
    except FatalError as fatal:
        return _logged(release, fatal.lines, status=fatal.status)
    except CrashError as crash:
        return _logged(release, (f"panic: {crash}",), status=2)
    except UnusableError as error:
        return _logged(release, (f'level=fatal msg="{_escaped(str(error))}"',), status=1)


def _document(node: Node, series: Series) -> str:
    # candiedyaml's own default changed.
    return write_document(node, width=80 if series < Series.V1_5_8 else 512)


def _logged(release: str, lines: Sequence[str], stdout: str = "", status: int = 0) -> Answer:
    """Return an answer with log lines, which v0.9 prints before it on standard output."""
    quoted = [
        line if line.startswith(("level=", "panic: ")) else f'level=error msg="{_escaped(line)}"'
        for line in lines
    ]
    series = loading.series_of(release)
    if series == Series.V0_9_2:
        return Answer(status, "".join(f"> {line} \n" for line in quoted) + stdout)
    end = "\n" if series == Series.BURMILLA else " \n"
    return Answer(status, stdout, "".join(line + end for line in quoted))


def _escaped(text: str) -> str:
    escapes: dict[str, str | int | None] = {
        "\\": "\\\\",
        '"': '\\"',
        "\n": "\\n",
        "\t": "\\t",
        "\r": "\\r",
    }
    return text.translate(str.maketrans(escapes))


def _get(disk: Disk, release: str, key: str) -> Answer:
    loaded = loading.load(disk, release)
    if loaded.unreadable:
        burmilla = loading.series_of(release) == Series.BURMILLA
        quoted = (
            key if re.fullmatch(r"[\w.-]+" if burmilla else r"[a-zA-Z0-9.-]+", key) else f'"{key}"'
        )
        nothing = '"<nil>"' if burmilla else "<nil>"
        why = f'msg="config get: failed to retrieve value" err="{loaded.unreadable}"'
        fatal = f"level=fatal {why} key={quoted} val={nothing}"
        return _logged(release, (*loaded.errors, fatal), status=1)
    value = lookup(loaded.tree, key)
    if isinstance(value, list | dict):
        text = _document(value, loading.series_of(release))
    else:
        text = "<nil>" if value is None else text_of(value)
    return _logged(release, loaded.errors, f"{text}\n")


def lookup(tree: Mapping[str, Node], key: str) -> Node:
    """Return what is at a key with dots in it; an empty text where nothing is."""
    node: Node = tree
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            return ""
        node = node[part]
    return node


def _with_value(tree: Tree, key: str, value: Node) -> Tree:
    """Return ``tree`` with a value set; as it was where the key goes through no map."""
    first, _, rest = key.partition(".")
    if not rest:
        return {**tree, first: value}
    inner = tree.get(first, {})
    if not isinstance(inner, dict):
        return tree
    return {**tree, first: _with_value(inner, rest, value)}


def _set(disk: Disk, release: str, key: str, text: str) -> Answer:
    if text.startswith("--"):
        return Answer(stdout=_USAGE)
    series = loading.series_of(release)
    value = read_value(text, hides_colons=series >= Series.V0_7_1)
    modified = _with_value(_existing(disk, series), key, value)
    loading.decoded(modified, series)
    return Answer(written=_written(series, modified))


def _existing(disk: Disk, series: Series) -> Tree:
    content = disk.files.get(CLOUD_CONFIG, b"")
    if content is None:
        raise UnusableError(f"read {CONF}/{CLOUD_CONFIG}: is a directory")
    return loading.read_checked(content, series) if content else {}


def _written(series: Series, tree: Tree) -> dict[str, bytes]:
    return {CLOUD_CONFIG: _document(tree, series).encode("utf-8", "surrogatepass")}
