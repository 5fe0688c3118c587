"""No token and no credential is ever logged or written, and none is taken from the environment."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message

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
