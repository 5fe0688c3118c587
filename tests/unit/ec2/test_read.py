"""Whole readings: what is asked, what is found, what is waited for, what is said."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.ec2.imds import IPV4, IPV6
from rancheros_ec2_metadata.ec2.instance import Identity
from rancheros_ec2_metadata.ec2.read import Reader
from rancheros_ec2_metadata.ec2.retry import Reason, RequestError
from rancheros_ec2_metadata.ec2.role import Credentials
from rancheros_ec2_metadata.errors import ExitStatus, FilesError, Note, worst
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.settings import ApiSettings, ImdsSettings, Settings
from unit.ec2.metadata_server import (
    DOCUMENT,
    INSTANCE_ID,
    MAC,
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
DENIED = RequestError("denied: allow ec2:DescribeTags", Reason.REFUSED)
GROUP = {"aws:autoscaling:groupName": "web-group"}


@dataclass
class FakeApi:
    """Answers one after the other, the last for ever; an exception is raised."""

    clock: FakeClock
    answers: list[Any] = field(default_factory=lambda: [DENIED])
    asked_at: list[float] = field(default_factory=list)
    given: list[tuple[Identity, Credentials]] = field(default_factory=list)

    def connect(
        self,
        identity: Identity,
        credentials: Credentials,
        settings: ApiSettings,
    ) -> Callable[[Limit], dict[str, str]]:
        self.given.append((identity, credentials))
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
    notes: list[Note]
    server: MetadataServer
    api: FakeApi
    clock: FakeClock
    written: list[Facts]

    @property
    def status(self) -> ExitStatus:
        return worst(note.status for note in self.notes)

    @property
    def log(self) -> str:
        return "\n".join(note.text for note in self.notes)

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
        **server: Any,
    ) -> Run:
        if tree is None:
            tree = latest(metadata(tags={"instance": {"docker.role": "web"}}))
        base = (imds.endpoint if imds else None) or IPV4
        served = MetadataServer(tree, base, **server).start(mock)
        log = Log(io.StringIO())
        client = imds_of(clock, imds, log=log)
        fake = FakeApi(clock, api or [DENIED])
        written: list[Facts] = []

        def so_far(facts: Facts) -> None:
            assert fake.given == []
            written.append(facts)

        reader = Reader(settings or Settings(), machine, client, log, fake.connect)
        found = reader.read(kept=kept, so_far=so_far)
        assert found.imds_requests == len(mock.calls)
        assert found.api_calls == len(fake.asked_at)
        run = Run(found, log.noted, served, fake, clock, written)
        everything = f"{run.log} {found!r} {client!r}"
        assert not [secret for secret in SECRETS if secret in everything]
        assert all("\n" not in note.text for note in log.noted)
        return run

    return start


# --- everything well ---


def test_a_whole_instance_is_read_with_all_its_variables_and_nothing_is_asked_twice(
    go: Go,
) -> None:
    tree = metadata(
        **ROLE,
        **{
            "ami-manifest-path": "ami/manifest.xml",
            "ancestor-ami-ids": "ami-1\nami-2",
            "autoscaling": {"target-lifecycle-state": "InService"},
            "hostname": "one.example.com. two.example.com.",
            "ipv6": "2001:db8::7",
            "mac": f"{MAC}\n",
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
    assert found.identity == Identity(INSTANCE_ID, "eu-central-1", DOCUMENT["pendingTime"])
    assert (found.on_ec2, found.pending_time) == (True, DOCUMENT["pendingTime"])
    assert found.tags == {"docker.role": "web"} | GROUP
    assert (found.variables_complete, found.tags_complete) == (True, True)
    assert found.unread_variables == frozenset()
    assert (found.tags_source, run.api.asked_at, run.took) == ("imds", [], 0)
    assert (run.status, run.written) == (ExitStatus.OK, [])
    assert "IMDSv2 at http://169.254.169.254" in run.log
    assert "3 tags from IMDS, 2 of them used" in run.log
    asked = run.server.asked
    assert asked[:2] == ["PUT api/token", "GET dynamic/instance-identity/document"]
    assert len(asked) == len(set(asked))
    assert "GET meta-data/tags/instance/Name" not in asked


@pytest.mark.parametrize(
    "settings", [Settings(tags="none"), Settings(label_prefixes=())], ids=["none", "unused"]
)
def test_where_no_tag_matters_none_is_asked_for(go: Go, settings: Settings) -> None:
    run = go(latest(metadata(tags={"instance": GROUP})), settings=settings)
    assert not [path for path in run.server.paths() if "tags" in path]
    assert (run.facts.tags, run.facts.tags_complete) == ({}, True)
    assert "AWS_AUTOSCALING_GROUP" not in run.facts.variables
    assert (run.status, run.api.asked_at) == (ExitStatus.OK, [])


EUSC = OLD | {"region": "eusc-de-east-1"}


@pytest.mark.parametrize("partition", ["aws-eusc", None])
@pytest.mark.parametrize("reads_metadata", [True, False])
def test_an_unknown_regions_partition_is_asked_for_once(
    go: Go, partition: str | None, reads_metadata: bool
) -> None:
    tree = metadata(services={"partition": partition, "domain": "amazonaws.eu"}, **ROLE)
    settings = Settings(metadata=reads_metadata)
    run = go(latest(tree, EUSC), settings=settings, api=[{"docker.role": "web"}])
    assert run.facts.variables.get("AWS_PARTITION") == (partition if reads_metadata else None)
    assert run.server.paths().count("meta-data/services/partition") == reads_metadata


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
    run = go(latest(metadata(hostname=503, tags={"instance": WEB})))
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
    "listing",
    [
        *(403, "", "<html>welcome</html>", '{"a": 1}', "ami-id\nami-lau"),
        # Of another machine or emulator, whose list does not show the tags.
        "\n".join(metadata(**{"public-ipv4": "198.51.100.7"})),
    ],
)
def test_without_a_whole_listing_each_part_is_asked_for(go: Go, listing: object) -> None:
    tree: dict[Any, Any] = metadata(tags={"instance": WEB}, **{"public-ipv4": "198.51.100.7"})
    run = go(latest({None: listing} | tree))
    assert run.facts.variables["AWS_PUBLIC_IPV4"] == "198.51.100.7"
    assert run.facts.variables_complete
    assert (run.facts.tags, run.facts.tags_source) == ({"docker.role": "web"}, "imds")
    assert run.status is ExitStatus.OK


@pytest.mark.parametrize(
    "mac", ["../../../../user-data", "<html>", "%2e%2e", "0e:00", f"{MAC}/..", f"{MAC} x"]
)
def test_a_mac_that_leads_elsewhere_is_named_and_not_followed(go: Go, mac: str) -> None:
    run = go(latest(metadata(mac=mac)))
    assert not [path for path in run.server.paths() if "user-data" in path or "macs" in path]
    assert "is not a MAC address" in run.log
    assert not run.facts.variables_complete
    assert run.facts.unread_variables == {"AWS_MAC_ADDRESS", "AWS_SUBNET_ID", "AWS_VPC_ID"}


@pytest.mark.parametrize("document", [None, 403, "<html>hello</html>", "[]", b"\xff"])
def test_without_the_document_the_paths_that_say_the_same_are_asked(
    go: Go, document: object
) -> None:
    run = go(latest(metadata()) | {"dynamic": {"instance-identity": {"document": document}}})
    found = run.facts
    assert found.identity == Identity(INSTANCE_ID, "eu-central-1")
    assert found.variables["AWS_INSTANCE_TYPE"] == "m5.large"
    assert found.variables["AWS_LOCAL_IPV4"] == "10.0.0.7"
    assert "AWS_ACCOUNT_ID" not in found.variables
    assert (found.pending_time, found.variables_complete) == (None, False)
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


ENDPOINT = ImdsSettings(endpoint="http://127.0.0.1:1338")
DISABLED = ImdsSettings(disabled=True)
REFUSED, SLOW = requests.ConnectionError("refused"), requests.ReadTimeout("nothing")
SILENT: dict[str, Any] = {"tree": {}, "put": REFUSED}
# Accepts, and says nothing.
MUTE: dict[str, Any] = {"tree": {"meta-data": {"instance-id": SLOW}}, "put": SLOW, "v1": True}
OF_ANOTHER: dict[str, Any] = {"tree": {}, "put": 404, "v1": True}
GARBAGE: dict[str, Any] = OF_ANOTHER | {"tree": {"meta-data": {"instance-id": "<html>"}}}
BUSY: dict[str, Any] = {"put": [503] * 20 + ["TOKEN-1-SECRET"]}
YES, NO, UNCLEAR = Machine("yes"), Machine("no"), Machine("unclear")
IS_EC2 = (True, ExitStatus.OK)
IS_NOT = (False, ExitStatus.NOT_ON_EC2)
NO_WORD = (None, ExitStatus.INCOMPLETE)


@pytest.mark.parametrize(
    ("machine", "given", "judged", "took"),
    [
        (NO, {}, IS_NOT, (0, 0)),
        (NO, {"imds": ENDPOINT}, IS_EC2, (0, 0)),
        (UNCLEAR, {}, IS_EC2, (0, 0)),
        (UNCLEAR, SILENT, IS_NOT, (4, 5)),
        (UNCLEAR, MUTE, IS_NOT, (4, 5)),
        (UNCLEAR, OF_ANOTHER, IS_NOT, (0, 0)),
        (UNCLEAR, BUSY, IS_EC2, (5, 110)),
        (UNCLEAR, {"put": 400}, NO_WORD, (0, 0)),
        (YES, {"imds": DISABLED}, NO_WORD, (0, 0)),
        (YES, SILENT, NO_WORD, (105, 110)),
        (YES, OF_ANOTHER, NO_WORD, (0, 0)),
        # With an endpoint set, or something kept of this machine, it is EC2 whatever answers.
        *[
            (machine, service | {"imds": ENDPOINT}, NO_WORD, (0, 110))
            for machine in (NO, UNCLEAR)
            for service in (SILENT, OF_ANOTHER, GARBAGE)
        ],
        (UNCLEAR, SILENT | {"kept": True}, NO_WORD, (105, 110)),
        (UNCLEAR, OF_ANOTHER | {"kept": True}, NO_WORD, (0, 0)),
    ],
)
def test_whether_this_is_ec2_is_the_firmwares_word_the_operators_or_the_services(
    go: Go,
    machine: Machine,
    given: dict[str, Any],
    judged: tuple[bool | None, ExitStatus],
    took: tuple[float, float],
) -> None:
    run = go(machine=machine, **given)
    assert (run.facts.on_ec2, run.status) == judged
    assert took[0] <= run.took <= took[1]
    unasked = {NO: "AWS_EC2_METADATA_SERVICE_ENDPOINT", YES: "AWS_EC2_METADATA_DISABLED"}
    if run.server.asked == []:
        assert unasked[machine] in run.log
    assert (run.server.asked == []) == (given in ({"imds": DISABLED}, {}) and machine != UNCLEAR)


def test_an_unclear_machine_asks_both_addresses(go: Go, mock: responses.RequestsMock) -> None:
    other = MetadataServer({}, IPV6, put=REFUSED).start(mock)
    run = go(machine=UNCLEAR, **SILENT)
    assert run.server.asked
    assert other.asked


# --- which source is asked, and what is waited for ---

ONE = {"tags": {"instance": {"Name": "one"}}}
WEB = {"docker.role": "web"}
NAMED = {"Name": "one"}
CREDENTIALS = ROLE["iam"]["security-credentials"]["web-role"]
IMDS_ONLY, API_ONLY = Settings(tags="imds"), Settings(tags="api")
REQUIRED = Settings(require_tags=("docker.role",))
REQUIRED_OF_IMDS = REQUIRED._replace(tags="imds")
THROTTLED = RequestError("throttled", Reason.BUSY)
OK, PART, MISSING = ExitStatus.OK, ExitStatus.INCOMPLETE, ExitStatus.REQUIRED_TAG


def listed(*answers: object) -> dict[str, Any]:
    """Return tags whose list changes from one look to the next."""
    return {"tags": {"instance": {None: list(answers), "docker.role": "web"}}}


@dataclass(frozen=True)
class Case:
    """One reading.

    Args:
        more: of the metadata. document: OLD is of an instance that is not young.
        tags: expected. source: of them.
        took: at least and at most, seconds.
        calls: of the API; None: several.
        said: in the log.
    """

    more: dict[str, Any]
    tags: dict[str, str] | None
    source: str | None = "imds"
    document: Any = field(default_factory=lambda: OLD)
    settings: Settings = field(default_factory=Settings)
    kept: bool = False
    api: tuple[Any, ...] = (DENIED,)
    status: ExitStatus = OK
    took: tuple[float, float] = (0, 0)
    calls: int | None = 0
    said: str = ""


UNKNOWN_AGE = DOCUMENT | {"pendingTime": None}
# Whole runs of more of them: tests/failures/test_late.py.
CASES = {
    # The metadata service serves them.
    "none": Case({"tags": {"instance": ""}}, {}),
    "unknown age": Case(ONE, {}, document=UNKNOWN_AGE),
    "kept": Case(ONE, {}, document=DOCUMENT, kept=True),
    "young": Case(ONE, {}, document=DOCUMENT, took=(9, 10)),
    "young, late": Case(
        listed("", "Name", "Name\ndocker.role"), WEB, document=DOCUMENT, took=(0.1, 9.9)
    ),
    "young, then failing": Case(listed("Name", 403), {}, document=DOCUMENT, took=(9, 10)),
    # It does not.
    "imds only, not served": Case(
        ROLE, None, None, settings=IMDS_ONLY, api=(WEB,), status=PART, said="InstanceMetadataTags"
    ),
    "imds only, refused": Case(
        {"tags": {"instance": 403}} | ROLE,
        *(None, None),
        settings=IMDS_ONLY,
        api=(WEB,),
        status=PART,
        said="tags/instance: answered with 403",
    ),
    "refused": Case({"tags": {"instance": 403}} | ROLE, WEB, "api", api=(WEB,), calls=1),
    "api only": Case(
        {"tags": {"instance": {"docker.role": "old"}}} | ROLE,
        *(WEB, "api"),
        settings=API_ONLY,
        api=(WEB,),
        calls=1,
    ),
    "no region": Case(
        {"placement": {}} | ROLE,
        *(None, None),
        document=OLD | {"region": None},
        status=PART,
        said="the region is not known",
    ),
    "refused by both": Case(ROLE, None, None, status=PART, calls=1, said="denied"),
    "no role, young": Case({}, None, None, document=DOCUMENT, status=PART, took=(19, 20)),
    "credentials late": Case(
        {"iam": {"security-credentials": {"web-role": [404, 404, 404, CREDENTIALS]}}},
        *(WEB, "api"),
        document=DOCUMENT,
        api=(WEB,),
        took=(0.1, 19.9),
        calls=1,
    ),
    "tags late": Case(
        *(ROLE, WEB, "api"),
        document=DOCUMENT,
        api=({}, NAMED, NAMED | WEB),
        took=(0.1, 9.9),
        calls=3,
    ),
    "then throttled": Case(
        *(ROLE, {}, "api"), document=DOCUMENT, api=(NAMED, THROTTLED), took=(1, 10), calls=None
    ),
    # A required tag.
    "required": Case({"tags": {"instance": WEB}}, WEB, settings=REQUIRED),
    "required of the api": Case(
        ONE | ROLE, WEB, "api", settings=REQUIRED, api=(NAMED | WEB,), calls=1
    ),
    "required of imds": Case(
        *(ONE | ROLE, {}),
        settings=REQUIRED_OF_IMDS,
        api=(WEB,),
        status=MISSING,
        took=(105, 110),
        said="the required tag 'docker.role' has not come",
    ),
    "required, late": Case(
        listed(*["Name"] * 30, "Name\ndocker.role"),
        WEB,
        settings=REQUIRED_OF_IMDS,
        took=(10, 30),
    ),
    "required, kept": Case(
        ONE, {}, settings=REQUIRED_OF_IMDS, kept=True, status=MISSING, took=(14, 15)
    ),
    "required, not of the api": Case(
        *(ROLE, {}, "api"),
        settings=REQUIRED,
        api=(NAMED,),
        status=MISSING,
        took=(105, 110),
        calls=None,
    ),
    "required, api refuses": Case(
        listed(*["Name"] * 9, "Name\ndocker.role") | ROLE,
        WEB,
        settings=REQUIRED,
        took=(0.1, 10),
        calls=1,
        said="denied",
    ),
    "required, nothing served": Case(ROLE, None, None, settings=REQUIRED, status=MISSING, calls=1),
    "required, nothing mapped": Case(
        *({"tags": {"instance": WEB}}, WEB),
        document=DOCUMENT,
        settings=REQUIRED._replace(label_prefixes=()),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_tags_come_from_the_source_that_has_them_and_no_longer_than_needed(
    go: Go, name: str
) -> None:
    case = CASES[name]
    tree = latest(metadata(**case.more), case.document)
    run = go(tree, settings=case.settings, kept=case.kept, api=list(case.api))
    facts = run.facts
    assert (facts.tags, facts.tags_source) == (case.tags, case.source)
    assert facts.tags_complete == (case.tags is not None)
    assert facts.variables_complete
    assert run.status is case.status
    assert case.took[0] <= run.took <= case.took[1]
    assert case.calls == facts.api_calls if case.calls is not None else 1 < facts.api_calls < 20
    assert case.said in run.log
    asks_api = case.calls != 0 or (case.source is None and case.settings is not IMDS_ONLY)
    assert len(run.written) == asks_api
    assert len(run.api.given) <= 1  # one client, however often it asks


@pytest.mark.parametrize("trouble", [500, 403, b"\xff", b"a\0b"])
def test_a_value_that_cannot_be_read_is_named_and_the_others_are_there(
    go: Go, trouble: object
) -> None:
    tags = {"docker.role": "web", "docker.zone": trouble, "Name": 403}
    run = go(latest(metadata(tags={"instance": tags})))
    assert run.facts.tags == {"docker.role": "web"}
    assert list(run.facts.unread_tags) == ["docker.zone"]
    assert not run.facts.tags_complete
    assert run.status is ExitStatus.INCOMPLETE
    assert "the value of the tag 'docker.zone' could not be read" in run.log
    assert run.took <= 20


# --- tags by the API ---


def test_tags_that_are_not_in_the_metadata_service_come_from_the_api(go: Go) -> None:
    tree = latest(metadata(**ROLE, autoscaling={"target-lifecycle-state": "InService"}), OLD)
    run = go(tree, api=[{"docker.role": "web", "Name": "one"} | GROUP])
    found = run.facts
    assert found.tags == {"docker.role": "web"} | GROUP
    assert found.variables["AWS_AUTOSCALING_GROUP"] == "web-group"
    assert found.keys == {"docker.role", "Name", *GROUP}
    assert (found.tags_source, found.tags_complete) == ("api", True)
    assert (run.api.asked_at, run.status) == ([0], ExitStatus.OK)
    ((identity, credentials),) = run.api.given
    assert identity == found.identity
    (written,) = run.written
    assert (written.variables["AWS_VPC_ID"], written.tags) == ("vpc-1", None)
    assert written.variables_complete is True
    assert credentials.role == "web-role"
    assert credentials.secret_key == SECRETS[3]
    assert "3 tags from the EC2 API, 2 of them used" in run.log
    asked = run.server.asked
    assert len(asked) == len(set(asked)) == 19


def test_what_cannot_be_written_before_the_api_is_asked_is_not_taken_for_ec2s_failure(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    def so_far(_: Facts) -> None:
        raise FilesError("the disk is full")

    MetadataServer(latest(metadata(**ROLE))).start(mock)
    reader = Reader(Settings(), ON_EC2, imds_of(clock), Log(io.StringIO()))
    with pytest.raises(FilesError):
        reader.read(kept=False, so_far=so_far)


@pytest.mark.parametrize("list_of_roles", [None, ""], ids=["404", "empty"])
def test_a_profile_without_a_role_is_asked_for_its_role_once(
    go: Go, list_of_roles: str | None
) -> None:
    roles = {} if list_of_roles is None else {"security-credentials": list_of_roles}
    run = go(latest(metadata(iam={"info": "{}"} | roles), OLD))
    assert run.server.paths().count("meta-data/iam/security-credentials/") == 1
    assert "the instance has no role" in run.log


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
    assert facts.sources.keys() == facts.variables.keys()
    for name, source in facts.sources.items():
        where, _, rest = source.partition(", ")
        if where == "IMDS":
            assert f"meta-data/{rest}" in run.server.paths()
        elif name != "AWS_PARTITION" and where == "identity document":
            assert isinstance(document, dict)
            assert facts.variables[name] == document[rest]
