"""The two questions an operator asks the EC2 API: one call each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, and only it is raised here
    HTTPClientError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from rancheros_ec2_metadata.ec2.api import all_tags
from rancheros_ec2_metadata.ec2.transport import cause

from .described import Described, described

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from .refusals import Asked


@dataclass(frozen=True)
class OperatorApi:
    """Asks for one instance.

    Args:
        client: boto3's, with the operator's credentials.
        asked: which instance, and the words for what goes wrong.
    """

    client: EC2Client
    asked: Asked

    def instance(self) -> Described:
        """Return what DescribeInstances says.

        Raises:
            AttemptError: with what the API said, and what the operator can do.
            UsageError: the instance's id is none.
        """
        wanted = self.asked.instance_id
        with self._explained("DescribeInstances"):
            answer: Any = self.client.describe_instances(InstanceIds=[wanted])
            # An answer that is XML, but not this answer, would look like no such instance.
            if "Reservations" not in answer:
                raise ResponseParserError("no reservationSet")
        for reservation in answer["Reservations"]:
            for instance in reservation.get("Instances", ()):
                if instance.get("InstanceId") == wanted:
                    meta = self.client.meta
                    return described(reservation, instance, meta.region_name, meta.partition)
        raise self.asked.not_found()

    def tags(self) -> dict[str, str]:
        """Return all tags that DescribeTags gives.

        Raises:
            AttemptError: as `instance` does.
        """
        with self._explained("DescribeTags"):
            return all_tags(self.client, self.asked.instance_id)

    @contextlib.contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise self.asked.refused(action, code, status) from None
        except SSLError as error:
            raise self.asked.impossible(f"SSLError, {cause(error)}") from None
        except (HTTPClientError, ConnectionError) as error:
            why = f"{type(error).__name__}, {cause(error)}"
            raise self.asked.unreachable(why) from None
        except ResponseParserError as error:
            raise self.asked.nonsense(type(error).__name__) from None
        except (BotoCoreError, OSError, ValueError) as error:
            raise self.asked.impossible(type(error).__name__) from None
