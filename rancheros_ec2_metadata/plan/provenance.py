"""Where labels, variables and config values come from, and why one is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from rancheros_ec2_metadata.errors import quote

Kind = Literal["label", "variable", "config path", "env-file variable"]


class Source(NamedTuple):
    """The source of one label, variable or config value: its kind, and the tag or variable."""

    kind: Literal["tag", "metadata", "set", "outcome"]
    name: str

    def __str__(self) -> str:
        """Return it for the log."""
        if self.kind == "tag":
            return f"tag {quote(self.name)}"
        if self.kind == "set":
            return f"--set {self.name}"
        return "metadata" if self.kind == "metadata" else "the outcome of the run"


class LeftOut(NamedTuple):
    """Something asked for that is not set, or is set and not in effect.

    Args:
        kind: what it would be.
        name: the name it would have; for a tag that cannot be a label, its key.
        reason: for an operator.
        source: of it; None if the desired state says it.
        by: the file that is in the way, if one is.
    """

    kind: Kind
    name: str
    reason: str
    source: Source | None = None
    by: str | None = None


class Sources(NamedTuple):
    """The source of each label, variable and config value, by its name."""

    labels: Mapping[str, Source] = {}
    variables: Mapping[str, Source] = {}
    config: Mapping[str, Source] = {}
