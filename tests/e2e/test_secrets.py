"""No token and no credential is ever logged or written, and none is taken from the environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from email.message import Message
from pathlib import Path

import pytest

from e2e import program
from e2e.answering_api import DENIED, Answer, AnsweringApi, tags
from faulty_imds import Fault, FaultyImds
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import TOKEN_PATH
from rancheros_ec2_metadata.fake_ec2.server import Answer as ImdsAnswer
from rancheros_ec2_metadata.fake_ec2.tree import (
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
)

INSTANCE = FakeInstance(role="node", tags_in_metadata=False)
TAGS = tags(INSTANCE.instance_id, {"docker.role": "web"})
STALE = {
    "AWS_ACCESS_KEY_ID": "AKIASTALESTALESTALE0",
    "AWS_SECRET_ACCESS_KEY": "stale/secret",
    "AWS_SESSION_TOKEN": "stale//token",
    "AWS_SECURITY_TOKEN": "stale//security",
    "AWS_PROFILE": "of-nobody",
    "AWS_DEFAULT_REGION": "us-gov-west-1",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/stale",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/stale",
}


class WatchedImds(FaultyImds):
    """Remembers the tokens it has given."""

    def __init__(self, instance: FakeInstance) -> None:
        super().__init__(instance)
        self.given: list[str] = []

    def answer(self, method: str, target: str, headers: Message) -> ImdsAnswer:
        found = super().answer(method, target, headers)
        if target == TOKEN_PATH and found.status == 200:
            self.given.append(found.body.decode())
        return found

    def secrets(self) -> list[str]:
        return [ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN, *self.given]


@pytest.fixture
def imds() -> Iterator[WatchedImds]:
    with WatchedImds(INSTANCE) as running:
        yield running


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("apply", TAGS),
        ("apply", DENIED),
        ("apply", (200, "<html>Log in</html>")),
        ("plan", TAGS),
        ("plan --format=json", DENIED),
        ("show", DENIED),
        ("show --format=json", TAGS),
        ("show --format=yaml", TAGS),
    ],
)
def test_no_token_or_credential_is_logged_printed_or_written(
    disk: MachineDisk, imds: WatchedImds, command: str, answer: Answer
) -> None:
    # The token is renewed on the way, so there are two of them to lose.
    imds.faults = [Fault("/latest/meta-data/iam/*", expire_tokens=True)]
    with AnsweringApi(answer) as api:
        ran = program.run(
            disk, *command.split(), "--debug", imds=imds, AWS_ENDPOINT_URL_EC2=api.url
        )
    assert len(imds.given) == 2
    assert api.authorizations, "the credentials were not used"
    assert "debug: GET" in ran.err
    assert [secret for secret in imds.secrets() if secret in ran.err + ran.out] == []
    assert program.holding(disk, imds.secrets()) == []


@pytest.mark.parametrize(
    "document",
    [
        f'{{"Code": "Failed", "Token": "{SESSION_TOKEN}"}}',
        f'{{"AccessKeyId": "{ACCESS_KEY_ID}", "SecretAccessKey": "{SECRET_ACCESS_KEY}"}}',
        f'"{SECRET_ACCESS_KEY}"',
        f"{SECRET_ACCESS_KEY} is no JSON",
    ],
)
def test_credentials_that_cannot_be_used_are_not_logged_either(
    disk: MachineDisk, imds: WatchedImds, document: str
) -> None:
    path = "iam/security-credentials/node"
    imds.instance = replace(INSTANCE, extra={path: document})
    ran = program.run(disk, "--debug", imds=imds)
    assert ran.status == 4
    assert ran.line("error", "'node'")
    assert [secret for secret in imds.secrets() if secret in ran.err] == []
    assert program.holding(disk, imds.secrets()) == []


def test_credentials_and_profiles_of_the_environment_are_not_used(
    disk: MachineDisk, imds: WatchedImds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "credentials"
    shared.write_text(f"[default]\naws_access_key_id = {STALE['AWS_ACCESS_KEY_ID']}\n")
    for name, value in STALE.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(shared))
    with AnsweringApi(TAGS) as api:
        ran = program.run(disk, imds=imds, AWS_ENDPOINT_URL_EC2=api.url)
    assert ran.status == 0
    (authorization,) = api.authorizations
    assert f"Credential={ACCESS_KEY_ID}/" in authorization
    assert f"/{INSTANCE.region}/ec2/" in authorization
    assert disk.extra_args() == ["--debug", "--label=docker.role=web"]
    assert program.holding(disk, [STALE["AWS_SECRET_ACCESS_KEY"], STALE["AWS_SESSION_TOKEN"]]) == []
