"""Where labels, variables and config values come from, and why one is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from rancheros_ec2_metadata.errors import quote

Kind = Literal["label", "variable", "config path", "env-file variable"]


class Source(NamedTuple):
    """The source of one label, variable or config value.

    Args:
        kind: a tag, a field of the metadata, a ``--set``, or the outcome of the run.
        name: the tag's key, the AWS_ variable, or the variable that is composed.
    """

    kind: Literal["tag", "metadata", "set", "outcome"]
    name: str

    def __str__(self) -> str:
        """Return it for the log."""
        match self.kind:
            case "tag":
                return f"tag {quote(self.name)}"
            case "set":
                return f"--set {self.name}"
            case "outcome":
                return "the outcome of the run"
        return "metadata"


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
