"""Our dataclasses beside the standard library's: the same class made by each does the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from rancheros_ec2_metadata import records


def _classes(library: Any) -> tuple[Any, Any]:
    """Return a frozen class and one that is not, made by a library."""

    @library.dataclass(frozen=True)
    class Frozen:
        """Has a field of each kind."""

        key: str
        value: int = 7
        secret: str = library.field(default="x", repr=False)
        more: tuple[Any, ...] = library.field(default_factory=tuple)

        def shout(self) -> str:
            return self.key.upper()

    @library.dataclass()
    class Open:
        """Is filled step by step."""

        notes: list[str] = library.field(default_factory=list)
        frozen: Any = None

    return Frozen, Open


OURS = _classes(records)
THEIRS = _classes(dataclasses)

Use = Callable[[Any, Any, Any], object]
"""Takes a frozen class, one that is not, and the library that made them."""

USES: dict[str, Use] = {
    "by position": lambda c, _o, _l: repr(c("a", 1, "s", (2,))),
    "by name": lambda c, _o, _l: repr(c(value=1, key="a")),
    "defaults": lambda c, _o, _l: [getattr(c("a"), n) for n in ("key", "value", "secret", "more")],
    "a method": lambda c, _o, _l: c("a").shout(),
    "equal": lambda c, _o, _l: c("a") == c("a", 7),
    "not equal": lambda c, _o, _l: c("a") == c("a", secret="y"),
    "of another class": lambda c, o, _l: c("a") == o(),
    "hash": lambda c, _o, _l: len({c("a"), c("a"), c("b")}),
    "no hash": lambda _c, o, _l: hash(o()),
    "missing": lambda c, _o, _l: c(),
    "unknown": lambda c, _o, _l: c("a", colour="red"),
    "too many": lambda c, _o, _l: c("a", 1, "s", (), "more"),
    "twice": lambda c, _o, _l: c("a", key="b"),
    "set": lambda c, _o, _l: setattr(c("a"), "key", "b"),
    "set what is new": lambda c, _o, _l: setattr(c("a"), "colour", "b"),
    "delete": lambda c, _o, _l: delattr(c("a"), "key"),
    "set what is open": lambda _c, o, _l: setattr(o(), "frozen", 1),
    "a default of its own": lambda _c, o, _l: o().notes is o().notes,
    "replace": lambda c, _o, lib: repr(lib.replace(c("a", 1), value=2)),
    "replace what is unknown": lambda c, _o, lib: lib.replace(c("a"), colour=1),
    "asdict": lambda c, o, lib: lib.asdict(o(["n"], {"one": [c("a"), 1]})),
}


def _result(use: Use, classes: tuple[Any, Any], library: Any) -> object:
    try:
        return use(*classes, library)
    except (TypeError, AttributeError) as error:
        return next(kind for kind in (TypeError, AttributeError) if isinstance(error, kind))


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_class_does_what_the_standard_librarys_does(use: Use) -> None:
    assert _result(use, OURS, records) == _result(use, THEIRS, dataclasses)


def test_a_repr_of_its_own_is_kept() -> None:
    @records.dataclass(frozen=True)
    class Answer:
        body: bytes

        def __repr__(self) -> str:
            return f"Answer({len(self.body)} bytes)"

    assert repr(Answer(b"token")) == "Answer(5 bytes)"


def test_the_names_of_the_fields_are_in_order() -> None:
    assert records.names(OURS[0]) == ("key", "value", "secret", "more")
