"""Importing what a run at boot is made of, without what such a run does not use of it.

That is an eighth of a run (docs/performance.md). Done for the run at boot only, in the process that
is the run's own.
"""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_NOT_TO_BE_IMPORTED: Any = None
_compile = re.compile


def prepare() -> None:
    """Do so for requests and PyYAML; called before either is imported."""
    # requests guesses encodings with it, and warns where it is not there. Nothing is guessed here.
    sys.modules["charset_normalizer"] = _NOT_TO_BE_IMPORTED
    warnings.filterwarnings("ignore", "Unable to find acceptable character detection")
    with patterns_compiled_when_used():
        import yaml  # noqa: F401, PLC0415 - as said above


def load(name: str) -> ModuleType:
    """Import a module, and all that it imports, requests among it."""
    with patterns_compiled_when_used():
        return importlib.import_module(name)


@contextmanager
def patterns_compiled_when_used() -> Iterator[None]:
    """Let ``re.compile`` wait: modules compile a hundred patterns, of which a run uses thirty."""
    re.compile = _Pattern  # type: ignore[assignment] # until they are imported
    try:
        yield
    finally:
        re.compile = _compile


class _Pattern:
    """A pattern of a regular expression that is compiled when it is first used."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._arguments = arguments
        self._named = named

    def __getattr__(self, name: str) -> Any:
        found = getattr(_compile(*self._arguments, **self._named), name)
        setattr(self, name, found)  # so that it is asked for once
        return found
