"""Whole readings: what is asked, what is found, what is waited for, what is said."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.ec2.imds import IPV4, IPV6
from rancheros_ec2_metadata.ec2.instance import VARIABLES, Identity
from rancheros_ec2_metadata.ec2.read import Reader
from rancheros_ec2_metadata.ec2.retry import Reason, RequestError
from rancheros_ec2_metadata.ec2.role import Credentials
from rancheros_ec2_metadata.errors import ExitStatus, Level, worst
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.settings import ApiSettings, ImdsSettings, Settings, TagSource
from unit.ec2.metadata_server import (
    DOCUMENT,
    INSTANCE_ID,
    MAC,
    NOW,
    OLD,
    ROLE,
    SECRETS,
    FakeClock,
    MetadataServer,
    imds_of,
    latest,
    metadata,
)

if TYPE_CHECKING:
    import responses

ON_EC2 = Machine("yes")
DENIED = RequestError("denied: allow ec2:DescribeTags", Reason.DENIED)
GROUP = {"aws:autoscaling:groupName": "web-group"}


@dataclass
class FakeApi:
    """Answers one after the other, the last for ever; an exception is raised."""

    clock: FakeClock
    answers: list[Any] = field(default_factory=lambda: [DENIED])
    asked_at: list[float] = field(default_factory=list)
    given: list[tuple[Identity, Credentials, str | None, float | None]] = field(
        default_factory=list
    )

    def connect(
        self,
        identity: Identity,
        credentials: Credentials,
        settings: ApiSettings,
        domain: Callable[[], str | None],
        clock_ahead: float | None,
    ) -> Callable[[Limit], dict[str, str]]:
        self.given.append((identity, credentials, domain(), clock_ahead))
        return self.ask

    def ask(self, _: Limit) -> dict[str, str]:
        self.asked_at.append(self.clock.time - 1000)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        return answer


@dataclass
class Run:
    """One reading and what it found."""

    facts: Facts
    server: MetadataServer
    api: FakeApi
    clock: FakeClock
    written: list[Facts]

    @property
    def status(self) -> ExitStatus:
        return worst(note.status for note in self.facts.notes)

    @property
    def log(self) -> str:
        return "\n".join(note.text for note in self.facts.notes)

    @property
    def took(self) -> float:
        return self.clock.time - 1000


Go = Callable[..., Run]


@pytest.fixture
def go(mock: responses.RequestsMock, clock: FakeClock) -> Go:
    """Read a whole instance from a fake metadata service, and a fake API."""

    def start(
        tree: Any = None,
        *,
        settings: Settings | None = None,
        kept: bool = False,
        machine: Machine = ON_EC2,
        imds: ImdsSettings | None = None,
        api: list[Any] | None = None,
        wall: float = NOW,
        **server: Any,
    ) -> Run:
        if tree is None:
            tree = latest(metadata(tags={"instance": {"docker.role": "web"}}))
        base = (imds.endpoint if imds else None) or IPV4
        served = MetadataServer(tree, base, **server).start(mock)
        client = imds_of(clock, imds, wall=wall)
        fake = FakeApi(clock, api or [DENIED])
        written: list[Facts] = []

        def so_far(facts: Facts) -> None:
            assert fake.given == []
            written.append(replace(facts))

        log = Log(io.StringIO())
        reader = Reader(settings or Settings(), machine, client, log, fake.connect)
        found = reader.read(kept=kept, so_far=so_far)
        assert log.noted == tuple(found.notes)
        assert found.imds_requests == len(mock.calls)
        assert found.api_calls == len(fake.asked_at)
        run = Run(found, served, fake, clock, written)
        everything = f"{run.log} {found!r} {client!r}"
        assert not [secret for secret in SECRETS if secret in everything]
        assert all("\n" not in note.text for note in found.notes)
        return run

    return start


# --- everything well ---


def test_a_whole_instance_is_read_with_all_its_variables(go: Go) -> None:
    tree = metadata(
        **ROLE,
        **{
            "ami-manifest-path": "ami/manifest.xml",
            "ancestor-ami-ids": "ami-1\nami-2",
            "autoscaling": {"target-lifecycle-state": "InService"},
            "hostname": "one.example.com. two.example.com.",
            "ipv6": "2001:db8::7",
            "public-hostname": "ec2-198-51-100-7.example.com",
            "public-ipv4": "198.51.100.7",
            "security-groups": "web\ndata base",
            "tags": {"instance": {"docker.role": "web", "Name": "one"} | GROUP},
        },
    )
    run = go(latest(tree))
    assert run.facts.variables == {
        "AWS_ACCOUNT_ID": "123456789012",
        "AWS_AMI_ID": "ami-0abcdef1234567890",
        "AWS_AMI_LAUNCH_INDEX": "0",
        "AWS_AMI_MANIFEST_PATH": "ami/manifest.xml",
        "AWS_ANCESTOR_AMI_IDS": "ami-1,ami-2",
        "AWS_ARCHITECTURE": "x86_64",
        "AWS_AUTOSCALING_GROUP": "web-group",
        "AWS_AVAILABILITY_ZONE": "eu-central-1a",
        "AWS_AVAILABILITY_ZONE_ID": "euc1-az2",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_HOSTNAME": "one.example.com",
        "AWS_IAM_ROLE": "web-role",
        "AWS_INSTANCE_ACTION": "none",
        "AWS_INSTANCE_ID": INSTANCE_ID,
        "AWS_INSTANCE_LIFE_CYCLE": "on-demand",
        "AWS_INSTANCE_TYPE": "m5.large",
        "AWS_IPV6": "2001:db8::7",
        "AWS_LOCAL_HOSTNAME": "ip-10-0-0-7.eu-central-1.compute.internal",
        "AWS_LOCAL_IPV4": "10.0.0.7",
        "AWS_MAC_ADDRESS": MAC,
        "AWS_PARTITION": "aws",
        "AWS_PUBLIC_HOSTNAME": "ec2-198-51-100-7.example.com",
        "AWS_PUBLIC_IPV4": "198.51.100.7",
        "AWS_REGION": "eu-central-1",
        "AWS_RESERVATION_ID": "r-0123456789abcdef0",
        "AWS_SECURITY_GROUPS": "web,data base",
        "AWS_SUBNET_ID": "subnet-1",
        "AWS_TARGET_LIFECYCLE_STATE": "InService",
        "AWS_VPC_ID": "vpc-1",
    }
    found = run.facts
    assert found.identity == Identity(
        INSTANCE_ID, "eu-central-1", "123456789012", DOCUMENT["pendingTime"], "aws"
    )
    assert (found.on_ec2, found.age, found.pending_time) == (True, 60, DOCUMENT["pendingTime"])
    assert found.tags == {"docker.role": "web"} | GROUP
    assert (found.variables_complete, found.tags_complete) == (True, True)
    assert found.unread_variables == frozenset()
    assert (found.tags_source, run.api.asked_at, run.took) == ("imds", [], 0)
    assert (run.status, run.written) == (ExitStatus.OK, [])
    assert "IMDSv2 at http://169.254.169.254" in run.log
    assert "3 tags from the metadata service, 1 of them mapped" in run.log


def test_what_an_instance_does_not_have_is_no_variable_and_no_failure(go: Go) -> None:
    run = go(latest(metadata(**{"reservation-id": None, "security-groups": ""})))
    assert "AWS_RESERVATION_ID" not in run.facts.variables
    assert "AWS_SECURITY_GROUPS" not in run.facts.variables
    assert "AWS_IAM_ROLE" not in run.facts.variables
    assert run.facts.variables_complete


@pytest.mark.parametrize(
    ("more", "requests_made"),
    [
        pytest.param({}, 16, id="plain"),
        pytest.param(
            ROLE | {"autoscaling": {"target-lifecycle-state": "InService"}}, 18, id="role, group"
        ),
        pytest.param(
            {"public-ipv4": "198.51.100.7", "public-hostname": "a.b", "ipv6": "2001:db8::7"},
            19,
            id="public addresses",
        ),
        pytest.param({"ancestor-ami-ids": "ami-1"}, 17, id="ancestors"),
    ],
)
def test_each_request_is_made_once_and_none_for_nothing(
    go: Go, more: dict[str, Any], requests_made: int
) -> None:
    tags = {"docker.role": "web", "docker.zone": "a", "Name": "one"}
    run = go(latest(metadata(tags={"instance": tags}, **more)))
    asked = run.server.asked
    assert len(asked) == len(set(asked))
    assert asked[:2] == ["PUT api/token", "GET dynamic/instance-identity/document"]
    used = ["GET meta-data/tags/instance/docker.role", "GET meta-data/tags/instance/docker.zone"]
    assert sorted(set(asked) & set(used)) == used
    assert len(asked) - len(used) == requests_made


def test_tags_alone_take_three_requests_and_one_for_each(go: Go) -> None:
    run = go(settings=Settings(metadata=False))
    assert run.server.asked == [
        "PUT api/token",
        "GET dynamic/instance-identity/document",
        "GET meta-data/tags/instance",
        "GET meta-data/tags/instance/docker.role",
    ]
    assert run.facts.variables == {}
    assert run.facts.variables_complete


@pytest.mark.parametrize(
    "settings", [Settings(tags="none"), Settings(label_prefixes=())], ids=["none", "unused"]
)
def test_where_no_tag_matters_none_is_asked_for(go: Go, settings: Settings) -> None:
    run = go(latest(metadata(tags={"instance": GROUP})), settings=settings)
    assert not [path for path in run.server.paths() if "tags" in path]
    assert (run.facts.tags, run.facts.tags_complete) == ({}, True)
    assert "AWS_AUTOSCALING_GROUP" not in run.facts.variables
    assert (run.status, run.api.asked_at) == (ExitStatus.OK, [])


def test_an_unknown_regions_partition_is_asked_for(go: Go) -> None:
    tree = metadata(services={"partition": "aws-eusc", "domain": "amazonaws.eu"})
    run = go(latest(tree, OLD | {"region": "eusc-de-east-1"}))
    assert run.facts.variables["AWS_PARTITION"] == "aws-eusc"
    assert run.facts.identity is not None
    assert run.facts.identity.partition == "aws-eusc"


# --- metadata in part ---


def test_a_leaf_that_fails_is_named_and_the_rest_is_there(go: Go) -> None:
    run = go(latest(metadata(hostname=403, **{"ami-launch-index": b"\xff"})))
    assert "AWS_HOSTNAME" not in run.facts.variables
    assert run.facts.variables["AWS_LOCAL_HOSTNAME"]
    assert not run.facts.variables_complete
    assert run.status is ExitStatus.INCOMPLETE
    assert "meta-data/hostname: answered with 403" in run.log
    assert "meta-data/ami-launch-index: the answer is not UTF-8" in run.log
    assert run.facts.unread_variables == {"AWS_HOSTNAME", "AWS_AMI_LAUNCH_INDEX"}


def test_leaves_that_are_busy_for_ever_take_no_more_than_their_part_of_the_time(go: Go) -> None:
    tree = metadata(hostname=503, tags={"instance": {"docker.role": "web"}})
    run = go(latest(tree))
    assert run.facts.tags == {"docker.role": "web"}
    assert 15 < run.took <= 20
    assert run.status is ExitStatus.INCOMPLETE


@pytest.mark.parametrize("seconds", [2, 5, 15, 30, 110])
@pytest.mark.parametrize("silent", ["document", "hostname", "public-ipv4"])
def test_what_never_answers_does_not_take_the_time_of_the_tags(
    mock: responses.RequestsMock, clock: FakeClock, silent: str, seconds: float
) -> None:
    def read_time_out() -> Exception:
        sent: Any = server.sent[-1]  # `responses` notes there what it was sent with
        clock.sleep(sent.req_kwargs["timeout"][1])
        return requests.ReadTimeout()

    tree = latest(metadata(tags={"instance": {"docker.role": "web"}}))
    folder = tree["dynamic"]["instance-identity"] if silent == "document" else tree["meta-data"]
    folder[silent] = read_time_out
    server = MetadataServer(tree).start(mock)
    reader = Reader(Settings(), ON_EC2, imds_of(clock, seconds=seconds), Log(io.StringIO()))
    found = reader.read(kept=False, so_far=lambda _: None)
    assert found.tags == {"docker.role": "web"}
    assert found.variables["AWS_VPC_ID"] == "vpc-1"
    assert not found.variables_complete
    assert clock.time - 1000 < 0.7 * seconds


@pytest.mark.parametrize(
    "listing", [403, "", "<html>welcome</html>", '{"a": 1}', "ami-id\nami-lau"]
)
def test_without_a_listing_each_part_is_asked_for(go: Go, listing: object) -> None:
    tags = {"instance": {"docker.role": "web"}}
    tree: dict[Any, Any] = {None: listing} | metadata(tags=tags, **{"public-ipv4": "198.51.100.7"})
    run = go(latest(tree))
    assert run.facts.variables["AWS_PUBLIC_IPV4"] == "198.51.100.7"
    assert run.facts.variables_complete
    assert run.facts.tags == {"docker.role": "web"}
    assert run.status is ExitStatus.OK


@pytest.mark.parametrize("mac", ["../../../../user-data", "<html>", "%2e%2e"])
def test_a_mac_that_leads_elsewhere_is_named_and_not_followed(go: Go, mac: str) -> None:
    run = go(latest(metadata(mac=mac)))
    assert not [path for path in run.server.paths() if "user-data" in path or "macs" in path]
    assert "is no MAC address" in run.log
    assert not run.facts.variables_complete
    assert run.facts.unread_variables == {"AWS_MAC_ADDRESS", "AWS_SUBNET_ID", "AWS_VPC_ID"}


@pytest.mark.parametrize("document", [None, 403, "<html>hello</html>", "[]", b"\xff"])
def test_without_the_document_the_paths_that_say_the_same_are_asked(
    go: Go, document: object
) -> None:
    tree = latest(metadata()) | {"dynamic": {"instance-identity": {"document": document}}}
    run = go(tree)
    found = run.facts
    assert found.identity == Identity(INSTANCE_ID, "eu-central-1", None, None, "aws")
    assert found.variables["AWS_INSTANCE_TYPE"] == "m5.large"
    assert found.variables["AWS_LOCAL_IPV4"] == "10.0.0.7"
    assert "AWS_ACCOUNT_ID" not in found.variables
    assert (found.age, found.variables_complete) == (None, False)
    assert found.unread_variables == {"AWS_ACCOUNT_ID", "AWS_ARCHITECTURE"}
    assert run.status is ExitStatus.INCOMPLETE
    assert "the identity document could not be read" in run.log
    assert len(run.server.asked) == len(set(run.server.asked))


def test_a_service_that_says_html_to_everything_is_asked_nothing_more(go: Go) -> None:
    html = "<html>welcome</html>"
    tree = {
        "dynamic": {"instance-identity": {"document": html}},
        "meta-data": {"instance-id": html, "placement": {"region": html}},
    }
    run = go(tree)
    assert len(run.server.paths()) == 3
    assert (run.facts.identity, run.status) == (None, ExitStatus.INCOMPLETE)
    assert "does not say which instance this is" in run.log


# --- not on EC2, silence ---


def test_elsewhere_by_its_firmware_nothing_is_asked(go: Go) -> None:
    run = go(machine=Machine("no"))
    assert run.server.asked == []
    assert (run.facts.on_ec2, run.status) == (False, ExitStatus.NOT_ON_EC2)
    assert "AWS_EC2_METADATA_SERVICE_ENDPOINT" in run.log


def test_elsewhere_with_an_endpoint_set_that_is_asked(go: Go) -> None:
    run = go(machine=Machine("no"), imds=ImdsSettings(endpoint="http://127.0.0.1:1338"))
    assert run.facts.on_ec2 is True
    assert run.facts.tags == {"docker.role": "web"}


@pytest.mark.parametrize(
    "silence", [requests.ConnectionError("refused"), requests.ReadTimeout("nothing")]
)
def test_an_unclear_machine_asks_both_addresses_for_five_seconds(
    go: Go, mock: responses.RequestsMock, silence: Exception
) -> None:
    other = MetadataServer({}, IPV6, put=requests.ConnectionError("no route")).start(mock)
    tree = {"meta-data": {"instance-id": silence}}
    run = go(tree, machine=Machine("unclear"), put=silence, v1=True)
    assert run.server.asked
    assert other.asked
    assert 4 < run.took <= 5
    assert (run.facts.on_ec2, run.status) == (False, ExitStatus.NOT_ON_EC2)


def test_an_unclear_machine_with_a_busy_service_waits_for_it(go: Go) -> None:
    run = go(machine=Machine("unclear"), put=[503] * 20 + ["TOKEN-1-SECRET"])
    assert run.facts.on_ec2 is True
    assert run.took > 5


def test_an_unclear_machine_with_a_service_that_refuses_is_not_called_elsewhere(go: Go) -> None:
    run = go(machine=Machine("unclear"), put=400)
    assert (run.facts.on_ec2, run.status) == (None, ExitStatus.INCOMPLETE)


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("unclear", ExitStatus.NOT_ON_EC2), ("yes", ExitStatus.INCOMPLETE)],
)
def test_a_service_that_knows_of_no_instance_is_ec2s_only_if_the_firmware_says_so(
    go: Go, verdict: Any, status: ExitStatus
) -> None:
    run = go({}, machine=Machine(verdict), put=404, v1=True)
    assert run.status is status
    assert run.facts.identity is None


def test_on_ec2_a_silent_service_is_asked_until_the_limit_and_it_is_still_ec2(go: Go) -> None:
    run = go(put=requests.ConnectionError("refused"))
    assert 105 < run.took <= 110
    assert (run.facts.on_ec2, run.status) == (None, ExitStatus.INCOMPLETE)
    assert "does not answer" in run.log


def test_a_service_that_may_not_be_asked_is_named(go: Go) -> None:
    run = go(imds=ImdsSettings(disabled=True))
    assert run.server.asked == []
    assert run.status is ExitStatus.INCOMPLETE
    assert "AWS_EC2_METADATA_DISABLED" in run.log


# --- tags in the metadata service ---


def test_an_empty_list_is_an_answer_and_the_api_is_not_asked(go: Go) -> None:
    run = go(latest(metadata(tags={"instance": ""}), OLD))
    assert (run.facts.tags, run.facts.tags_complete) == ({}, True)
    assert (run.api.asked_at, run.took, run.status) == ([], 0, ExitStatus.OK)


def test_a_value_that_cannot_be_read_is_named_and_the_others_are_there(go: Go) -> None:
    tags = {"docker.role": "web", "docker.zone": 403, "Name": 403}
    run = go(latest(metadata(tags={"instance": tags})))
    assert run.facts.tags == {"docker.role": "web"}
    assert list(run.facts.unread_tags) == ["docker.zone"]
    assert not run.facts.tags_complete
    assert run.status is ExitStatus.INCOMPLETE
    assert "the value of the tag 'docker.zone' could not be read" in run.log


def test_a_young_instance_gives_tags_ten_seconds_to_come(go: Go) -> None:
    served = {None: ["", "Name", "Name\ndocker.role"], "docker.role": "web"}
    run = go(latest(metadata(tags={"instance": served})))
    assert run.facts.tags == {"docker.role": "web"}
    assert 0 < run.took < 10


def test_a_young_instance_without_wanted_tags_waits_no_longer_than_that(go: Go) -> None:
    run = go(latest(metadata(tags={"instance": {"Name": "one"} | GROUP})))
    assert 9 < run.took <= 10
    assert run.facts.tags == GROUP
    assert (run.facts.tags_complete, run.status) == (True, ExitStatus.OK)


@pytest.mark.parametrize(
    ("document", "kept"),
    [(OLD, False), (DOCUMENT | {"pendingTime": None}, False), (DOCUMENT, True)],
    ids=["old", "of unknown age", "with kept values"],
)
def test_an_instance_that_is_not_new_takes_the_first_answer(
    go: Go, document: object, kept: bool
) -> None:
    run = go(latest(metadata(tags={"instance": {"Name": "one"}}), document), kept=kept)
    assert run.took == 0
    assert run.server.paths().count("meta-data/tags/instance") == 1


def test_what_an_earlier_look_found_stands_if_a_later_one_fails(go: Go) -> None:
    served = {None: ["Name", 403]}
    run = go(latest(metadata(tags={"instance": served})))
    assert run.facts.keys == {"Name"}
    assert (run.facts.tags_complete, run.status) == (True, ExitStatus.OK)


def test_the_only_source_that_may_be_asked_and_does_not_serve_is_named(go: Go) -> None:
    tree = latest(metadata(**ROLE))
    run = go(tree, settings=Settings(tags="imds"), api=[{"docker.role": "web"}])
    assert (run.facts.tags, run.api.asked_at) == (None, [])
    assert run.status is ExitStatus.INCOMPLETE
    assert "InstanceMetadataTags" in run.log
    assert "--tags" in run.log


def test_a_list_that_fails_is_an_error_where_the_api_must_not_be_asked(go: Go) -> None:
    tree = latest(metadata(tags={"instance": 403}, **ROLE))
    run = go(tree, settings=Settings(tags="imds"), api=[{"docker.role": "web"}])
    assert (run.status, run.api.asked_at) == (ExitStatus.INCOMPLETE, [])
    assert "tags/instance: answered with 403" in run.log


def test_a_list_that_fails_makes_way_for_the_api(go: Go) -> None:
    tree = latest(metadata(tags={"instance": 403}, **ROLE), OLD)
    run = go(tree, api=[{"docker.role": "web"}])
    assert run.facts.tags == {"docker.role": "web"}
    assert (run.facts.tags_source, run.status) == ("api", ExitStatus.OK)


# --- tags by the API ---


def test_tags_that_are_not_in_the_metadata_service_come_from_the_api(go: Go) -> None:
    tree = latest(metadata(**ROLE, autoscaling={"target-lifecycle-state": "InService"}), OLD)
    run = go(tree, api=[{"docker.role": "web", "Name": "one"} | GROUP], wall=NOW + 5)
    found = run.facts
    assert found.tags == {"docker.role": "web"} | GROUP
    assert found.variables["AWS_AUTOSCALING_GROUP"] == "web-group"
    assert found.keys == {"docker.role", "Name", *GROUP}
    assert (found.tags_source, found.tags_complete) == ("api", True)
    assert (run.api.asked_at, run.status) == ([0], ExitStatus.OK)
    ((identity, credentials, domain, clock_ahead),) = run.api.given
    assert identity == found.identity
    (written,) = run.written
    assert (written.variables["AWS_VPC_ID"], written.tags) == ("vpc-1", None)
    assert (written.variables_complete, written.imds_requests) == (True, 18)
    assert credentials.role == "web-role"
    assert credentials.secret_key == SECRETS[3]
    assert (domain, clock_ahead) == ("amazonaws.com", 5)
    assert "3 tags from the EC2 API, 1 of them mapped" in run.log
    asked = [path for path in run.server.asked if not path.endswith("services/domain")]
    assert len(asked) == len(set(asked)) == 19


def test_asked_for_by_name_the_api_is_asked_and_the_service_is_not(go: Go) -> None:
    tree = latest(metadata(tags={"instance": {"docker.role": "old"}}, **ROLE), OLD)
    run = go(tree, settings=Settings(tags="api"), api=[{"docker.role": "new"}])
    assert run.facts.tags == {"docker.role": "new"}
    assert not [path for path in run.server.paths() if "tags" in path]


def test_without_metadata_the_partition_of_an_unknown_region_is_asked_for(go: Go) -> None:
    tree = metadata(services={"partition": "aws-eusc", "domain": "amazonaws.eu"}, **ROLE)
    document = OLD | {"region": "eusc-de-east-1"}
    settings = Settings(metadata=False)
    run = go(latest(tree, document), settings=settings, api=[{"docker.role": "web"}])
    ((identity, _, domain, _),) = run.api.given
    assert (identity.partition, domain) == ("aws-eusc", "amazonaws.eu")


def test_a_partition_that_is_not_said_is_not_asked_for_again(go: Go) -> None:
    tree = metadata(services={"domain": "amazonaws.eu"}, **ROLE)
    run = go(latest(tree, OLD | {"region": "eusc-de-east-1"}), api=[{"docker.role": "web"}])
    assert run.facts.tags == {"docker.role": "web"}
    assert "AWS_PARTITION" not in run.facts.variables
    assert run.server.paths().count("meta-data/services/partition") == 1


@pytest.mark.parametrize(
    "failure",
    [
        DENIED,
        RequestError("auth", Reason.UNAUTHENTIC),
        RequestError("throttled", Reason.BUSY),
        RequestError("unreachable", Reason.UNREACHABLE),
        RequestError("expired", Reason.FINAL),
    ],
)
def test_an_api_that_gives_no_tags_leaves_the_metadata(go: Go, failure: RequestError) -> None:
    run = go(latest(metadata(**ROLE), OLD), api=[failure])
    found = run.facts
    assert found.variables["AWS_INSTANCE_ID"] == INSTANCE_ID
    assert (found.variables_complete, found.tags, found.tags_complete) == (True, None, False)
    assert run.status is ExitStatus.INCOMPLETE
    assert str(failure) in run.log


def test_without_a_region_the_api_is_not_asked(go: Go) -> None:
    tree = metadata(placement={"availability-zone": "x"}, **ROLE)
    run = go(latest(tree, OLD | {"region": None}))
    assert run.api.given == []
    assert "the region is not known" in run.log


def test_an_old_instance_without_a_role_is_told_at_once(go: Go) -> None:
    run = go(latest(metadata(), OLD))
    assert (run.took, run.status) == (0, ExitStatus.INCOMPLETE)
    assert "the instance has no role" in run.log


@pytest.mark.parametrize("list_of_roles", [None, ""], ids=["404", "empty"])
def test_a_profile_without_a_role_is_asked_for_its_role_once(
    go: Go, list_of_roles: str | None
) -> None:
    roles = {} if list_of_roles is None else {"security-credentials": list_of_roles}
    run = go(latest(metadata(iam={"info": "{}"} | roles), OLD))
    assert run.server.paths().count("meta-data/iam/security-credentials/") == 1
    assert "the instance has no role" in run.log


def test_a_young_instance_waits_twenty_seconds_for_its_role(go: Go) -> None:
    run = go(latest(metadata()))
    assert 19 < run.took <= 20
    assert "the instance has no role" in run.log


@pytest.mark.parametrize("late", ["role", "credentials"])
def test_a_role_or_credentials_that_come_late_are_used(go: Go, late: str) -> None:
    credentials = ROLE["iam"]["security-credentials"]["web-role"]
    folder = {
        "role": {None: [404, 404, 404, "web-role"], "web-role": credentials},
        "credentials": {None: "web-role", "web-role": [404, 404, 404, credentials]},
    }[late]
    tree = latest(metadata(iam={"security-credentials": folder}))
    run = go(tree, api=[{"docker.role": "web"}])
    assert run.facts.tags == {"docker.role": "web"}
    assert run.facts.variables["AWS_IAM_ROLE"] == "web-role"
    assert 0 < run.took < 20


def test_without_metadata_the_role_that_the_api_is_asked_with_is_no_variable(go: Go) -> None:
    settings = Settings(metadata=False)
    run = go(latest(metadata(**ROLE)), settings=settings, api=[{"docker.role": "web"}])
    assert run.facts.tags == {"docker.role": "web"}
    assert run.facts.variables == {}


def test_a_code_that_is_no_success_is_not_waited_for(go: Go) -> None:
    failed = json.dumps({"Code": "Failed"})
    tree = latest(metadata(iam={"security-credentials": {"web-role": failed}}))
    run = go(tree)
    assert (run.took, run.api.given) == (0, [])
    assert "Code 'Failed'" in run.log


def test_a_late_policy_is_waited_for_on_a_young_instance(go: Go) -> None:
    run = go(latest(metadata(**ROLE)), api=[DENIED, DENIED, DENIED, {"docker.role": "web"}])
    assert run.facts.tags == {"docker.role": "web"}
    assert 0 < run.took < 30


def test_tags_that_the_api_shows_late_are_waited_for(go: Go) -> None:
    answers = [{}, {"Name": "one"}, {"Name": "one", "docker.role": "web"}]
    run = go(latest(metadata(**ROLE)), api=answers)
    assert run.facts.tags == {"docker.role": "web"}
    assert 0 < run.took < 10
    assert len(run.api.asked_at) == 3


def test_a_first_answer_stands_if_the_api_is_throttled_afterwards(go: Go) -> None:
    throttled = RequestError("throttled", Reason.BUSY)
    run = go(latest(metadata(**ROLE)), api=[{"Name": "one"}, throttled])
    assert run.facts.keys == {"Name"}
    assert run.facts.tags_complete
    assert run.took <= 10
    assert run.status is ExitStatus.OK


# --- required tags ---


def required(tags: TagSource = "auto") -> Settings:
    return Settings(require_tags=("docker.role",), tags=tags)


def test_a_required_tag_that_is_there_is_not_waited_for(go: Go) -> None:
    run = go(settings=required())
    assert (run.took, run.status, run.api.asked_at) == (0, ExitStatus.OK, [])


def test_a_required_tag_that_the_service_lacks_is_asked_of_the_api(go: Go) -> None:
    tree = latest(metadata(tags={"instance": {"Name": "one"}}, **ROLE), OLD)
    run = go(tree, settings=required(), api=[{"Name": "one", "docker.role": "web"}])
    assert run.facts.tags == {"docker.role": "web"}
    assert (run.facts.tags_source, run.status) == ("api", ExitStatus.OK)


def test_where_only_the_service_may_be_asked_a_required_tag_is_not_asked_of_the_api(go: Go) -> None:
    tree = latest(metadata(tags={"instance": {"Name": "one"}}, **ROLE), OLD)
    settings = Settings(require_tags=("docker.role",), tags="imds")
    run = go(tree, settings=settings, api=[{"docker.role": "web"}])
    assert (run.api.asked_at, run.status) == ([], ExitStatus.REQUIRED_TAG)
    assert "meta-data/iam/security-credentials/web-role" not in run.server.paths()


def test_a_required_tag_is_waited_for_as_long_as_reading_may_last(go: Go) -> None:
    tree = latest(metadata(tags={"instance": {"docker.zone": "a"}}), OLD)
    run = go(tree, settings=required("imds"))
    assert 105 < run.took <= 110
    assert run.status is ExitStatus.REQUIRED_TAG
    assert "the required tag 'docker.role' has not come" in run.log
    assert run.facts.tags == {"docker.zone": "a"}


def test_a_required_tag_that_comes_late_ends_the_wait(go: Go) -> None:
    served = {None: ["Name"] * 30 + ["Name\ndocker.role"], "docker.role": "web"}
    tree = latest(metadata(tags={"instance": served}), OLD)
    run = go(tree, settings=required("imds"))
    assert run.facts.tags == {"docker.role": "web"}
    assert (run.status, run.took > 10) == (ExitStatus.OK, True)


def test_with_kept_values_a_required_tag_is_waited_for_fifteen_seconds(go: Go) -> None:
    tree = latest(metadata(tags={"instance": {"Name": "one"}}))
    run = go(tree, settings=required("imds"), kept=True)
    assert 14 < run.took <= 15
    assert run.status is ExitStatus.REQUIRED_TAG


def test_the_api_is_asked_seldom_while_a_required_tag_is_waited_for(go: Go) -> None:
    run = go(latest(metadata(**ROLE), OLD), settings=required(), api=[{"Name": "one"}])
    assert 105 < run.took <= 110
    assert len(run.api.asked_at) < 20
    assert run.status is ExitStatus.REQUIRED_TAG


def test_where_the_api_refuses_the_service_is_asked_for_the_required_tag(go: Go) -> None:
    served = {None: ["Name"] * 9 + ["Name\ndocker.role"], "docker.role": "web"}
    tree = latest(metadata(tags={"instance": served}, **ROLE), OLD)
    run = go(tree, settings=required())
    assert run.facts.tags == {"docker.role": "web"}
    assert (run.facts.tags_source, run.status) == ("imds", ExitStatus.OK)
    assert [note.level for note in run.facts.notes if "denied" in note.text] == [Level.WARNING]


def test_a_required_tag_that_could_not_be_asked_for_is_missing_too(go: Go) -> None:
    run = go(latest(metadata(**ROLE), OLD), settings=required())
    statuses = {note.status for note in run.facts.notes}
    assert statuses == {ExitStatus.OK, ExitStatus.INCOMPLETE, ExitStatus.REQUIRED_TAG}


def test_a_required_tag_is_asked_for_even_if_no_mapping_uses_tags(go: Go) -> None:
    settings = Settings(label_prefixes=(), require_tags=("docker.role",))
    run = go(settings=settings)
    assert (run.status, run.took) == (ExitStatus.OK, 0)
    assert run.facts.tags == {"docker.role": "web"}


# --- what can be seen from outside ---


# --- where each variable is from ---

FULL = {
    "ancestor-ami-ids": "ami-1",
    "autoscaling": {"target-lifecycle-state": "InService"},
    "ipv6": "2001:db8::7",
    "public-hostname": "a.b",
    "public-ipv4": "198.51.100.7",
    "tags": {"instance": GROUP},
}


@pytest.mark.parametrize(
    ("document", "more", "said"),
    [
        (
            DOCUMENT,
            {},
            {
                "AWS_LOCAL_IPV4": "identity document, privateIp",
                "AWS_DEFAULT_REGION": "identity document, region",
                "AWS_PARTITION": "identity document, region",
                "AWS_VPC_ID": f"IMDS, network/interfaces/macs/{MAC}/vpc-id",
                "AWS_AUTOSCALING_GROUP": "tag aws:autoscaling:groupName",
            },
        ),
        (
            DOCUMENT | {"privateIp": "2001:db8::12"},
            {"local-ipv4": "169.254.49.58"},
            {"AWS_LOCAL_IPV4": "IMDS, local-ipv4"},
        ),
        (
            "<html>",
            {},
            {
                "AWS_REGION": "IMDS, placement/region",
                "AWS_DEFAULT_REGION": "IMDS, placement/region",
                "AWS_PARTITION": "IMDS, placement/region",
                "AWS_INSTANCE_ID": "IMDS, instance-id",
            },
        ),
        (
            DOCUMENT | {"region": "eusc-de-east-1"},
            {"services": {"partition": "aws-eusc"}},
            {"AWS_PARTITION": "IMDS, services/partition"},
        ),
    ],
    ids=["plain", "IPv6-only", "no document", "another partition"],
)
def test_the_source_of_each_variable_was_asked_and_says_it(
    go: Go, document: object, more: dict[str, Any], said: dict[str, str]
) -> None:
    run = go(latest(metadata(**ROLE, **FULL | more), document))
    facts = run.facts
    assert facts.sources.items() >= said.items()
    assert facts.sources.keys() == facts.variables.keys() == {*VARIABLES} - facts.unread_variables
    for name, source in facts.sources.items():
        where, _, rest = source.partition(", ")
        if where == "IMDS":
            assert f"meta-data/{rest}" in run.server.paths()
        elif name != "AWS_PARTITION" and where == "identity document":
            assert isinstance(document, dict)
            assert facts.variables[name] == document[rest]


# --- what another machine or emulator answers ---


def test_tags_that_no_list_shows_are_asked_for_all_the_same(go: Go) -> None:
    tree: dict[Any, Any] = metadata(tags={"instance": {"docker.role": "web"}})
    tree[None] = "\n".join(name for name in tree if name != "tags")
    run = go(latest(tree))
    assert (run.facts.tags, run.facts.tags_source) == ({"docker.role": "web"}, "imds")


SILENT_SERVICE = {"put": requests.ConnectionError("refused")}
OF_ANOTHER = {"put": 404, "v1": True}


@pytest.mark.parametrize("verdict", ["no", "unclear"])
@pytest.mark.parametrize(
    ("tree", "server"),
    [
        ({}, SILENT_SERVICE),
        ({}, OF_ANOTHER),
        ({"meta-data": {"instance-id": "<html>"}}, OF_ANOTHER),
    ],
    ids=["silent", "of another", "garbage"],
)
def test_with_an_endpoint_set_it_is_never_called_not_on_ec2(
    go: Go, verdict: Any, tree: Any, server: dict[str, Any]
) -> None:
    endpoint = ImdsSettings(endpoint="http://127.0.0.1:1338")
    run = go(tree, machine=Machine(verdict), imds=endpoint, **server)
    assert (run.facts.on_ec2, run.status) == (None, ExitStatus.INCOMPLETE)


@pytest.mark.parametrize("server", [SILENT_SERVICE, OF_ANOTHER], ids=["silent", "of another"])
def test_where_something_of_this_machine_is_kept_unclear_firmware_is_ec2s(
    go: Go, server: dict[str, Any]
) -> None:
    run = go({}, machine=Machine("unclear"), kept=True, **server)
    assert (run.facts.on_ec2, run.status) == (None, ExitStatus.INCOMPLETE)
