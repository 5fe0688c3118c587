"""Whose credentials are used at a desk, and what is said where there are none."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import botocore
import pytest

import prune_botocore
from e2e.answering_api import AnsweringApi, refusal
from e2e.described_api import KEY_ID, SECRET
from rancheros_ec2_metadata.desk.operator import Operator
from rancheros_ec2_metadata.ec2.failure import AttemptError
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from unit.desk.operators_machine import INSTANCE_ID, Desk

SHOW = ("show", "--instance", INSTANCE_ID)
PROFILES = f"""\
[default]
region = eu-west-1
[profile keys]
region = eu-central-1
aws_access_key_id = AKIAOTHERPROFILE
aws_secret_access_key = {SECRET}
[profile half]
aws_access_key_id = AKIAHALF
[profile program]
credential_process = {sys.executable} -c "import sys; sys.exit('{SECRET}')"
[profile nonsense]
credential_process = echo {SECRET}
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = ops
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.example/start
[profile assumed]
role_arn = arn:aws:iam::123456789012:role/ops
source_profile = keys
[profile of-machine]
role_arn = arn:aws:iam::123456789012:role/ops
credential_source = Ec2InstanceMetadata
"""


@pytest.fixture
def imds(desk: Desk) -> Iterator[FakeImds]:
    """A metadata service that would answer, if it were asked."""
    with FakeImds(FakeInstance(role="node")) as running:
        desk.set(AWS_EC2_METADATA_SERVICE_ENDPOINT=running.url)
        yield running


def test_the_variables_of_the_environment_are_a_login(desk: Desk, api: AnsweringApi) -> None:
    desk.log_in(api)
    assert desk.run(*SHOW) == ExitStatus.OK
    assert len(api.authorizations) == 2
    assert all(f"Credential={KEY_ID}/" in one for one in api.authorizations)
    assert all("/eu-west-1/ec2/" in one for one in api.authorizations)


def test_a_profile_that_is_named_beats_the_keys_in_the_environment(
    desk: Desk, api: AnsweringApi
) -> None:
    desk.log_in(api)
    desk.unset("AWS_REGION")
    desk.config(PROFILES)
    assert desk.run(*SHOW, "--profile", "keys") == ExitStatus.OK
    assert all("Credential=AKIAOTHERPROFILE/" in one for one in api.authorizations)
    assert all("/eu-central-1/ec2/" in one for one in api.authorizations)
    assert "the profile 'keys'" in desk.err


def test_the_profile_can_be_named_by_its_variable(desk: Desk, api: AnsweringApi) -> None:
    desk.config(PROFILES)
    desk.set(AWS_PROFILE="keys", AWS_ENDPOINT_URL_EC2=api.url)
    assert desk.run(*SHOW) == ExitStatus.OK
    assert all("Credential=AKIAOTHERPROFILE/" in one for one in api.authorizations)


@pytest.mark.parametrize(
    ("flags", "variables", "region"),
    [
        (("--region", "us-east-1"), {}, "us-east-1"),
        ((), {"AWS_DEFAULT_REGION": "us-west-2", "AWS_REGION": "us-east-2"}, "us-east-2"),
    ],
)
def test_the_region_is_the_flags_else_that_of_the_environment(
    desk: Desk,
    api: AnsweringApi,
    flags: tuple[str, ...],
    variables: dict[str, str],
    region: str,
) -> None:
    desk.log_in(api)
    desk.set(**variables)
    assert desk.run(*SHOW, *flags) == ExitStatus.OK
    assert all(f"/{region}/ec2/" in one for one in api.authorizations)
    assert f"'{region}'" in desk.out


def test_the_default_region_of_the_environment_counts(desk: Desk, api: AnsweringApi) -> None:
    desk.log_in(api)
    desk.unset("AWS_REGION")
    desk.set(AWS_DEFAULT_REGION="us-west-2")
    assert desk.run(*SHOW) == ExitStatus.OK
    assert all("/us-west-2/ec2/" in one for one in api.authorizations)


@pytest.mark.parametrize("profile", ["half", "program", "nonsense", "sso", "default"])
def test_without_credentials_the_profile_is_named_and_nothing_is_asked(
    desk: Desk, api: AnsweringApi, imds: FakeImds, profile: str
) -> None:
    desk.config(PROFILES)
    desk.set(AWS_ENDPOINT_URL_EC2=api.url, AWS_REGION="eu-west-1")
    assert desk.run(*SHOW, "--profile", profile) == ExitStatus.INCOMPLETE
    assert f"profile '{profile}'" in desk.error()
    assert "log in" in desk.error()
    assert desk.out == ""
    assert (api.actions, imds.requests) == ([], [])


def test_an_expired_sso_login_is_called_that(desk: Desk, api: AnsweringApi) -> None:
    desk.config(PROFILES)
    desk.set(AWS_ENDPOINT_URL_EC2=api.url, AWS_REGION="eu-west-1")
    cache = desk.home / ".aws/sso/cache"
    cache.mkdir(parents=True)
    # botocore's name for it: the SHA-1 of the session's name.
    expired = {"accessToken": SECRET, "expiresAt": "2020-01-01T00:00:00Z"}
    (cache / "6c3a47b03b1bfe36f2ff5e2ba8ffd3d0bb5dcf1c.json").write_text(json.dumps(expired))
    assert desk.run(*SHOW, "--profile", "sso") == ExitStatus.INCOMPLETE
    assert "has expired: log in (as by aws sso login --profile 'sso')" in desk.error()


def test_a_role_that_is_refused_is_said_with_the_reason(desk: Desk, api: AnsweringApi) -> None:
    desk.config(PROFILES)
    with AnsweringApi(refusal(403, "AccessDenied")) as sts:
        desk.set(AWS_ENDPOINT_URL_EC2=api.url, AWS_ENDPOINT_URL_STS=sts.url, AWS_REGION="eu-west-1")
        assert desk.run(*SHOW, "--profile", "assumed") == ExitStatus.INCOMPLETE
    assert "no credentials ('AccessDenied')" in desk.error()
    assert api.actions == []


def test_the_metadata_service_is_asked_where_the_profile_says_so(
    desk: Desk, imds: FakeImds
) -> None:
    desk.config(PROFILES)
    with AnsweringApi(refusal(403, "AccessDenied")) as sts:
        desk.set(AWS_ENDPOINT_URL_STS=sts.url, AWS_REGION="eu-west-1")
        assert desk.run(*SHOW, "--profile", "of-machine") == ExitStatus.INCOMPLETE
        assert sts.actions == ["AssumeRole"]
    assert imds.requests != []


def test_on_an_instance_its_own_role_is_the_last_resort(
    desk: Desk, api: AnsweringApi, imds: FakeImds
) -> None:
    desk.set(AWS_ENDPOINT_URL_EC2=api.url)
    asks = Operator(None, "eu-west-1", on_ec2=True).log_in(INSTANCE_ID)
    assert asks.instance().identity.instance_id == INSTANCE_ID
    assert "iam-role" in asks.asked.who
    assert imds.requests != []


def test_a_request_that_cannot_be_made_is_said_without_what_the_library_says(
    desk: Desk, api: AnsweringApi
) -> None:
    def broken(**_: object) -> None:
        raise OSError(SECRET)

    desk.log_in(api)
    asks = Operator(None, "eu-west-1", on_ec2=False).log_in(INSTANCE_ID)
    asks.client.meta.events.register("before-send.ec2", broken)
    with pytest.raises(AttemptError, match=r"cannot be asked at .*OSError") as caught:
        asks.tags()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), ("region", "--region", "AWS_REGION")),
        (("--region", "eu west"), ("'eu west'", "--region")),
        (("--profile", "nobody"), ("'nobody'", "~/.aws", "--profile")),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    desk: Desk, flags: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert desk.run(*SHOW, *flags) == ExitStatus.USAGE
    assert [word for word in words if word not in desk.error()] == []


def test_a_profile_of_the_environment_that_is_not_there_is_named(desk: Desk) -> None:
    desk.set(AWS_PROFILE="nobody", AWS_REGION="eu-west-1")
    assert desk.run(*SHOW) == ExitStatus.USAGE
    assert "'nobody'" in desk.error()


def test_a_configuration_that_does_not_read_is_wrong_usage_and_is_not_quoted(desk: Desk) -> None:
    desk.config(f"[default\naws_secret_access_key = {SECRET}\n")
    assert desk.run(*SHOW, "--region", "eu-west-1") == ExitStatus.USAGE
    assert "~/.aws" in desk.error()


def test_with_the_data_of_the_image_it_says_where_to_get_the_whole(
    desk: Desk, tmp_path: Path
) -> None:
    prune_botocore.cut(Path(botocore.__file__).parent / "data", tmp_path / "data")
    desk.set(AWS_DATA_PATH=str(tmp_path / "data"))
    assert desk.run(*SHOW) == ExitStatus.USAGE
    assert "not for the image" in desk.error()
    assert "pip" in desk.error()
