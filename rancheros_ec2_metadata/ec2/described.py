"""``--instance``: one instance as the EC2 API describes it, asked with the operator's own login.

Imported only if the flag is given: boto3 takes a while. How credentials are found
is boto3's affair, with all that it reads: AWS_ variables, ~/.aws, SSO, roles, programs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    UnknownServiceError,
)
from botocore.parsers import ResponseParserError

from rancheros_ec2_metadata.errors import (
    Ec2Error,
    UsageError,
    escape,
    info,
    quote,
    warning,
)

from .api import BOUNDS, describe_tags
from .facts import Facts
from .instance import ASKED_REGION, GROUP, VARIABLES, Identity
from .tags import take_all_known

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from rancheros_ec2_metadata.log import Log
    from rancheros_ec2_metadata.settings import Settings

# Credentials come from files and programs, which may hold anything.
FAILURES = (BotoCoreError, ClientError, EOFError, KeyError, OSError, ValueError)
_LAST_RUN = "the machine's last run"
_LONGEST = 300  # maximum length of AWS's text
# In another state an instance may have other values when it boots.
_BOOTS = ("pending", "running")


class OperatorReader(NamedTuple):
    """Reads one instance from the EC2 API.

    Args:
        settings: the run's.
        instance_id: which instance.
        client: boto3's, with the operator's login.
        log: the boot log.
        last_metadata: the AWS_ variables of the last run, if the disk is here.
        last_start: the start of this instance that they are of, if they are.
    """

    settings: Settings
    instance_id: str
    client: EC2Client
    log: Log
    last_metadata: Mapping[str, str]
    last_start: str | None

    def read(self, *, kept: bool, so_far: Callable[[Facts], None]) -> Facts:  # noqa: ARG002 - it is a run's, which waits and writes
        """Return what the API says, each question in one call.

        Raises:
            Ec2Error: the API does not say. A plan from incomplete data would be wrong.
        """
        settings, meta = self.settings, self.client.meta
        asks_tags = settings.tags != "none" and settings.uses_tags
        self.log.note(info(f"the EC2 API of {meta.region_name} is asked"))
        try:
            found = self._describe()
            tags = describe_tags(self.client, self.instance_id) if asks_tags else {}
        except ResponseParserError:
            raise Ec2Error(
                f"{quote(meta.endpoint_url)} does not answer as the EC2 API does: check "
                "AWS_ENDPOINT_URL_EC2, and proxies in between"
            ) from None
        except FAILURES as why:
            raise Ec2Error(f"--instance {self.instance_id}: {render_failure(why)}") from None
        variables, sources = read_described_variables(found, meta.region_name, meta.partition)
        pending_time = format_pending_time(found.get("LaunchTime"))
        identity = Identity(self.instance_id, meta.region_name, pending_time)
        facts = Facts(on_ec2=True, identity=identity, variables_complete=True, tags={})
        state = found.get("State", {}).get("Name", "")
        if state not in _BOOTS:
            text = f"the instance is {quote(state)}: it may have other values when it boots"
            self.log.note(warning(text))
        if settings.reads_metadata:
            profile = found.get("IamInstanceProfile", {}).get("Arn")
            last = self.last_metadata if self.last_start == facts.pending_time else {}
            untold = {name for name, row in VARIABLES.items() if row.described is None}
            # An older botocore does not know the field of the zone's id.
            untold |= {"AWS_AVAILABILITY_ZONE_ID"} - variables.keys()
            if profile is None:
                untold.discard("AWS_IAM_ROLE")
            of_last_run = {name: value for name, value in last.items() if name in untold}
            untold -= of_last_run.keys()
            facts = facts._replace(
                variables={**variables, **of_last_run},
                sources={**sources, **dict.fromkeys(of_last_run, _LAST_RUN)},
                unread_variables=frozenset(untold),
            )
            names = ", ".join(sorted(untold))
            self.log.note(info(f"the EC2 API does not tell {names}: the machine may have them too"))
            if "AWS_IAM_ROLE" in untold:
                text = f"of the role it tells only the instance profile: {quote(profile, 200)}"
                self.log.note(info(text))
        if asks_tags:
            known = take_all_known(tags, settings.wants)
            facts = facts.with_tags(known, "api", metadata=settings.reads_metadata)
        self.log.notes(facts.note_missing(settings.require_tags))
        return facts

    def _describe(self) -> dict[str, Any]:
        """Return the instance and its reservation in one.

        Raises:
            ResponseParserError: the answer is not that of DescribeInstances.
            Ec2Error: there is no such instance.
        """
        answer: Any = self.client.describe_instances(InstanceIds=[self.instance_id])
        # Reject other XML: it would look as if there is no such instance.
        if "Reservations" not in answer:
            raise ResponseParserError("no reservationSet")
        for reservation in answer["Reservations"]:
            for instance in reservation.get("Instances", ()):
                if instance.get("InstanceId") == self.instance_id:
                    return {**reservation, **instance}
        raise Ec2Error(
            f"no instance {self.instance_id} in {self.client.meta.region_name}: check the id, "
            "--region and --profile"
        )


def open_session(asked: str, profile: str | None, region: str | None) -> boto3.Session:
    """Return boto3's session with the operator's own login, for all clients of one command.

    Args:
        asked: the flag or command that needs it, for the messages.
        profile: of ~/.aws; None: AWS_PROFILE, or the default.
        region: None: the profile's, or AWS_DEFAULT_REGION.

    Raises:
        UsageError: there is no such profile.
    """
    # At its debug level botocore logs what it signs, the session token in it.
    logging.getLogger("botocore").setLevel(logging.INFO)
    try:
        return boto3.Session(profile_name=profile, region_name=region)
    except FAILURES as why:
        raise _make_login_error(asked, why) from None


def make_client(asked: str, session: boto3.Session, service: str, method: str) -> Any:
    """Return boto3's client of a service.

    Args:
        asked: the flag or command that needs it, for the messages.
        session: of the operator.
        service: as boto3 names it.
        method: one that the client must have: the image's data is cut.

    Raises:
        UsageError: there is no region, or this boto3 cannot do it.
    """
    config = Config(
        connect_timeout=BOUNDS.connect,
        read_timeout=BOUNDS.read,
        retries={"total_max_attempts": 3, "mode": "standard"},
    )
    named: Any = service  # the stubs know the services that are installed
    try:
        client: Any = session.client(named, config=config)
    except UnknownServiceError:
        client = None
    except FAILURES as why:
        raise _make_login_error(asked, why) from None
    if not hasattr(client, method):
        raise UsageError(
            f"{asked} is not for the image or the .pyz file, whose EC2 client reads tags only:"
            " install the program with pip, and call it there"
        )
    return client


def _make_login_error(asked: str, why: Exception) -> UsageError:
    text = f"{asked}: {render_failure(why).rstrip('.')}; see --profile, --region, and ~/.aws"
    return UsageError(text)


def render_failure(why: Exception) -> str:
    """Return boto3's own text of an error on one line.

    What a program that gives credentials has printed is left out, and so is the text of any
    other library's error: they may hold a credential.
    """
    if isinstance(why, CredentialRetrievalError):
        return f"no credentials from {why.kwargs.get('provider')}"
    if not isinstance(why, BotoCoreError | ClientError):
        return type(why).__name__
    text = " ".join(str(why).split())
    return escape(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def read_described_variables(
    instance: Mapping[str, Any], region: str, partition: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the AWS_ variables that DescribeInstances tells, and the source of each. Pure.

    Args:
        instance: boto3's answer for it, with the fields of its reservation.
        region: the one that was asked.
        partition: of that region.
    """
    tree = {
        **instance,
        "NetworkInterfaces": _find_first_interface(instance),
        # The metadata service's word for an instance without one.
        "InstanceLifecycle": instance.get("InstanceLifecycle") or "on-demand",
    }
    values, sources = {}, {}
    for name, row in VARIABLES.items():
        if row.described == ASKED_REGION:
            values[name] = partition if name == "AWS_PARTITION" else region
            sources[name] = ASKED_REGION
        elif row.described and name != GROUP and (texts := _find_texts(tree, row.described)):
            # Only of these does the metadata service name all.
            values[name] = ",".join(texts if name == "AWS_SECURITY_GROUPS" else texts[:1])
            sources[name] = f"EC2 API, DescribeInstances {row.described}"
    return values, sources


def _find_texts(tree: Any, path: str) -> list[str]:
    """Return all texts at a path, descending into lists; none if the path does not exist."""
    if isinstance(tree, list):
        return [text for inner in tree for text in _find_texts(inner, path)]
    if path and isinstance(tree, dict):
        key, _, rest = path.partition(".")
        return _find_texts(tree.get(key), rest)
    text = str(tree).strip() if isinstance(tree, str | int) and not path else ""
    return [text] if text else []


def _find_first_interface(instance: Mapping[str, Any]) -> Any:
    """Return the network interface that is device 0 of network card 0: the metadata's `mac`."""
    for interface in instance.get("NetworkInterfaces") or ():
        attached = interface.get("Attachment") or {}
        if (attached.get("DeviceIndex"), attached.get("NetworkCardIndex") or 0) == (0, 0):
            return interface
    return {}


def format_pending_time(launched: Any) -> str | None:
    """Return the start of the boot as the identity document writes it."""
    if not isinstance(launched, datetime):
        return None
    return launched.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
