from __future__ import annotations

from typing import Any

import pytest
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rancheros_ec2_metadata.ec2.retry import RequestError
from rancheros_ec2_metadata.ec2.tags import Tags, read_tags
from unit.ec2.metadata_server import FakeClock, MetadataServer, connected


def read(
    served: Any,
    mock: responses.RequestsMock,
    clock: FakeClock,
    prefix: str = "",
    known: dict[str, str] | None = None,
) -> tuple[Tags | None, list[str]]:
    server = MetadataServer({"meta-data": {"tags": {"instance": served}}}).start(mock)
    imds = connected(clock)
    found = read_tags(imds, lambda key: key.startswith(prefix), known or {}, imds.limit.within(20))
    return found, [path.removeprefix("meta-data/tags/") for path in server.paths()]


@pytest.mark.parametrize(
    ("served", "known", "values", "asked"),
    [
        # Only the values that are used and not known yet are asked for.
        (
            {"docker.role": "web", "Name": "one", "docker.zone": "a", "aws:x": "y"},
            {},
            {"docker.role": "web", "docker.zone": "a"},
            ["docker.role", "docker.zone"],
        ),
        (
            {"docker.role": "web", "docker.zone": "a"},
            {"docker.role": "web", "docker.gone": "x"},
            {"docker.role": "web", "docker.zone": "a"},
            ["docker.zone"],
        ),
        ("", {}, {}, []),
        ({"docker.role": ""}, {}, {"docker.role": ""}, ["docker.role"]),
        # A key that has vanished since the list.
        (
            {"docker.role": "web", "docker.zone": None},
            *({}, {"docker.role": "web"}, ["docker.role", "docker.zone"]),
        ),
    ],
    ids=["used", "known", "none", "empty", "vanished"],
)
def test_the_tags_that_are_used_are_read_each_once(
    served: Any, known: dict[str, str], values: dict[str, str], asked: list[str]
) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        found, paths = read(served, mock, FakeClock(), "docker.", known)
    there = {key for key, value in served.items() if value is not None} if served else set()
    assert found == Tags(frozenset(there), values, {})
    assert sorted(paths) == ["instance", *(f"instance/{key}" for key in asked)]


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (403, "tags/instance: answered with 403"),
        (500, "tags/instance: answered with 500"),
        # More than an instance can have.
        ("\n".join(f"docker.{n}" for n in range(300)), "lists 300 tags"),
        ("\n".join(f"docker.{n}" for n in range(100_000)), "longer than"),
    ],
    ids=["403", "500", "300 keys", "100,000 keys"],
)
def test_a_list_that_cannot_be_had_is_an_error_that_names_it(
    mock: responses.RequestsMock, clock: FakeClock, served: Any, said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        read(served, mock, clock)


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
