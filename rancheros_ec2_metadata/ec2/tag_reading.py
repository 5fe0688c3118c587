"""Reading tags from the one source or the other, and waiting for those that are late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.errors import info, warning

from .failure import AttemptError, Kind
from .instance import DOMAIN_PATH, PARTITION_PATH, Identity, is_listed
from .metadata import part
from .retry import LATE, LATE_IMDS, Patience, Policy, persist, until
from .role import Credentials, read_credentials
from .tags import TAGS_PATH, all_known, read_tags
from .waiting import ask_patiently, waits

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit
    from rancheros_ec2_metadata.settings import ApiSettings

    from .api import TagsApi
    from .findings import Findings, Question
    from .imds import Imds

Ask = Callable[[], dict[str, str]]
"""Returns all tags of the instance, or raises an AttemptError."""

Connect = Callable[
    [Identity, Credentials, "ApiSettings", Callable[[], str | None], float | None], Ask
]
"""Takes what `api.TagsApi` takes."""


def with_boto3(
    identity: Identity,
    credentials: Credentials,
    settings: ApiSettings,
    domain: Callable[[], str | None],
    clock_ahead: float | None,
) -> Ask:
    """Return a function that asks the API with boto3, imported at its first call."""
    made: list[TagsApi] = []

    def ask() -> dict[str, str]:
        # Not at the top: boto3 takes longer than all the rest of a run that does not need it.
        from .api import TagsApi  # noqa: PLC0415 - see above

        if not made:
            made.append(TagsApi(identity, credentials, settings, domain, clock_ahead))
        return made[0].ask()

    return ask


class TagReading:
    """Reads the tags of one instance into the findings.

    Args:
        question: what to ask for.
        imds: in contact.
        findings: with the identity; to fill.
    """

    def __init__(self, question: Question, imds: Imds, findings: Findings) -> None:
        self._question = question
        self._imds = imds
        self._findings = findings
        self._given = waits(findings.age, kept=question.kept)

    def from_imds(self, listing: str | None) -> None:
        """Read the tags where the metadata service serves them, else set ``needs_api``.

        Args:
            listing: what meta-data/ lists, if that is known.

        Raises:
            AttemptError: it does not give them, and the API must not be asked.
        """
        question, findings = self._question, self._findings
        if question.source == "api":
            findings.needs_api = True
            return
        try:
            if is_listed(TAGS_PATH, listing):
                self._look_at_imds(self._imds.limit)
        except AttemptError as failure:
            if question.source == "imds":
                raise
            findings.notes.append(warning(f"{failure}: the EC2 API is asked for the tags instead"))
            findings.needs_api = True
            return
        if findings.tags is None:
            self._not_in_imds()
        elif question.source == "auto" and findings.missing(question.required):
            findings.needs_api = True
        else:
            self._wait_for_late(self._look_at_imds, LATE_IMDS)

    def from_api(self, settings: ApiSettings, connect: Connect) -> None:
        """Read the tags from the EC2 API.

        Raises:
            AttemptError: it does not give them, and nor has the metadata service.
        """
        findings = self._findings
        try:
            findings.step = "asking the metadata service for the role's credentials"
            call = self._asker(settings, connect)
            findings.step = "asking the EC2 API for tags"

            def ask() -> dict[str, str]:
                findings.api_calls += 1
                return call()

            def look(limit: Limit) -> None:
                tags = ask_patiently(ask, self._given, limit, self._imds.draw)
                used = self._question.used
                findings.take(self._question, all_known(tags, used), "api")

            look(self._imds.limit)
            self._wait_for_late(look, LATE)
        except AttemptError as failure:
            if findings.tags is None:
                raise
            # The metadata service serves the tags: the API was asked for a required one only.
            findings.notes.append(warning(str(failure)))
            self._wait_for_late(self._look_at_imds, LATE_IMDS)

    def _look_at_imds(self, limit: Limit) -> None:
        question, findings = self._question, self._findings
        known = findings.tags or {}
        tags = read_tags(self._imds, question.used, known, part(limit, 2))
        if tags is not None:
            findings.take(question, tags, "imds")

    def _not_in_imds(self) -> None:
        if self._question.source == "imds":
            raise AttemptError(
                f"the metadata service does not serve this instance's tags ({TAGS_PATH}: 404): "
                "switch them on (InstanceMetadataTags=enabled), or let --tags be auto"
            )
        text = "the tags are not in the metadata service: the EC2 API is asked for them"
        self._findings.notes.append(info(text))
        self._findings.needs_api = True

    def _wait_for_late(self, look: Callable[[Limit], None], policy: Policy) -> None:
        """Look again for as long as tags that are missing are given time."""
        question, findings = self._question, self._findings
        findings.step = "waiting for tags"
        if question.uses_tags:
            seconds = self._given.tags
            self._wait(lambda: findings.has_wanted(question), look, policy, seconds)
        seconds = self._given.required
        self._wait(lambda: not findings.missing(question.required), look, policy, seconds)

    def _wait(
        self,
        done: Callable[[], bool],
        look: Callable[[Limit], None],
        policy: Policy,
        seconds: float,
    ) -> None:
        limit = self._imds.limit.within(seconds)

        def again() -> None:
            try:
                look(limit)
            except AttemptError as failure:
                # What the first look gave stands: this one was for what may come later.
                self._findings.step = f"waiting for tags ({failure})"

        until(done, again, policy, limit, self._imds.draw)

    def _asker(self, settings: ApiSettings, connect: Connect) -> Ask:
        """Return the function that asks the API, with the role's credentials."""
        imds, findings = self._imds, self._findings
        identity = findings.identity
        if identity is None or identity.region is None:
            raise AttemptError("the region is not known: the EC2 API cannot be asked for the tags")
        limit = imds.limit
        if identity.partition is None:
            partition = (imds.get(PARTITION_PATH, limit) or "").strip()
            identity = replace(identity, partition=partition)
        late = Patience(
            LATE_IMDS, limit.within(self._given.role), frozenset({Kind.ABSENT}), imds.draw
        )
        role = findings.role

        def read() -> Credentials:
            nonlocal role
            known, role = role, role or None  # one that was not there may come
            return read_credentials(imds, known, limit)

        credentials = persist(read, late, limit.sleep)
        if self._question.metadata:
            findings.variables = findings.variables | {"AWS_IAM_ROLE": credentials.role}

        def domain() -> str | None:
            return imds.get(DOMAIN_PATH, limit)

        return connect(identity, credentials, settings, domain, imds.clock_ahead)
