"""What the EC2 API's refusals mean, and what the operator can do: pure."""

from __future__ import annotations

from dataclasses import dataclass

from rancheros_ec2_metadata.errors import shown

from .failure import AttemptError, Kind

THROTTLED = frozenset(
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
_TIME = frozenset({"RequestExpired", "SignatureDoesNotMatch"})

# A request's signature is valid for some minutes, a certificate for some months.
_CLOCK_IS_RIGHT_SECONDS = 60


@dataclass(frozen=True)
class Asked:
    """What was asked, for the messages.

    Args:
        where: the endpoint.
        role: the name of the instance's role.
        clock_ahead: seconds by which this machine's clock is ahead of AWS's; None if unknown.
    """

    where: str
    role: str
    clock_ahead: float | None

    def refused(self, code: str, status: int) -> AttemptError:
        """Return the error for an answer with an error code."""
        role, named = shown(self.role), shown(code)
        if code in THROTTLED or status == 429:
            return AttemptError(
                f"the EC2 API throttles DescribeTags ({named}): too many calls in this account and "
                "region; switch on instance tags in the metadata service",
                Kind.BUSY,
            )
        if status >= 500:
            text = f"the EC2 API fails at {shown(self.where)} ({status}, {named})"
            return AttemptError(text, Kind.BUSY)
        if code in DENIED:
            return AttemptError(
                f"the role {role} may not read the tags ({named}): allow ec2:DescribeTags in its "
                "policy, or switch on instance tags in the metadata service",
                Kind.DENIED,
            )
        if code in _TIME:
            text = f"the EC2 API refuses the time of the request ({named}){self._clock()}"
            return AttemptError(text)
        if code == "AuthFailure":
            return AttemptError(
                f"the EC2 API does not accept the credentials of the role {role} (AuthFailure): "
                f"they are too new, or the role is gone{self._clock()}",
                Kind.UNAUTHENTIC,
            )
        return AttemptError(
            f"the EC2 API refuses DescribeTags for the role {role} ({status}, {named}): check that "
            "its policy allows ec2:DescribeTags"
        )

    def unreachable(self, why: str) -> AttemptError:
        """Return the error for no connection, or no answer."""
        return AttemptError(
            f"the EC2 API cannot be reached at {shown(self.where)} ({why}): check the route, the "
            "security group and the proxy, or add a VPC endpoint for ec2"
            f"{self._clock()}",
            Kind.UNREACHABLE,
        )

    def nonsense(self, status: int, why: str) -> AttemptError:
        """Return the error for an answer that is not the API's."""
        return AttemptError(
            f"{shown(self.where)} does not answer as the EC2 API does ({status}, {why}): check "
            "AWS_ENDPOINT_URL_EC2, and proxies in between",
            Kind.BUSY if status == 429 or status >= 500 else Kind.FINAL,
        )

    def impossible(self, why: str) -> AttemptError:
        """Return the error for a request that could not be made."""
        return AttemptError(
            f"the EC2 API cannot be asked at {shown(self.where)} ({why}): check "
            "AWS_ENDPOINT_URL_EC2, AWS_CA_BUNDLE and the region"
        )

    def _clock(self) -> str:
        ahead = self.clock_ahead
        if ahead is None:
            return "; check this machine's clock"
        if abs(ahead) < _CLOCK_IS_RIGHT_SECONDS:
            return ""
        side = "ahead of" if ahead > 0 else "behind"
        return f"; this machine's clock is {abs(ahead):.0f} s {side} AWS's: set it (NTP)"
