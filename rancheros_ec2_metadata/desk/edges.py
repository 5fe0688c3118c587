"""Where a plan and a show touch the world: they write nothing, and may be far from the machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.deadline import Clock
from rancheros_ec2_metadata.ec2 import detect
from rancheros_ec2_metadata.ec2.detect import Machine
from rancheros_ec2_metadata.runtime import Limits, make_runtime

from .flags import check_instance

if TYPE_CHECKING:
    from rancheros_ec2_metadata.apply import Runtime
    from rancheros_ec2_metadata.commands.call import Call
    from rancheros_ec2_metadata.settings import Settings


def runtime_without_writing(call: Call, settings: Settings) -> Runtime:
    """Return the edges of a plan or a show: of this machine, or of ``--instance`` by the API.

    Args:
        call: the command's.
        settings: the run's, with the root of the disk.

    Raises:
        UsageError: the flags contradict each other, or there is no such profile or region.
    """
    given = call.given
    check_instance(given)
    limits = Limits.of(settings.deadline, 0, Clock())
    here = make_runtime(settings, call.log, limits, dry=True)
    if given.instance is None:
        return here
    # Not at the top: boto3 takes a while, and a plan on the machine may do without.
    from .asking import DeskAsker  # noqa: PLC0415 - as said above
    from .operator import Operator  # noqa: PLC0415 - as said above

    last, notes = here.target.host.read_state()
    call.log.notes(notes)
    if last.instance_id != given.instance:
        machine = Machine("yes", given.instance)
    else:
        machine = Machine("yes", given.instance, last.product_uuid)
    # botocore itself knows AWS_DEFAULT_REGION only.
    region = given.region or call.terminal.environ.get("AWS_REGION")
    on_ec2 = detect.detect(Path("/")).verdict == "yes"
    operator = Operator(given.profile, region, on_ec2=on_ec2)
    asker = DeskAsker(settings, given.instance, operator, last, call.log, limits.reading)
    return replace(here, machine=machine, ec2=asker)
