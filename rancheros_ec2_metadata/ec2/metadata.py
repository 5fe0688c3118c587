"""From the first packet to the AWS_ variables: is it EC2, which instance, what does it say?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.errors import ExitStatus, Note, NotOnEc2Error, error, shown

from . import instance
from .failure import AttemptError, Kind

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit

    from .detect import Machine
    from .findings import Findings
    from .imds import Imds

_UNCLEAR_SECONDS = 5
_PART_SECONDS = 20
_ALWAYS_LISTED = "meta-data/instance-id"


def part(limit: Limit, of: int) -> Limit:
    """Return the limit of one part of what the service says.

    One that fails is tried again, but must not take the time of the others.

    Args:
        limit: of all parts.
        of: how many there are, this one and those to come.
    """
    return limit.within(min(_PART_SECONDS, limit.left() / of))


def _first_part(limit: Limit) -> Limit:
    """Return the limit of what says which instance this is: the service may still be starting."""
    return limit.within(max(limit.left() - 2 * _PART_SECONDS, limit.left() / 2))


def reach(machine: Machine, imds: Imds) -> Note:
    """Make contact with the metadata service, and return how it is spoken to.

    Raises:
        NotOnEc2Error: the firmware names another vendor, or is unclear and nothing answers.
        Ec2Error: the service does not answer, or not to us.
    """
    if machine.verdict == "no" and imds.settings.endpoint is None:
        raise NotOnEc2Error(
            "this is no EC2 instance, its firmware says: nothing is asked; to ask all the same, "
            "set AWS_EC2_METADATA_SERVICE_ENDPOINT"
        )
    if machine.verdict == "yes":
        return imds.connect(imds.limit)
    try:
        return imds.connect(imds.limit.within(_UNCLEAR_SECONDS))
    except AttemptError as failure:
        if failure.silent:
            raise NotOnEc2Error(
                "this is no EC2 instance: its firmware does not say so, and no metadata service "
                f"has answered within {_UNCLEAR_SECONDS} s ({failure})"
            ) from None
        if failure.kind is not Kind.BUSY:
            raise
    return imds.connect(imds.limit)


class Metadata:
    """What the service says of one instance; no path is asked twice.

    Args:
        imds: in contact.
        findings: to fill.
    """

    def __init__(self, imds: Imds, findings: Findings) -> None:
        self._imds = imds
        self._findings = findings
        self._fields: dict[str, str] = {}
        self._said: dict[str, str | AttemptError | None] = {}

    def identify(self, machine: Machine) -> None:
        """Learn which instance this is: the document first, else the paths that say the same.

        Raises:
            NotOnEc2Error: the firmware is unclear, and what answers knows of no instance.
            Ec2Error: it does not say.
        """
        findings, imds = self._findings, self._imds
        problem = None
        try:
            document = imds.get(instance.DOCUMENT_PATH, _first_part(imds.limit))
        except AttemptError as failure:
            document, problem = None, str(failure)
        fields = instance.document(document)
        if fields is None:
            problem = problem or f"{instance.DOCUMENT_PATH} is missing, or no JSON object"
        self._fields = findings.fields = fields or {}
        self._ask(instance.identity_paths(self._fields), _first_part(imds.limit))
        identity = instance.identity(self._fields, self._texts())
        if identity is None:
            if machine.verdict != "yes" and document is None and not any(self._said.values()):
                raise NotOnEc2Error(
                    "this is no EC2 instance: its firmware does not say so, and what answers at "
                    f"the metadata service's address knows of none ({problem})"
                )
            raise AttemptError(
                "the metadata service does not say which instance this is "
                f"({problem or 'no instance id'}): nothing more is asked of it"
            )
        findings.on_ec2 = True
        findings.identity = identity
        findings.age = instance.age(identity.pending_time, imds.served_at)
        if problem:
            text = (
                f"the identity document could not be read ({problem}): some variables are missing"
            )
            findings.notes.append(error(ExitStatus.INCOMPLETE, text))
        findings.variables_complete = problem is None

    def read_variables(self) -> None:
        """Learn the AWS_ variables; called after `identify`."""
        findings = self._findings
        complete, findings.variables_complete = findings.variables_complete, False
        first = [instance.LISTING_PATH, *instance.first_paths(self._fields)]
        self._ask(first, part(self._imds.limit, 4))
        self._decode()
        texts = self._texts()
        mac = texts.get(instance.MAC_PATH)
        later = instance.later_paths(self.listing(), mac, self._partition())
        self._ask(later, part(self._imds.limit, 3))
        self._decode()
        failures = {
            path: str(answer)
            for path, answer in self._said.items()
            if isinstance(answer, AttemptError) and path != instance.LISTING_PATH
        }
        if mac and instance.interface_folder(mac) is None:
            failures[instance.MAC_PATH] = f"{instance.MAC_PATH}: {shown(mac)} is no MAC address"
        if failures:
            text = "metadata could not be read in part: " + "; ".join(failures.values())
            findings.notes.append(error(ExitStatus.INCOMPLETE, text))
        unread = [*failures, *([] if self._fields else [instance.DOCUMENT_PATH])]
        findings.unread_variables = _unread(unread)
        findings.variables_complete = complete and not failures

    def listing(self) -> str | None:
        """Return what meta-data/ lists; None if it has not been asked, or has not said.

        What does not list that which every instance has is no list, or not the whole of one.
        """
        listing = self._texts().get(instance.LISTING_PATH)
        return listing if instance.is_listed(_ALWAYS_LISTED, listing) else None

    def _decode(self) -> None:
        findings, texts = self._findings, self._texts()
        partition = self._partition()
        if partition is None and instance.PARTITION_PATH in texts:
            partition = (texts[instance.PARTITION_PATH] or "").strip()
        findings.variables = instance.variables(self._fields, texts, partition)
        if instance.ROLES_PATH in texts:
            findings.role = findings.variables.get("AWS_IAM_ROLE", "")
        if findings.identity:
            findings.identity = replace(findings.identity, partition=partition)

    def _partition(self) -> str | None:
        return self._findings.identity.partition if self._findings.identity else None

    def _ask(self, paths: Iterable[str], limit: Limit) -> None:
        new = [path for path in paths if path not in self._said]
        self._said = self._said | self._imds.get_all(new, limit)

    def _texts(self) -> dict[str, str | None]:
        return {
            path: said for path, said in self._said.items() if not isinstance(said, AttemptError)
        }


def _unread(paths: Sequence[str]) -> frozenset[str]:
    if not paths:
        return frozenset()
    from .sources import told_at  # noqa: PLC0415 - hardly any run needs it

    return frozenset().union(*map(told_at, paths))
