from __future__ import annotations

from typing import Any

import pytest
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rancheros_ec2_metadata.ec2.retry import RequestError
from rancheros_ec2_metadata.ec2.tags import Tags, all_known, read_tags
from unit.ec2.metadata_server import FakeClock, MetadataServer, imds_of


def read(
    served: Any,
    mock: responses.RequestsMock,
    clock: FakeClock,
    prefix: str = "",
    known: dict[str, str] | None = None,
) -> tuple[Tags | None, list[str]]:
    server = MetadataServer({"meta-data": {"tags": {"instance": served}}}).start(mock)
    imds = imds_of(clock)
    imds.connect(imds.limit)
    found = read_tags(imds, lambda key: key.startswith(prefix), known or {}, imds.limit.within(20))
    return found, [path.removeprefix("meta-data/tags/") for path in server.paths()]


def test_only_the_values_that_are_used_are_asked_for(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    served = {"docker.role": "web", "Name": "one", "docker.zone": "a", "aws:x": "y"}
    found, asked = read(served, mock, clock, "docker.")
    assert found == Tags(frozenset(served), {"docker.role": "web", "docker.zone": "a"}, {})
    assert sorted(asked) == ["instance", "instance/docker.role", "instance/docker.zone"]


def test_an_empty_list_is_served_and_no_list_is_not(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    assert read("", mock, clock)[0] == Tags(frozenset(), {}, {})
    assert read(None, mock, clock)[0] is None


def test_an_empty_value_is_a_value(mock: responses.RequestsMock, clock: FakeClock) -> None:
    found, _ = read({"docker.role": ""}, mock, clock)
    assert found is not None
    assert found.values == {"docker.role": ""}


def test_a_key_that_has_vanished_since_the_list_is_gone(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    found, _ = read({"docker.role": "web", "docker.zone": None}, mock, clock)
    assert found == Tags(frozenset({"docker.role"}), {"docker.role": "web"}, {})


@pytest.mark.parametrize("trouble", [500, 403, b"\xff", b"a\0b"])
def test_one_value_that_cannot_be_read_leaves_the_others(
    mock: responses.RequestsMock, clock: FakeClock, trouble: object
) -> None:
    found, _ = read({"docker.role": "web", "docker.zone": trouble}, mock, clock)
    assert found is not None
    assert found.values == {"docker.role": "web"}
    assert found.keys == {"docker.role", "docker.zone"}
    assert "tags/instance/docker.zone" in found.unread["docker.zone"]
    assert clock.time <= 1020


@pytest.mark.parametrize("status", [403, 500])
def test_a_list_that_cannot_be_had_is_an_error_that_names_it(
    mock: responses.RequestsMock, clock: FakeClock, status: int
) -> None:
    with pytest.raises(RequestError, match=f"tags/instance: answered with {status}"):
        read(status, mock, clock)


def test_more_keys_than_an_instance_can_have_are_not_asked_for(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    with pytest.raises(RequestError, match="lists 300 tags"):
        read("\n".join(f"docker.{n}" for n in range(300)), mock, clock)


def test_a_hundred_thousand_keys_are_too_long_a_list(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    with pytest.raises(RequestError, match="longer than"):
        read("\n".join(f"docker.{n}" for n in range(100_000)), mock, clock)


def test_a_value_that_is_known_is_not_asked_for_again(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    served = {"docker.role": "web", "docker.zone": "a"}
    known = {"docker.role": "web", "docker.gone": "x"}
    found, asked = read(served, mock, clock, known=known)
    assert found is not None
    assert found.values == served
    assert asked == ["instance", "instance/docker.zone"]


@pytest.mark.parametrize(
    "key", ["..", ".", "../../user-data", "%2e%2e", "a/b", "a?b", "a#b", "a b", "caf\u00e9", "a\tb"]
)
def test_a_key_that_leads_elsewhere_is_named_and_not_asked_for(
    mock: responses.RequestsMock, clock: FakeClock, key: str
) -> None:
    found, asked = read({None: f"{key}\ndocker.role", "docker.role": "web"}, mock, clock)
    assert found is not None
    assert found.values == {"docker.role": "web"}
    assert list(found.unread) == [key]
    assert asked == ["instance", "instance/docker.role"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(listed=st.text(max_size=300))
def test_no_list_makes_a_request_outside_the_tags(listed: str) -> None:
    clock = FakeClock()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        try:
            _, asked = read({None: listed.encode(errors="replace")}, mock, clock)
        except RequestError:
            return
    assert all(path.startswith("instance") and ".." not in path.split("/") for path in asked)


def test_what_the_api_gave_is_reduced_to_what_is_used() -> None:
    tags = {"docker.role": "web", "Name": "one"}
    found = all_known(tags, lambda key: key != "Name")
    assert found == Tags(frozenset(tags), {"docker.role": "web"}, {})
