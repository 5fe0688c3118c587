"""What DescribeInstances says, under the names of the metadata service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.desk.described import NEVER_TOLD, Described, described

INSTANCE_ID = "i-0123456789abcdef0"
RESERVATION = {"ReservationId": "r-1", "OwnerId": "123456789012"}


def of(region: str = "eu-west-1", **fields: Any) -> Described:
    return described(RESERVATION, {"InstanceId": INSTANCE_ID, **fields}, region, "aws")


def interface(device: int, mac: str, card: int | None = None, *ipv6: str) -> dict[str, Any]:
    attached = {"DeviceIndex": device} | ({} if card is None else {"NetworkCardIndex": card})
    addresses = [{"Ipv6Address": address} for address in ipv6]
    return {"MacAddress": mac, "Attachment": attached, "Ipv6Addresses": addresses}


def test_a_field_that_the_instance_does_not_have_is_no_variable() -> None:
    found = of(PublicDnsName="", PublicIpAddress=None, SecurityGroups=[])
    assert found.variables == {
        "AWS_ACCOUNT_ID": "123456789012",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_INSTANCE_ID": INSTANCE_ID,
        "AWS_INSTANCE_LIFE_CYCLE": "on-demand",
        "AWS_PARTITION": "aws",
        "AWS_REGION": "eu-west-1",
        "AWS_RESERVATION_ID": "r-1",
    }
    assert set(found.sources) == set(found.variables)


def test_a_launch_index_of_nought_is_one() -> None:
    assert of(AmiLaunchIndex=0).variables["AWS_AMI_LAUNCH_INDEX"] == "0"


def test_all_security_groups_count_and_are_joined_as_those_of_the_metadata_service() -> None:
    groups = [{"GroupName": "b", "GroupId": "sg-1"}, {"GroupName": "a", "GroupId": "sg-2"}]
    assert of(SecurityGroups=groups).variables["AWS_SECURITY_GROUPS"] == "b,a"


def test_the_first_interface_is_device_0_of_card_0_whatever_the_order() -> None:
    interfaces = [
        interface(1, "02:00:00:00:00:01"),
        interface(0, "02:00:00:00:00:02", 1),
        {"MacAddress": "02:00:00:00:00:03"},
        interface(0, "02:00:00:00:00:04", 0, "2001:db8::1", "2001:db8::2"),
    ]
    found = of(NetworkInterfaces=interfaces)
    assert found.variables["AWS_MAC_ADDRESS"] == "02:00:00:00:00:04"
    assert found.variables["AWS_IPV6"] == "2001:db8::1"
    assert (
        found.sources["AWS_MAC_ADDRESS"]
        == "EC2 API, DescribeInstances NetworkInterfaces.MacAddress"
    )


def test_a_spot_instance_is_one() -> None:
    assert of(InstanceLifecycle="spot").variables["AWS_INSTANCE_LIFE_CYCLE"] == "spot"


def test_the_region_is_the_one_asked_and_never_cut_from_the_zone() -> None:
    found = of("us-west-2", Placement={"AvailabilityZone": "us-west-2-lax-1a"})
    assert found.identity.region == found.variables["AWS_REGION"] == "us-west-2"
    assert found.variables["AWS_AVAILABILITY_ZONE"] == "us-west-2-lax-1a"


@pytest.mark.parametrize(
    ("launched", "pending"),
    [
        (datetime(2026, 1, 5, 8, tzinfo=UTC), "2026-01-05T08:00:00Z"),
        (datetime(2026, 1, 5, 10, tzinfo=timezone(timedelta(hours=2))), "2026-01-05T08:00:00Z"),
        (None, None),
    ],
)
def test_the_start_is_written_as_the_identity_document_writes_it(
    launched: datetime | None, pending: str | None
) -> None:
    assert of(LaunchTime=launched).identity.pending_time == pending


def test_what_the_api_never_tells_is_named_and_the_role_only_where_there_is_one() -> None:
    zone = {"AvailabilityZone": "eu-west-1a", "AvailabilityZoneId": "euw1-az1"}
    without, with_role = of(Placement=zone), of(Placement=zone, IamInstanceProfile={"Arn": "arn:x"})
    assert set(without.untold) == set(NEVER_TOLD)
    assert (without.profile, with_role.profile) == (None, "arn:x")
    assert set(with_role.untold) == {*NEVER_TOLD, "AWS_IAM_ROLE"}


def test_an_older_api_model_without_the_zones_id_does_not_tell_it() -> None:
    found = of(Placement={"AvailabilityZone": "eu-west-1a"})
    assert "AWS_AVAILABILITY_ZONE_ID" in found.untold
    assert "AWS_AVAILABILITY_ZONE_ID" not in found.variables


@pytest.mark.parametrize(
    ("state", "told"),
    [("running", None), ("pending", None), ("stopped", "stopped"), ("terminated", "terminated")],
)
def test_only_an_instance_that_runs_has_what_a_boot_finds(state: str, told: str | None) -> None:
    assert of(State={"Code": 0, "Name": state}).state == told


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    placement=JSON,
    groups=JSON,
    profile=JSON,
    state=JSON,
    zone=JSON,
    interfaces=st.lists(st.just({})),
)
def test_an_answer_of_any_shape_gives_texts_and_no_empty_ones(**parts: Any) -> None:
    found = of(
        Placement=parts["placement"],
        SecurityGroups=parts["groups"],
        IamInstanceProfile=parts["profile"],
        State=parts["state"],
        SubnetId=parts["zone"],
        NetworkInterfaces=parts["interfaces"],
    )
    assert all(isinstance(value, str) and value for value in found.variables.values())
