"""Asking EC2: the metadata service first, the API where that does not have the tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rancheros_ec2_metadata.errors import Ec2MetadataError, NotOnEc2Error

from .metadata import Metadata, reach
from .tag_reading import Connect, TagReading, with_boto3

if TYPE_CHECKING:
    from rancheros_ec2_metadata.settings import ApiSettings

    from .detect import Machine
    from .findings import Findings, Question
    from .imds import Imds


def gather_imds(question: Question, machine: Machine, imds: Imds, findings: Findings) -> None:
    """Fill ``findings`` with all that the metadata service says; raises none of our errors.

    Where ``needs_api`` is set after it, `gather_api` has the rest; what is there can be written
    before.

    Args:
        question: what to ask for.
        machine: what the firmware says.
        imds: the metadata service; its limit is that of all reading.
        findings: to fill.
    """
    try:
        findings.step = "looking for the metadata service"
        findings.notes.append(reach(machine, imds))
        findings.step = "asking the metadata service which instance this is"
        metadata = Metadata(imds, findings)
        metadata.identify(machine)
        if question.metadata:
            findings.step = "asking the metadata service for metadata"
            metadata.read_variables()
        if question.asks_tags:
            findings.step = "asking the metadata service for tags"
            TagReading(question, imds, findings).from_imds(metadata.listing())
        else:
            findings.tags, findings.tags_complete = {}, True
    except NotOnEc2Error as none:
        findings.on_ec2 = False
        findings.notes.append(none.note())
        return
    except Ec2MetadataError as failure:
        findings.notes.append(failure.note())
    if not findings.needs_api:
        findings.conclude(question)


def gather_api(
    question: Question,
    settings: ApiSettings,
    imds: Imds,
    findings: Findings,
    connect: Connect = with_boto3,
) -> None:
    """Ask the API for the tags where ``findings.needs_api`` says so; raises none of our errors.

    Args:
        question: as given to `gather_imds`.
        settings: how the API is reached.
        imds: as given to `gather_imds`.
        findings: filled by `gather_imds`.
        connect: returns the function that asks.
    """
    if not findings.needs_api:
        return
    try:
        TagReading(question, imds, findings).from_api(settings, connect)
    except Ec2MetadataError as failure:
        findings.notes.append(failure.note())
    findings.conclude(question)
