"""One attempt that failed, with all that a decision to try again needs."""

from __future__ import annotations

from enum import StrEnum

from rancheros_ec2_metadata.errors import Ec2Error


class Kind(StrEnum):
    """Why an attempt failed."""

    UNREACHABLE = "unreachable"  # no connection, or it broke
    TIMED_OUT = "timed out"  # connected, and no whole answer in time
    BUSY = "busy"  # 429, 5xx, throttled
    ABSENT = "absent"  # not there; it may be late
    DENIED = "denied"  # the caller is known and may not
    UNAUTHENTIC = "unauthentic"  # the caller is not believed
    FINAL = "final"  # asking again would not help


class AttemptError(Ec2Error):
    """An attempt to learn something from IMDS or the API failed.

    Args:
        text: the message for the operator; holds neither a token nor a credential.
        kind: why.
        retry_after: seconds that the server asks to wait.
    """

    def __init__(self, text: str, kind: Kind = Kind.FINAL, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.kind = kind
        self.retry_after = retry_after

    @property
    def silent(self) -> bool:
        """Tell whether nothing answered at all."""
        return self.kind in (Kind.UNREACHABLE, Kind.TIMED_OUT)
