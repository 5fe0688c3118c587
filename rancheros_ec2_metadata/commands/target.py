"""Which instance ``plan`` and ``show`` ask about: this machine, or ``--instance``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.errors import UsageError
from rancheros_ec2_metadata.runtime import make_runtime

if TYPE_CHECKING:
    from rancheros_ec2_metadata.commands.invocation import Invocation
    from rancheros_ec2_metadata.runtime import Runtime
    from rancheros_ec2_metadata.settings import Settings


def make_runtime_without_writing(invocation: Invocation, settings: Settings) -> Runtime:
    """Return what a plan or a show reads: this machine, or ``--instance`` by the API.

    Raises:
        UsageError: the flags contradict each other, or there is no such profile or region.
    """
    given = invocation.given
    if given.instance is None and (given.profile is not None or given.region is not None):
        flag = "profile" if given.profile is not None else "region"
        raise UsageError(f"--{flag} is for --instance: a machine asks with its own role")
    here = make_runtime(settings, invocation.log, dry=True)
    if given.instance is None:
        return here
    # Imported here: boto3 is slow to import, and a plan on the machine may not need it.
    from rancheros_ec2_metadata.ec2 import described  # noqa: PLC0415 - as said above

    last, notes = here.target.host.read_state()
    invocation.log.notes(notes)
    is_of_instance = last.instance_id == given.instance
    # boto3 itself knows AWS_DEFAULT_REGION only.
    region = given.region or invocation.process.environ.get("AWS_REGION")
    session = described.open_session("--instance", given.profile, region)
    reader = described.OperatorReader(
        settings,
        given.instance,
        described.make_client("--instance", session, "ec2", "describe_instances"),
        invocation.log,
        last.metadata,
        last.pending_time if is_of_instance else None,
    )
    uuid = last.product_uuid if is_of_instance else None
    return here._replace(machine=Machine("yes", given.instance, uuid), ec2=reader)
