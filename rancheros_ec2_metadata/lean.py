"""Importing requests and PyYAML without what a run at boot does not use of them.

That is a seventh of a run (docs/performance.md). Done for the run at boot only, in the process that
is the run's own.
"""

from __future__ import annotations

import re
import sys
import warnings
from typing import Any

_NOT_TO_BE_IMPORTED: Any = None


def prepare() -> None:
    """Do so; called before either is imported."""
    # requests guesses encodings with it, and warns where it is not there. Nothing is guessed here.
    sys.modules["charset_normalizer"] = _NOT_TO_BE_IMPORTED
    warnings.filterwarnings("ignore", "Unable to find acceptable character detection")
    # PyYAML compiles a dozen patterns, of which libyaml's loader uses none.
    compile_now = re.compile
    re.compile = _Pattern  # type: ignore[assignment] # for the next line only
    try:
        import yaml  # noqa: F401, PLC0415 - as said above
    finally:
        re.compile = compile_now


class _Pattern:
    """A pattern of a regular expression that is compiled when it is used."""

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments

    def __getattr__(self, name: str) -> Any:
        return getattr(re.compile(*self._arguments), name)
