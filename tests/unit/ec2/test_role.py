from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rancheros_ec2_metadata.ec2.retry import Reason, RequestError
from rancheros_ec2_metadata.ec2.role import Credentials, read_credentials
from unit.ec2.metadata_server import ROLE, SECRETS, FakeClock, MetadataServer, connected

if TYPE_CHECKING:
    import responses

GOOD: dict[str, Any] = json.loads(ROLE["iam"]["security-credentials"]["web-role"])


def found_in(tree: dict[str, Any], mock: responses.RequestsMock, clock: FakeClock) -> Credentials:
    MetadataServer({"meta-data": tree}).start(mock)
    imds = connected(clock)
    return read_credentials(imds, None, imds.limit)


def refused(tree: dict[str, Any], mock: responses.RequestsMock, clock: FakeClock) -> RequestError:
    with pytest.raises(RequestError) as caught:
        found_in(tree, mock, clock)
    assert not any(secret in repr(caught.value) for secret in SECRETS)
    return caught.value


def role(document: object, name: str = "web-role") -> dict[str, Any]:
    text = document if isinstance(document, str | bytes) else json.dumps(document)
    return {"iam": {"security-credentials": {None: name, name: text}}}


def test_the_role_has_credentials_that_it_does_not_show(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    found = found_in(ROLE, mock, clock)
    assert found == Credentials("web-role", "ASIASECRETKEYID", "secret/access/key", "session//t")
    assert repr(found) == "Credentials(role='web-role')"


ROLES = "security-credentials"


@pytest.mark.parametrize(
    ("tree", "reason", "words"),
    [
        # Without a role both ways out are named.
        ({}, Reason.ABSENT, ("ec2:DescribeTags", "InstanceMetadataTags")),
        ({"iam": {ROLES: ""}}, Reason.ABSENT, ("ec2:DescribeTags", "InstanceMetadataTags")),
        ({"iam": {ROLES: {None: "web-role"}}}, Reason.ABSENT, ("no credentials", "it is new")),
        (
            role(GOOD | {"Code": "AssumeRoleUnauthorizedAccess"}),
            *(Reason.FINAL, ("Code 'AssumeRoleUnauthorizedAccess'", "trust policy")),
        ),
        *[
            (role(text), Reason.FINAL, ("'web-role'", "not a JSON object"))
            for text in ("<html>", "[]", "[" * 100_000)
        ],
        *[
            (role(GOOD | wrong), Reason.FINAL, ("'web-role'", "incomplete"))
            for wrong in (
                {"Token": None},
                {"SecretAccessKey": ""},
                {"AccessKeyId": "ASIASECRETKEYID\nX: y"},
                {"Token": "session//t\u00e9"},
            )
        ],
    ],
)
def test_credentials_that_are_not_there_or_none_are_named_and_not_shown(
    mock: responses.RequestsMock,
    clock: FakeClock,
    tree: dict[str, Any],
    reason: Reason,
    words: tuple[str, ...],
) -> None:
    caught = refused(tree, mock, clock)
    assert caught.reason is reason
    assert [word for word in words if word not in str(caught)] == []


@pytest.mark.parametrize("name", ["../../user-data", "%2e%2e", "a/b", "a?b", "..", "a b", "x" * 65])
def test_a_role_name_that_leads_elsewhere_is_not_asked_for(
    mock: responses.RequestsMock, clock: FakeClock, name: str
) -> None:
    caught = refused({"iam": {"security-credentials": {None: name}}}, mock, clock)
    assert "the name of the role" in str(caught)
    assert str(mock.calls[-1].request.url).endswith("/iam/security-credentials/")
