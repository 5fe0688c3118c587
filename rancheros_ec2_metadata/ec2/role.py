"""The instance's role: its name and its credentials, from the metadata service."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from rancheros_ec2_metadata.errors import quote

from .imds import check_component
from .instance import ROLES_PATH, take_first_line
from .retry import Reason, RequestError

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit

    from .imds import Imds

# IAM's rule for names of roles.
_NAME = re.compile(r"[0-9A-Za-z_+=,.@-]{1,64}")

_INSTEAD = "or switch on the tags in IMDS, which need no role (InstanceMetadataTags=enabled)"


class Credentials(NamedTuple):
    """What the role may sign requests with. ``repr`` shows the role's name only."""

    role: str
    access_key: str
    secret_key: str
    token: str

    def __repr__(self) -> str:
        return f"Credentials(role={self.role!r})"


def read_credentials(imds: Imds, role: str | None, limit: Limit) -> Credentials:
    """Return the credentials of the instance's role.

    Args:
        imds: the metadata service.
        role: the role's name, or empty for none, if that is known already: no path is asked twice.
        limit: until when a failing request is tried again.

    Raises:
        RequestError: `Reason.ABSENT` if there is no role, or none of its credentials yet.
    """
    name = take_first_line(imds.get(ROLES_PATH, limit) or "") if role is None else role
    if not name:
        raise RequestError(
            "the EC2 API cannot be asked for the tags: the instance has no role; attach an "
            f"instance profile whose role allows ec2:DescribeTags, {_INSTEAD}",
            Reason.ABSENT,
        )
    path = ROLES_PATH + check_component(name, _NAME, "the name of the role")
    text = imds.get(path, limit)
    if not text:
        raise RequestError(
            f"IMDS has no credentials of the role {quote(name)}: it is new, or was deleted; check "
            f"the instance profile, {_INSTEAD}",
            Reason.ABSENT,
        )
    return _decode(name, text)


def _decode(role: str, text: str) -> Credentials:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise RequestError(f"the credentials of the role {quote(role)} are not a JSON object")
    code = fields.get("Code", "Success")
    if code != "Success":
        raise RequestError(
            f"the credentials of the role {quote(role)} cannot be used: Code {quote(str(code))}; "
            f"let ec2.amazonaws.com assume it in its trust policy, {_INSTEAD}"
        )
    keys = [str(fields.get(key) or "") for key in ("AccessKeyId", "SecretAccessKey", "Token")]
    if not all(key and key.isascii() and key.isprintable() for key in keys):
        raise RequestError(f"the credentials of the role {quote(role)} are incomplete")
    access_key, secret_key, token = keys
    return Credentials(role, access_key, secret_key, token)
