"""What has been learnt of an instance so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, quote

from .instance import OF_TAG, VARIABLES, Identity, make_group_variable
from .tags import Tags


class Facts(NamedTuple):
    """What EC2 said so far.

    Args:
        on_ec2: whether this is an EC2 instance; None while not known.
        identity: which one.
        variables: AWS_ variables.
        sources: where each of them comes from, in words.
        unread_variables: those that have not been read, and so may exist.
        variables_complete: whether no variable is missing because of a failure.
        tags: those that are used; None while no source has given them.
        tags_source: who gave them.
        unread_tags: keys whose values could not be read, each with the reason.
        keys: keys of all tags that the instance has.
        imds_requests: sent to the metadata service so far.
        api_calls: made to the EC2 API so far.
    """

    on_ec2: bool | None = None
    identity: Identity | None = None
    variables: Mapping[str, str] = {}
    sources: Mapping[str, str] = {}
    unread_variables: frozenset[str] = frozenset(VARIABLES)
    variables_complete: bool = False
    tags: Mapping[str, str] | None = None
    tags_source: Literal["imds", "api"] | None = None
    unread_tags: Mapping[str, str] = {}
    keys: frozenset[str] = frozenset()
    imds_requests: int = 0
    api_calls: int = 0

    @property
    def pending_time(self) -> str | None:
        """Return when the instance was last started, as the identity document has it."""
        return self.identity.pending_time if self.identity else None

    @property
    def tags_complete(self) -> bool:
        """Tell whether no tag is missing because of a failure."""
        return self.tags is not None and not self.unread_tags

    def list_missing(self, required: tuple[str, ...]) -> list[str]:
        """Return the required tags that have not been seen."""
        return [key for key in required if key not in self.keys]

    def note_missing(self, required: tuple[str, ...]) -> Iterator[Note]:
        """Yield an error for each required tag that has not been seen."""
        for key in self.list_missing(required):
            text = f"the required tag {quote(key)} has not come: set it on the instance"
            yield error(ExitStatus.REQUIRED_TAG, text)

    def with_tags(self, tags: Tags, source: Literal["imds", "api"], *, metadata: bool) -> Facts:
        """Return the same, with what a source of tags gave.

        Args:
            tags: of the instance.
            source: who gave them.
            metadata: the metadata is read too, to which the name of the group belongs.
        """
        group = make_group_variable(tags.values) if metadata else {}
        return self._replace(
            variables={**self.variables, **group},
            sources={**self.sources, **dict.fromkeys(group, OF_TAG)},
            tags=tags.values,
            tags_source=source,
            unread_tags=tags.unread,
            keys=tags.keys,
        )
