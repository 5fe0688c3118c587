"""Reading EC2: the metadata service first, the API if that does not have the tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.errors import (
    Ec2Error,
    ExitStatus,
    NotOnEc2Error,
    count,
    error,
    info,
    quote,
    warning,
)

from . import instance
from .facts import Facts
from .retry import (
    LATE,
    LATE_IMDS,
    SILENT,
    GracePeriods,
    Reason,
    RequestError,
    RetryPolicy,
    choose_grace_periods,
    poll,
    retry,
    retry_api,
)
from .role import Credentials, read_credentials
from .tags import TAGS_PATH, read_tags, take_all_known

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit
    from rancheros_ec2_metadata.log import Log
    from rancheros_ec2_metadata.settings import ApiSettings, Settings

    from .firmware import Machine
    from .imds import Imds
    from .instance import Identity

_UNCLEAR_SECONDS = 5
_PART_SECONDS = 20
_UNASKED = RequestError("not asked for")

AskTags = Callable[["Limit"], dict[str, str]]
"""Returns all tags of the instance, or raises a RequestError."""

Connect = Callable[["Identity", Credentials, "ApiSettings"], AskTags]
"""Takes what `api.TagsApi` takes."""


def connect_with_boto3(
    identity: Identity, credentials: Credentials, settings: ApiSettings
) -> AskTags:
    """Return the function that asks the API with boto3."""
    # Not at the top: boto3 takes longer than all the rest of a run that does not need it.
    from .api import TagsApi  # noqa: PLC0415 - see above

    return TagsApi(identity, credentials, settings).ask


class Reader:
    """Reads EC2 once: each method below `read` is a step, and no path is asked for twice.

    Args:
        settings: the run's.
        machine: what the firmware says.
        imds: the metadata service; its limit is that of all reading.
        log: the boot log.
        connect: returns the function that asks the API.
    """

    def __init__(
        self,
        settings: Settings,
        machine: Machine,
        imds: Imds,
        log: Log,
        connect: Connect = connect_with_boto3,
    ) -> None:
        self._settings = settings
        self._machine = machine
        self._imds = imds
        self._log = log
        self._connect_to_api = connect
        self._kept = False
        self._facts = Facts()
        self._fields: dict[str, str] = {}
        self._answers: dict[str, str | RequestError | None] = {}

    def read(self, *, kept: bool, so_far: Callable[[Facts], None]) -> Facts:
        """Return what EC2 says until the limit of reading; what fails is noted.

        Args:
            kept: something of this instance is kept from its last run, so less is waited for.
            so_far: called before the API is asked, with what the metadata service said; what it
                raises is raised here.
        """
        self._kept = kept
        try:
            self._reach()
            self._identify()
            if self._settings.reads_metadata:
                self._read_variables()
            if self._settings.tags == "none" or not self._settings.uses_tags:
                self._facts = self._facts._replace(tags={})
            elif not self._read_tags_of_imds():
                so_far(self._facts)
                self._read_tags_of_api()
        except NotOnEc2Error as none:
            self._facts = self._facts._replace(on_ec2=False)
            self._log.note(none.note())
        except Ec2Error as failure:
            self._log.note(failure.note())
        if self._facts.on_ec2 is not False:
            self._conclude()
        return self._facts._replace(imds_requests=self._imds.requests)

    @property
    def _is_surely_ec2(self) -> bool:
        """Tell whether this is certainly an EC2 instance, so that no answer is a failure.

        The firmware, a configured endpoint or the last run here show it.
        """
        on_ec2 = self._machine.verdict == "yes" or self._imds.settings.endpoint is not None
        return on_ec2 or self._kept

    def _reach(self) -> None:
        """Make contact with the metadata service.

        Raises:
            NotOnEc2Error: the firmware names another vendor, or is unclear and nothing answers.
            Ec2Error: the service does not answer, or refuses.
        """
        imds = self._imds
        if self._machine.verdict == "no" and imds.settings.endpoint is None:
            raise NotOnEc2Error(
                "this is not an EC2 instance: its firmware names another vendor; to ask all the "
                "same, set AWS_EC2_METADATA_SERVICE_ENDPOINT"
            )
        if not self._is_surely_ec2:
            try:
                return imds.connect(imds.limit.within(_UNCLEAR_SECONDS))
            except RequestError as failure:
                if failure.reason in SILENT:
                    raise NotOnEc2Error(
                        "this is not an EC2 instance: its firmware does not say EC2, and IMDS did "
                        f"not answer within {_UNCLEAR_SECONDS} s ({failure})"
                    ) from None
                if failure.reason is not Reason.BUSY:
                    raise
        return imds.connect(imds.limit)

    def _identify(self) -> None:
        """Learn which instance this is: the document first, else the paths that say the same.

        Raises:
            NotOnEc2Error: nothing says EC2, and what answers knows of no instance.
            Ec2Error: the service does not say.
        """
        limit = self._imds.limit
        # The service may still be starting, so this is given more time than other parts.
        first = limit.within(max(limit.remaining() - 2 * _PART_SECONDS, limit.remaining() / 2))
        document, problem = None, None
        try:
            document = self._imds.get(instance.DOCUMENT_PATH, first)
        except RequestError as failure:
            problem = str(failure)
        self._fields = instance.parse_document(document)
        if not self._fields and problem is None:
            problem = f"{instance.DOCUMENT_PATH} is missing, or not a JSON object"
        self._ask(instance.list_identity_paths(self._fields), first)
        identity = instance.identify(self._fields, self._answers)
        if identity is None:
            said = any(isinstance(answer, str) and answer for answer in self._answers.values())
            if not self._is_surely_ec2 and document is None and not said:
                raise NotOnEc2Error(
                    "this is not an EC2 instance: its firmware does not say EC2, and what answers "
                    f"at the address of IMDS knows of none ({problem})"
                )
            raise RequestError(
                f"IMDS does not say which instance this is: {problem or 'no instance id'}; nothing "
                "more is asked of it"
            )
        self._facts = self._facts._replace(
            on_ec2=True,
            identity=identity,
            variables_complete=problem is None,
        )
        if problem:
            text = f"the identity document could not be read: {problem}; some variables are missing"
            self._log.note(error(ExitStatus.INCOMPLETE, text))

    def _read_variables(self) -> None:
        """Learn the AWS_ variables."""
        facts, imds = self._facts, self._imds
        region = facts.identity.region if facts.identity else None
        first = instance.list_first_paths(self._fields, region)
        self._ask([instance.METADATA, *first], _limit_part(imds.limit, 4))
        mac, listing = self._answers.get(instance.MAC_PATH), self._answers.pop(instance.METADATA)
        if isinstance(mac, str) and mac and instance.find_mac(self._answers) is None:
            text = f"{instance.MAC_PATH}: {quote(mac)} is not a MAC address"
            self._answers[instance.MAC_PATH] = RequestError(text)
        later = instance.list_later_paths(
            listing if isinstance(listing, str) else "", instance.find_mac(self._answers)
        )
        self._ask(later, _limit_part(imds.limit, 3))
        variables, sources, unread = instance.read_variables(self._fields, self._answers)
        failures = [str(said) for said in self._answers.values() if isinstance(said, RequestError)]
        if failures:
            text = "metadata could not be read in part: " + "; ".join(failures)
            self._log.note(error(ExitStatus.INCOMPLETE, text))
        self._facts = self._facts._replace(
            variables=variables,
            sources=sources,
            unread_variables=unread,
            variables_complete=facts.variables_complete and not failures,
        )

    def _ask(self, paths: Iterable[str], limit: Limit) -> None:
        new = [path for path in paths if path not in self._answers]
        self._answers.update(self._imds.get_all(new, limit))

    def _read_tags_of_imds(self) -> bool:
        """Read the tags if the metadata service serves them; else return False.

        Raises:
            RequestError: it does not give them, and the API must not be asked.
        """
        source = self._settings.tags
        if source == "api":
            return False
        try:
            self._look_at_imds(self._imds.limit)
        except RequestError as failure:
            if source == "imds":
                raise
            text = f"{failure}; the EC2 API is asked for the tags instead"
            self._log.note(warning(text))
            return False
        if self._facts.tags is None:
            if source == "imds":
                raise RequestError(
                    f"IMDS does not serve the tags of this instance: {TAGS_PATH} is not there; "
                    "switch them on (InstanceMetadataTags=enabled), or let --tags be auto"
                )
            self._log.note(info("the tags are not in IMDS: the EC2 API is asked"))
            return False
        if source == "auto" and self._facts.list_missing(self._settings.require_tags):
            return False
        self._wait_for_late(self._look_at_imds, LATE_IMDS)
        return True

    def _look_at_imds(self, limit: Limit) -> None:
        """Take the tags that the metadata service serves now, if it serves any."""
        facts, settings = self._facts, self._settings
        known = facts.tags or {}
        tags = read_tags(self._imds, settings.wants, known, _limit_part(limit, 2))
        if tags is not None:
            self._facts = facts.with_tags(tags, "imds", metadata=settings.reads_metadata)

    def _read_tags_of_api(self) -> None:
        """Read the tags from the EC2 API.

        Raises:
            RequestError: it does not give them, and nor has the metadata service.
        """
        settings = self._settings
        try:
            ask = self._connect()

            def call(limit: Limit) -> dict[str, str]:
                self._facts = self._facts._replace(api_calls=self._facts.api_calls + 1)
                return ask(limit)

            def look(limit: Limit) -> None:
                tags = retry_api(lambda: call(limit), self._grace, limit)
                known = take_all_known(tags, settings.wants)
                self._facts = self._facts.with_tags(known, "api", metadata=settings.reads_metadata)

            look(self._imds.limit)
            self._wait_for_late(look, LATE)
        except RequestError as failure:
            if self._facts.tags is None:
                raise
            # The metadata service serves the tags: the API was asked for a required one only.
            self._log.note(warning(str(failure)))
            self._wait_for_late(self._look_at_imds, LATE_IMDS)

    def _connect(self) -> AskTags:
        """Return the function that asks the API, with the role's credentials."""
        facts, imds = self._facts, self._imds
        identity, limit = facts.identity, imds.limit
        if identity is None or identity.region is None:
            raise RequestError(
                "the EC2 API cannot be asked for the tags: the region is not known; see what IMDS "
                "says with 'show'"
            )
        said = self._answers.get(instance.ROLES_PATH, _UNASKED)
        role = None if isinstance(said, RequestError) else instance.take_first_line(said or "")

        def read() -> Credentials:
            nonlocal role
            known, role = role, role or None  # a missing one may come later
            return read_credentials(imds, known, limit)

        until = limit.within(self._grace.role)
        absent = {Reason.ABSENT}
        credentials = retry(read, LATE_IMDS, until, reasons=absent)
        if self._settings.reads_metadata:
            source = "IMDS, " + instance.ROLES_PATH.removeprefix(instance.METADATA)
            self._facts = self._facts._replace(
                variables={**facts.variables, "AWS_IAM_ROLE": credentials.role},
                sources={**facts.sources, "AWS_IAM_ROLE": source},
            )
        return self._connect_to_api(identity, credentials, self._settings.api)

    def _wait_for_late(self, look: Callable[[Limit], None], policy: RetryPolicy) -> None:
        """Look again for as long as tags that are missing are given time."""
        settings = self._settings

        def is_wanted(key: str) -> bool:
            return settings.maps(key) or key in settings.require_tags

        limit, grace = self._imds.limit, self._grace
        poll(look, lambda: any(map(is_wanted, self._facts.keys)), policy, limit.within(grace.tags))
        required = limit.within(grace.required)
        poll(look, lambda: not self._facts.list_missing(settings.require_tags), policy, required)

    @property
    def _grace(self) -> GracePeriods:
        age = instance.compute_age(self._facts.pending_time, self._imds.served_at)
        return choose_grace_periods(age, kept=self._kept)

    def _conclude(self) -> None:
        """Note how the reading of tags ended."""
        facts, settings = self._facts, self._settings
        if facts.tags_source is not None:
            said = "IMDS" if facts.tags_source == "imds" else "the EC2 API"
            used = sum(map(settings.wants, facts.tags or ()))
            self._log.note(
                info(f"{count(len(facts.keys), 'tag')} from {said}, {used} of them used")
            )
        for key, why in facts.unread_tags.items():
            text = f"the value of the tag {quote(key)} could not be read: {why}"
            self._log.note(error(ExitStatus.INCOMPLETE, text))
        self._log.notes(facts.note_missing(settings.require_tags))


def _limit_part(limit: Limit, of: int) -> Limit:
    """Return the limit of one part of what the service says.

    One that fails is tried again, but must not take the time of the others.

    Args:
        limit: of all parts.
        of: how many there are, this one and those to come.
    """
    return limit.within(min(_PART_SECONDS, limit.remaining() / of))
