"""Dataclasses that cost next to nothing to define.

The standard library's ``dataclass`` compiles up to six functions for each class, and imports
``inspect`` to do it: for the classes of this program that was a quarter of a whole run
(docs/performance.md). This is the part of it that the program uses, under the same names; a
class of this kind has no base class of this kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


class _Field:
    """What is known of a field.

    Args:
        default: makes its default; None where it has none.
        in_repr: whether ``repr`` shows it.
    """

    def __init__(self, default: Callable[[], Any] | None, *, in_repr: bool = True) -> None:
        self.default = default
        self.in_repr = in_repr


def field(
    *,
    default: Any = ...,
    default_factory: Callable[[], Any] | None = None,
    repr: bool = True,  # noqa: A002 - the standard library's name for it
) -> Any:
    """Say more of a field than its default.

    Args:
        default: its value where none is given; without it and a factory one must be given.
        default_factory: makes that value, for each instance anew.
        repr: whether the ``repr`` of an instance shows it.
    """
    return _Field(default_factory if default is ... else lambda: default, in_repr=repr)


@dataclass_transform(field_specifiers=(field,))
def dataclass(*, frozen: bool = False) -> Callable[[type[T]], type[T]]:
    """Give a class a constructor, ``repr`` and ``==`` by its annotated fields.

    Args:
        frozen: fields cannot be set, and instances have a hash.
    """

    def decorated(cls: Any) -> type[T]:
        cls.__fields__ = {name: _field(cls, name) for name in cls.__annotations__}
        cls.__init__ = _init
        cls.__eq__ = _eq
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = _repr
        if frozen:
            cls.__hash__ = _hash
            cls.__setattr__ = cls.__delattr__ = _refuse
        else:
            cls.__hash__ = None
        made: type[T] = cls
        return made

    return decorated


def replace(instance: T, /, **changes: Any) -> T:
    """Return a copy of an instance with some of its fields changed.

    Raises:
        TypeError: there is no such field.
    """
    return type(instance)(**{**_values(instance), **changes})


def asdict(instance: Any) -> dict[str, Any]:
    """Return the fields of an instance by name, those of instances in them likewise."""
    return {name: _plain(value) for name, value in _values(instance).items()}


def names(cls: Any) -> tuple[str, ...]:
    """Return the names of a class's fields, in order."""
    return tuple(cls.__fields__)


def _plain(value: Any) -> Any:
    if hasattr(type(value), "__fields__"):
        return asdict(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(inner) for inner in value)
    return value


def _field(cls: Any, name: str) -> _Field:
    said = cls.__dict__.get(name, ...)
    if isinstance(said, _Field):
        delattr(cls, name)
        return said
    return _Field(None if said is ... else lambda: said)


def _values(instance: Any) -> dict[str, Any]:
    return {name: getattr(instance, name) for name in instance.__fields__}


# The methods, the same functions for all classes.


def _init(self: Any, *args: Any, **kwargs: Any) -> None:
    fields: dict[str, _Field] = self.__fields__
    given = {**dict(zip(fields, args, strict=False)), **kwargs}
    if len(given) < len(args) + len(kwargs) or not given.keys() <= fields.keys():
        raise TypeError(f"{type(self).__name__} takes {', '.join(fields)}, each once")
    for name in fields.keys() - given.keys():
        default = fields[name].default
        if default is None:
            raise TypeError(f"{type(self).__name__} needs {name}")
        given[name] = default()
    self.__dict__.update(given)


def _eq(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(tuple(_values(self).values()))


def _repr(self: Any) -> str:
    fields = self.__fields__.items()
    shown = (f"{name}={getattr(self, name)!r}" for name, one in fields if one.in_repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse(self: Any, name: str, *_: object) -> None:
    raise AttributeError(f"{name} of a {type(self).__name__} cannot be changed")
