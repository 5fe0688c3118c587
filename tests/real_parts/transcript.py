"""What was done in a run and what was seen, as text for a reader."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

_WIDTH = 100
_REPLACED = (
    (r"\bi-[0-9a-f]{17}\b", "i-0123456789abcdef0"),
    (r"\bgroup-[0-9a-f-]{36}\b", "workers"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-05T08:00:00Z"),
    (r"(API calls?); [\d.]+ s\b", r"\1; 0.1 s"),
    (r"current node \(\w+\)", "current node (m1x8)"),
)


class Transcript:
    """A run's text, in which nothing depends on when and where it ran.

    Args:
        places: folders of this run, and the paths to show in their place.

    Attributes:
        lines: those written so far.
    """

    def __init__(self, places: dict[str, str]) -> None:
        self.lines: list[str] = []
        self._replaced = [(re.escape(folder), path) for folder, path in places.items()]
        self._replaced += _REPLACED

    def told(self, text: str) -> None:
        """Say what happens next."""
        self.lines += ["", f"# {text}"] if self.lines else [f"# {text}"]

    def ran(self, command: str, arguments: Sequence[str], printed: str) -> None:
        """Note a command and what it printed."""
        words = [self._shown(shlex.quote(word)) for word in (command, *arguments)]
        self.lines += [*_wrapped(["$", *words]), *self._shown(printed).splitlines()]

    def seen(self, lines: Iterable[str]) -> None:
        """Note what was seen."""
        self.lines += map(self._shown, lines)

    def _shown(self, text: str) -> str:
        for pattern, shown in self._replaced:
            text = re.sub(pattern, shown, text)
        return text


def _wrapped(words: list[str]) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) < _WIDTH:
            lines[-1] += f" {word}"
        else:
            lines[-1] += " \\"
            lines.append(f"    {word}")
    return lines
