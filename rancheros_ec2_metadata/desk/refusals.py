"""What the EC2 API's refusals mean to an operator at a desk, and what to do: pure."""

from __future__ import annotations

from dataclasses import dataclass

from rancheros_ec2_metadata.ec2.api_errors import DENIED, THROTTLED
from rancheros_ec2_metadata.ec2.failure import AttemptError, Kind
from rancheros_ec2_metadata.errors import Ec2MetadataError, UsageError, shown

_NOT_BELIEVED = frozenset({"AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"})
_TOO_LATE = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


@dataclass(frozen=True)
class Asked:
    """What was asked, for the messages.

    Args:
        instance_id: of which instance.
        region: where.
        who: with whose credentials, in words.
        login: the command that makes such credentials new.
        where: the endpoint.
    """

    instance_id: str
    region: str
    who: str
    login: str
    where: str

    def refused(self, action: str, code: str, status: int) -> Ec2MetadataError:
        """Return the error for an answer of DescribeInstances or DescribeTags with a code."""
        named = shown(code)
        if code in THROTTLED or status == 429:
            text = f"the EC2 API throttles {action} ({named}): ask again later"
            return AttemptError(text, Kind.BUSY)
        if status >= 500:
            text = f"the EC2 API fails at {shown(self.where)} ({status}, {named})"
            return AttemptError(text, Kind.BUSY)
        if code == "InvalidInstanceID.Malformed":
            return UsageError(f"--instance: {shown(self.instance_id)} is no instance id")
        return AttemptError(self._final(action, code, status))

    def not_found(self) -> AttemptError:
        """Return the error for an instance that is not there."""
        return AttemptError(
            f"no instance {shown(self.instance_id)} in {self.region} for {self.who}: check the id, "
            "--region and --profile"
        )

    def unreachable(self, why: str) -> AttemptError:
        """Return the error for no connection, or no answer."""
        return AttemptError(
            f"the EC2 API cannot be reached at {shown(self.where)} ({why}): check --region, the "
            "network and the proxy",
            Kind.UNREACHABLE,
        )

    def nonsense(self, why: str) -> AttemptError:
        """Return the error for an answer that is not the API's."""
        return AttemptError(
            f"{shown(self.where)} does not answer as the EC2 API does ({why}): check "
            "AWS_ENDPOINT_URL_EC2, and proxies in between"
        )

    def impossible(self, why: str) -> AttemptError:
        """Return the error for a request that could not be made."""
        return AttemptError(
            f"the EC2 API cannot be asked at {shown(self.where)} ({why}): check "
            "AWS_ENDPOINT_URL_EC2 and AWS_CA_BUNDLE"
        )

    def _final(self, action: str, code: str, status: int) -> str:
        who, named = self.who, shown(code)
        if code in DENIED:
            return f"{who} may not ask ({named}): allow ec2:{action} in their policy"
        if code in _TOO_LATE:
            return (
                f"the credentials of {who} have expired, or this machine's clock is wrong "
                f"({named}): {self.login}"
            )
        if code in _NOT_BELIEVED:
            return f"the EC2 API does not accept the credentials of {who} ({named}): {self.login}"
        others = {
            "InvalidInstanceID.NotFound": str(self.not_found()),
            "OptInRequired": f"the account of {who} has not switched on {self.region} ({named})",
            "SignatureDoesNotMatch": f"the EC2 API does not accept the signature of {who} "
            f"({named}): check the secret key and this machine's clock",
        }
        return others.get(code, f"the EC2 API refuses {action} for {who} ({status}, {named})")
