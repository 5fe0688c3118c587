"""``--instance``: whose login is used, what DescribeInstances says, what is said of a failure."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import botocore
import pytest
from hypothesis import given
from hypothesis import strategies as st

import prune_botocore
from e2e import described_api
from e2e.answering_api import DENIED, THROTTLED, AnsweringApi, refusal
from e2e.described_api import KEY_ID, SECRET
from rancheros_ec2_metadata.ec2.described import (
    format_pending_time,
    make_client,
    open_session,
    read_described_variables,
)
from rancheros_ec2_metadata.ec2.instance import VARIABLES
from rancheros_ec2_metadata.errors import ExitStatus, UsageError
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from unit.commands.workstation import INSTANCE_ID, Workstation

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
"""


def of(region: str = "eu-west-1", **fields: Any) -> dict[str, str]:
    instance = {"ReservationId": "r-1", "OwnerId": "123456789012", "InstanceId": INSTANCE_ID}
    values, sources = read_described_variables(instance | fields, region, "aws")
    assert values.keys() == sources.keys()
    return values


def interface(device: int, mac: str, card: int | None = None, *ipv6: str) -> dict[str, Any]:
    attached = {"DeviceIndex": device} | ({} if card is None else {"NetworkCardIndex": card})
    addresses = [{"Ipv6Address": address} for address in ipv6]
    return {"MacAddress": mac, "Attachment": attached, "Ipv6Addresses": addresses}


LEAST = {
    "AWS_ACCOUNT_ID": "123456789012",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_INSTANCE_ID": INSTANCE_ID,
    "AWS_INSTANCE_LIFE_CYCLE": "on-demand",
    "AWS_PARTITION": "aws",
    "AWS_REGION": "eu-west-1",
    "AWS_RESERVATION_ID": "r-1",
}


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"PublicDnsName": "", "PublicIpAddress": None, "SecurityGroups": []}, {}),
        ({"AmiLaunchIndex": 0}, {"AWS_AMI_LAUNCH_INDEX": "0"}),
        ({"InstanceLifecycle": "spot"}, {"AWS_INSTANCE_LIFE_CYCLE": "spot"}),
        (
            {"SecurityGroups": [{"GroupName": "b", "GroupId": "sg-1"}, {"GroupName": "a"}]},
            {"AWS_SECURITY_GROUPS": "b,a"},
        ),
        (
            {
                "NetworkInterfaces": [
                    interface(1, "02:00:00:00:00:01"),
                    interface(0, "02:00:00:00:00:02", 1),
                    {"MacAddress": "02:00:00:00:00:03"},
                    interface(0, "02:00:00:00:00:04", 0, "2001:db8::1", "2001:db8::2"),
                ]
            },
            {"AWS_MAC_ADDRESS": "02:00:00:00:00:04", "AWS_IPV6": "2001:db8::1"},
        ),
        (
            {"Placement": {"AvailabilityZone": "us-west-2-lax-1a"}},
            {"AWS_AVAILABILITY_ZONE": "us-west-2-lax-1a"},
        ),
    ],
)
def test_what_the_instance_has_is_a_variable_and_nothing_else(
    fields: dict[str, Any], more: dict[str, str]
) -> None:
    assert of(**fields) == LEAST | more


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    [row.described.split(".")[0] for row in VARIABLES.values() if row.described]
)


@given(st.dictionaries(FIELDS.filter(lambda name: name != "NetworkInterfaces"), ANY))
def test_an_answer_of_any_shape_gives_texts_and_no_empty_ones(fields: dict[str, Any]) -> None:
    values, _ = read_described_variables(fields, "eu-west-1", "aws")
    assert all(value and isinstance(value, str) for value in values.values())


@pytest.mark.parametrize(
    ("flags", "variables", "asked_by"),
    [
        ((), {}, (KEY_ID, "eu-west-1")),
        (("--region", "us-east-1"), {}, (KEY_ID, "us-east-1")),
        ((), {"AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "us-west-2"}, (KEY_ID, "us-east-2")),
        ((), {"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"}, (KEY_ID, "us-west-2")),
        (("--profile", "keys"), {"AWS_REGION": ""}, ("AKIAOTHERPROFILE", "eu-central-1")),
        ((), {"AWS_PROFILE": "keys", "AWS_ACCESS_KEY_ID": ""}, ("AKIAOTHERPROFILE", "eu-west-1")),
    ],
)
def test_the_login_and_the_region_are_the_operators(
    workstation: Workstation,
    api: AnsweringApi,
    flags: tuple[str, ...],
    variables: dict[str, str],
    asked_by: tuple[str, str],
) -> None:
    workstation.log_in(api)
    workstation.config(PROFILES)
    workstation.set(**variables)
    workstation.unset(*(name for name, value in variables.items() if not value))
    assert workstation.run(*SHOW, *flags) == ExitStatus.OK
    assert len(api.authorizations) == 2
    key, region = asked_by
    for one in api.authorizations:
        assert f"Credential={key}/" in one
        assert f"/{region}/ec2/" in one


@pytest.mark.parametrize(
    ("profile", "status", "words"),
    [
        ("half", 2, ("Partial credentials",)),
        ("program", 2, ("custom-process",)),
        ("nonsense", 2, ("JSONDecodeError",)),
        ("sso", 4, ("SSO",)),
        ("default", 4, ("Unable to locate credentials",)),
        ("assumed", 4, ("AccessDenied", "AssumeRole")),
    ],
)
def test_without_credentials_boto3s_own_words_are_the_one_line(
    workstation: Workstation, api: AnsweringApi, profile: str, status: int, words: tuple[str, ...]
) -> None:
    workstation.config(PROFILES)
    with AnsweringApi(refusal(403, "AccessDenied")) as sts:
        workstation.set(
            AWS_ENDPOINT_URL_EC2=api.url, AWS_ENDPOINT_URL_STS=sts.url, AWS_REGION="eu-west-1"
        )
        workstation.set(AWS_EC2_METADATA_DISABLED="true")
        assert workstation.run(*SHOW, "--profile", profile) == status
    assert [word for word in words if word not in workstation.error()] == []
    assert (workstation.out, api.actions) == ("", [])


@pytest.mark.parametrize(
    ("flags", "config", "words"),
    [
        ((), "", ("region", "--region")),
        (("--region", "eu west"), "", ("'eu west'", "--region")),
        (("--profile", "nobody"), "", ("nobody", "~/.aws", "--profile")),
        ((), f"[default\naws_secret_access_key = {SECRET}\n", ("~/.aws",)),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    workstation: Workstation, flags: tuple[str, ...], config: str, words: tuple[str, ...]
) -> None:
    workstation.config(config)
    assert workstation.run(*SHOW, *flags) == ExitStatus.USAGE
    assert [word for word in words if word not in workstation.error()] == []


@pytest.mark.parametrize("command", [SHOW, ("preflight", "--auto-scaling-group", "web")])
def test_with_the_data_of_the_image_it_says_where_to_get_the_whole(
    workstation: Workstation, tmp_path: Path, command: tuple[str, ...]
) -> None:
    prune_botocore.cut(Path(botocore.__file__).parent / "data", tmp_path / "data")
    workstation.set(AWS_DATA_PATH=str(tmp_path / "data"), AWS_REGION="eu-west-1")
    assert workstation.run(*command) == ExitStatus.USAGE
    assert "not for the image" in workstation.error()
    assert "pip" in workstation.error()


def test_a_service_that_the_image_has_no_data_of_is_no_bug() -> None:
    session = open_session("preflight", None, "eu-west-1")
    with pytest.raises(UsageError, match="preflight is not for the image"):
        make_client("preflight", session, "no-such-service", "ask")


ANOTHER = FakeInstance(instance_id="i-0aaaaaaaaaaaaaaaa")
NO_API = "does not answer as the EC2 API does"


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (("DescribeInstances", DENIED), ("UnauthorizedOperation", "DescribeInstances")),
        (("DescribeTags", DENIED), ("UnauthorizedOperation", "DescribeTags")),
        (("DescribeInstances", described_api.NONE), (INSTANCE_ID, "eu-west-1", "--profile")),
        (("DescribeInstances", described_api.described(ANOTHER)), (f"no instance {INSTANCE_ID}",)),
        (("DescribeInstances", refusal(400, "RequestExpired")), ("RequestExpired",)),
        (("DescribeInstances", (200, "<html>")), (NO_API,)),
        (("DescribeInstances", (200, "<x/>")), (NO_API,)),
        (("DescribeTags", (200, "<x/>")), (NO_API,)),
        (("DescribeInstances", THROTTLED), ("RequestLimitExceeded",)),
    ],
)
def test_a_refusal_is_one_line_and_nothing_is_planned_from_a_part(
    workstation: Workstation,
    api: AnsweringApi,
    user_data: Path,
    refused: tuple[str, tuple[int, str]],
    words: tuple[str, ...],
) -> None:
    action, answer = refused
    api.by_action[action] = answer
    workstation.log_in(api)
    status = workstation.run("plan", "--instance", INSTANCE_ID, "--user-data", str(user_data))
    assert status == ExitStatus.INCOMPLETE
    assert [word for word in words if word not in workstation.error()] == []
    assert workstation.out == ""


def test_an_api_out_of_reach_is_named_with_its_address(
    workstation: Workstation, api: AnsweringApi
) -> None:
    workstation.log_in(api)
    workstation.set(AWS_ENDPOINT_URL_EC2="http://127.0.0.1:9")
    assert workstation.run(*SHOW) == ExitStatus.INCOMPLETE
    assert '"http://127.0.0.1:9/"' in workstation.error()


def test_the_start_is_written_as_the_identity_document_writes_it() -> None:
    launched = datetime(2026, 1, 5, 10, tzinfo=timezone(timedelta(hours=2)))
    assert format_pending_time(launched) == "2026-01-05T08:00:00Z"
    assert format_pending_time(None) is None
