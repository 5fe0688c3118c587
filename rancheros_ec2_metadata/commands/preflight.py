"""``preflight``: what the next instance of an Auto Scaling group will get."""

from __future__ import annotations

import json

from rancheros_ec2_metadata import options
from rancheros_ec2_metadata.commands.invocation import Invocation
from rancheros_ec2_metadata.errors import ExitStatus, UsageError
from rancheros_ec2_metadata.preflight.findings import find
from rancheros_ec2_metadata.preflight.forecast import make_forecast
from rancheros_ec2_metadata.preflight.forecast_report import make_report, render_report
from rancheros_ec2_metadata.preflight.group import Reader


def run(invocation: Invocation) -> int:
    """Ask AWS, and print what the next instance gets and what would stop it.

    Raises:
        UsageError: the flags name no group, or there is no login.
        Ec2Error: AWS does not say what the instances are started with.
    """
    given, log, environ = invocation.given, invocation.log, invocation.process.environ
    if (given.auto_scaling_group is None) == (given.launch_template is None):
        raise UsageError("preflight: give --auto-scaling-group NAME or --launch-template ID")
    # boto3 itself knows AWS_DEFAULT_REGION only.
    reader = Reader.log_in(given.profile, given.region or environ.get("AWS_REGION"), log.note)
    if given.launch_template is None:
        group = reader.read_group(given.auto_scaling_group)
    else:
        group = reader.read_template(given.launch_template)
    names = options.list_given_fields(given, environ) - {"debug"}
    forecasts = [
        make_forecast(group, launch, invocation.settings, names) for launch in group.launches
    ]
    found = find(group, forecasts)
    status = log.status() or (ExitStatus.FINDINGS if found else ExitStatus.OK)
    report = make_report(group, forecasts, found, status, log.noted)
    is_json = given.format == "json"
    invocation.process.print([json.dumps(report, indent=2)] if is_json else render_report(report))
    log.line(f"nothing was written; exit {int(status)}")
    return status
