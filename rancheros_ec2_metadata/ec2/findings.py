"""What is asked of EC2 in one run, and what has been found so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, info, shown
from rancheros_ec2_metadata.settings import GROUP_TAG, TagSource

from . import instance

if TYPE_CHECKING:
    from rancheros_ec2_metadata.settings import Settings

    from .tags import Tags


@dataclass(frozen=True)
class Question:
    """What a run wants to know.

    Args:
        metadata: all AWS_ variables.
        wanted: whether a mapping or a prefix wants a tag (Settings.maps).
        source: where tags are asked for.
        required: keys of tags to wait for.
        kept: something of this same instance is kept from its last run.
        uses_tags: a mapping or a prefix could want a tag.
    """

    metadata: bool = True
    wanted: Callable[[str], bool] = lambda _key: True
    source: TagSource = "auto"
    required: tuple[str, ...] = ()
    kept: bool = False
    uses_tags: bool = True

    @classmethod
    def of(cls, settings: Settings, *, kept: bool) -> Question:
        """Return the question of a run with these settings."""
        return cls(
            metadata=settings.reads_metadata,
            wanted=settings.maps,
            source=settings.tags,
            required=settings.require_tags,
            kept=kept,
            uses_tags=settings.uses_tags,
        )

    @property
    def asks_tags(self) -> bool:
        """Tell whether any tag matters."""
        return self.source != "none" and (self.uses_tags or bool(self.required))

    def used(self, key: str) -> bool:
        """Tell whether the value of a tag is read."""
        return self.wanted(key) or key in self.required or (self.metadata and key == GROUP_TAG)


@dataclass()
class Findings:
    """What has been found; filled step by step by a thread that may be given up.

    Nothing in it is changed in place but ``notes``, so that a copy is whole at any time.

    Args:
        on_ec2: whether this is an EC2 instance; None while that is not known.
        identity: which one.
        age: seconds since its last start, by the service's clock.
        variables: AWS_ variables.
        sources: where those come from that are not the metadata service's (instance.source).
        fields: of the identity document.
        unread_variables: those that it may have, for all that has been read so far.
        variables_complete: none of them is missing for a failure.
        tags: those that are used; None while no source has given them.
        tags_complete: none of them is missing for a failure.
        tags_source: who gave them.
        unread_tags: keys whose values could not be read, each with the reason.
        keys: keys of all tags that the instance has.
        role: name of its role; empty where it had none; None while that has not been read.
        imds_requests: sent to the metadata service so far.
        api_calls: made to the EC2 API so far.
        needs_api: the metadata service does not have the tags, or not all that are required.
        notes: for the log.
        step: what is being done, in words.
    """

    on_ec2: bool | None = None
    identity: instance.Identity | None = None
    age: float | None = None
    variables: dict[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    unread_variables: frozenset[str] = frozenset(instance.VARIABLES)
    variables_complete: bool = False
    tags: dict[str, str] | None = None
    tags_complete: bool = False
    tags_source: Literal["imds", "api"] | None = None
    unread_tags: Mapping[str, str] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()
    role: str | None = None
    imds_requests: int = 0
    api_calls: int = 0
    needs_api: bool = False
    notes: list[Note] = field(default_factory=list)
    step: str = "nothing yet"

    @property
    def pending_time(self) -> str | None:
        """Return when the instance was last started, as the identity document has it."""
        return self.identity.pending_time if self.identity else None

    def missing(self, required: tuple[str, ...]) -> list[str]:
        """Return the required tags that have not been seen."""
        return [key for key in required if key not in self.keys]

    def has_wanted(self, question: Question) -> bool:
        """Tell whether the instance has a tag that a mapping or a prefix wants."""
        return any(map(question.wanted, self.keys))

    def take(self, question: Question, tags: Tags, source: Literal["imds", "api"]) -> None:
        """Take what a source of tags gave."""
        self.keys = tags.keys
        self.unread_tags = tags.unread
        self.tags = dict(tags.values)
        self.tags_source = source
        self.tags_complete = not tags.unread
        if question.metadata:
            self.variables = self.variables | instance.group_variable(tags.values)

    def conclude(self, question: Question) -> None:
        """Note how the reading of tags ended."""
        if self.tags_source is not None:
            said = "the metadata service" if self.tags_source == "imds" else "the EC2 API"
            wanted = sum(map(question.wanted, self.tags or ()))
            self.notes.append(info(f"{len(self.keys)} tags from {said}, {wanted} of them mapped"))
        for key, why in self.unread_tags.items():
            text = f"the value of the tag {shown(key)} could not be read ({why})"
            self.notes.append(error(ExitStatus.INCOMPLETE, text))
        for key in self.missing(question.required):
            text = f"the required tag {shown(key)} has not come: set it on the instance"
            self.notes.append(error(ExitStatus.REQUIRED_TAG, text))
