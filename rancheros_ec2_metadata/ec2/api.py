"""The EC2 API: all tags of this instance in one DescribeTags.

This module and `described` import boto3 and botocore, which takes longer than all the rest of a
run: they are imported only if the API is asked.
"""

from __future__ import annotations

import io
import logging
import os
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import requests
import urllib3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.utils import get_environ_proxies

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import quote

from .imds import Bounds, HttpClient
from .retry import SILENT, Reason, RequestError
from .tags import MOST_KEYS

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_ec2 import EC2Client

    from rancheros_ec2_metadata.settings import ApiSettings

    from .instance import Identity
    from .role import Credentials

BOUNDS = Bounds(connect=3, read=5, body=4 * 1024 * 1024)
_PAGE_SIZE = 1000
_MOST_PAGES = 10

_THROTTLED = frozenset(
    {
        "EC2ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_FIXES = {
    **dict.fromkeys(
        DENIED,
        "allow ec2:DescribeTags in its policy, or switch on the tags in IMDS "
        "(InstanceMetadataTags=enabled)",
    ),
    **dict.fromkeys(("RequestExpired", "SignatureDoesNotMatch"), "set this machine's clock (NTP)"),
    "AuthFailure": (
        "wait if the role is new, attach one that exists, or set this machine's clock (NTP)"
    ),
}


class TagsApi:
    """Asks the API for the tags of one instance.

    Args:
        identity: the instance; its region is known.
        credentials: of the instance's role. None from the environment or a file is ever used.
        settings: endpoint and certificates.
    """

    def __init__(self, identity: Identity, credentials: Credentials, settings: ApiSettings) -> None:
        self._identity = identity
        self._credentials = credentials
        self._settings = settings
        self._http = HttpClient(BOUNDS, verify=settings.ca_bundle or True)
        self._client: EC2Client | None = None
        self._limit = Limit.after(0, Clock())
        self._status = 0

    def ask(self, limit: Limit) -> dict[str, str]:
        """Return all tags of the instance.

        Args:
            limit: no request is waited for longer.

        Raises:
            RequestError: with what the API said, and what the operator can do.
        """
        self._limit = limit
        try:
            if self._client is None:
                self._client = self._make_client()
            return describe_tags(self._client, self._identity.instance_id)
        except ClientError as error:
            raise self._refused(error.response.get("Error", {}).get("Code", "")) from None
        except RequestError as failure:
            if failure.reason in SILENT:
                raise RequestError(
                    f"the EC2 API cannot be reached: {failure}; check the name server, the route, "
                    "the security group and the proxy, or add a VPC endpoint for ec2",
                    Reason.UNREACHABLE,
                ) from None
            raise RequestError(
                f"the EC2 API cannot be asked: {failure}; check AWS_ENDPOINT_URL_EC2, "
                "AWS_CA_BUNDLE, and proxies in between"
            ) from None
        except ResponseParserError as error:
            raise RequestError(
                f"{self._where} does not answer as the EC2 API does: {self._status}, "
                f"{type(error).__name__}; check AWS_ENDPOINT_URL_EC2, and proxies in between",
                Reason.BUSY if self._status == 429 or self._status >= 500 else Reason.FINAL,
            ) from None
        except (BotoCoreError, OSError, ValueError) as error:
            raise RequestError(
                f"the EC2 API cannot be asked at {self._where}: {type(error).__name__}; check "
                "AWS_ENDPOINT_URL_EC2 and the region"
            ) from None

    def _make_client(self) -> EC2Client:
        # At its debug level botocore logs what it signs, the session token in it.
        logging.getLogger("botocore").setLevel(logging.INFO)
        config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            use_fips_endpoint=self._settings.fips,  # both count for botocore's own endpoints only
            use_dualstack_endpoint=self._settings.dualstack,
        )
        client: EC2Client = boto3.Session(
            aws_access_key_id=self._credentials.access_key,
            aws_secret_access_key=self._credentials.secret_key,
            aws_session_token=self._credentials.token,
            region_name=self._identity.region,
            botocore_session=botocore.session.Session(session_vars=_without_environment()),
        ).client("ec2", endpoint_url=self._settings.endpoint, config=config)
        send_bounded: Any = self._send  # the stubs do not know handlers that return something
        client.meta.events.register("before-send.ec2", send_bounded)
        return client

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Send one of botocore's requests; botocore itself would read a body without end."""
        signed = requests.Request(
            request.method, request.url, dict(request.headers.items()), data=request.body
        )
        answer = self._http.send(signed, self._limit, get_environ_proxies(request.url))
        self._status = answer.status
        raw = urllib3.HTTPResponse(io.BytesIO(answer.body), preload_content=False)
        headers: Any = answer.headers
        return AWSResponse(answer.url, answer.status, headers, raw)

    @property
    def _where(self) -> str:
        if self._client is not None:
            return quote(self._client.meta.endpoint_url)
        return quote(self._settings.endpoint or f"region {self._identity.region}")

    def _refused(self, code: str) -> RequestError:
        """Return the error for an answer with an error code."""
        role, named, status = quote(self._credentials.role), quote(code), self._status
        if code in _THROTTLED or status == 429:
            return RequestError(
                f"the EC2 API throttles DescribeTags, {named}: too many calls in this account and "
                "region; switch on the tags in IMDS (InstanceMetadataTags=enabled)",
                Reason.BUSY,
            )
        if status >= 500:
            text = f"the EC2 API fails at {self._where}: {status}, {named}"
            return RequestError(text, Reason.BUSY)
        reason = Reason.REFUSED if code in {*DENIED, "AuthFailure"} else Reason.FINAL
        fix = _FIXES.get(code, "allow ec2:DescribeTags in its policy")
        return RequestError(
            f"the EC2 API refuses DescribeTags for the role {role}: {status}, {named}; {fix}",
            reason,
        )


def describe_tags(client: EC2Client, instance_id: str) -> dict[str, str]:
    """Return all tags of an instance, in one DescribeTags with its pages.

    Raises:
        ResponseParserError: the answer is not that of DescribeTags, or has no end to it.
        ClientError: a refusal. BotoCoreError: no answer.
    """
    pages = client.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "resource-id", "Values": [instance_id]}],
        PaginationConfig={"PageSize": _PAGE_SIZE},
    )
    tags: dict[str, str] = {}
    for number, page in enumerate(pages, start=1):
        # Reject other XML: it would look like an instance without tags.
        if number > _MOST_PAGES or "Tags" not in page:
            raise ResponseParserError("no tagSet, or too many")
        for tag in page["Tags"]:
            if tag.get("ResourceId") == instance_id and tag.get("Key"):
                tags[tag["Key"]] = tag.get("Value", "")
        if len(tags) > MOST_KEYS:
            raise ResponseParserError("more tags than an instance can have")
    return tags


def _without_environment() -> dict[str, Any]:
    """Return botocore's session variables, none of them from the environment or a file.

    What an earlier boot left in AWS_* (stale credentials, a profile that is nowhere) is inherited
    by our container, and must not break it.
    """
    variables: dict[str, Any] = {
        name: (None, None, default, convert)
        for name, (_, _, default, convert) in botocore.session.Session.SESSION_VARIABLES.items()
    }
    for name in ("config_file", "credentials_file"):
        variables[name] = (None, None, os.devnull, None)
    variables["ignore_configured_endpoint_urls"] = (None, None, True, None)
    return variables
