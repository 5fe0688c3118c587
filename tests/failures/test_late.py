"""What comes late or is refused: what is asked again, what is not, and what is said, from outside.

All runs of this module are made at once: what they do most is wait.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import pytest

from e2e.answering_api import DENIED, THROTTLED, Answer, AnsweringApi, refusal, tags
from failures import timed
from failures.timed import Timed
from faulty_imds import Fault, FaultyImds
from hostile_imds import SANE
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance

FAILED = json.dumps({"Code": "Failed", "Message": "no"})
TOKEN, ROLE, CREDENTIALS = "PUT */api/token", "GET */security-credentials/", "GET */docker-node"
TAG_LIST, API = "GET */tags/instance", "API"

OLD = replace(SANE, tags_in_metadata=False)
YOUNG = replace(OLD, pending_time="now")
TAGLESS = replace(SANE, tags={})


@dataclass(frozen=True)
class Case:
    """A run that meets something late or refused.

    Args:
        instance: as the metadata service has it.
        status: of the run. said: words of one line of its log.
        asked: what is counted: a method and a pattern of paths, or the API.
        times: how often that is asked; None: again and again.
        answer: the API's.
        then: what the metadata service says once it has been asked; or the API.
        faults: of the metadata service.
        flags: of the run.
    """

    instance: FakeInstance
    status: int
    said: tuple[str, ...]
    asked: str
    times: int | None
    answer: Answer = DENIED
    then: FakeInstance | Answer | None = None
    faults: tuple[Fault, ...] = ()
    flags: tuple[str, ...] = ()


NO_ROLE = ("error", "the instance has no role")
HOP_LIMIT = ("HttpPutResponseHopLimit", "net: host")
LOST = Fault("/latest/api/token", delay=3600, times=None)
OPTIONAL = replace(SANE, tokens="optional")
COMES = tags(SANE.instance_id, SANE.tags)

CASES = {
    # A policy, a role and tags come late to a young instance; an older one has what it has.
    "policy-old": Case(OLD, 4, ("error", "'docker-node'", "ec2:DescribeTags"), API, 1),
    "policy-young": Case(YOUNG, 4, ("error", "'docker-node'", "ec2:DescribeTags"), API, None),
    "policy-comes": Case(YOUNG, 0, ("1 tag from the EC2 API",), API, None, then=COMES),
    "credentials-old": Case(OLD, 4, ("error", "AuthFailure"), API, 1, refusal(401, "AuthFailure")),
    "credentials-young": Case(
        YOUNG, 4, ("error", "AuthFailure"), API, None, refusal(401, "AuthFailure")
    ),
    "role-old": Case(replace(OLD, role=None), 4, NO_ROLE, ROLE, 1),
    "role-young": Case(replace(YOUNG, role=None), 4, NO_ROLE, ROLE, None),
    "role-comes": Case(
        replace(YOUNG, role=None), 0, ("1 tag from the EC2 API",), ROLE, None, COMES, then=YOUNG
    ),
    "code-no-success": Case(
        replace(YOUNG, extra={"iam/security-credentials/docker-node": FAILED}),
        *(4, ("error", "Code 'Failed'"), CREDENTIALS, 1),
    ),
    "tags-old": Case(TAGLESS, 0, ("0 tags from IMDS",), TAG_LIST, 1),
    "tags-young": Case(
        replace(TAGLESS, pending_time="now"),
        *(0, ("0 tags from IMDS",), TAG_LIST, None),
    ),
    "tags-come": Case(
        replace(TAGLESS, pending_time="now"),
        *(0, ("1 tag from IMDS",), TAG_LIST, None),
        then=replace(SANE, pending_time="now"),
    ),
    # Whatever the age.
    "throttled": Case(OLD, 4, ("error", "throttles", "RequestLimitExceeded"), API, None, THROTTLED),
    "throttled-for-a-while": Case(
        OLD, 0, ("1 tag from the EC2 API",), API, None, THROTTLED, then=COMES
    ),
    "request-expired": Case(
        YOUNG, 4, ("error", "this machine's clock"), API, 1, refusal(400, "RequestExpired")
    ),
    "another-refusal": Case(
        YOUNG, 4, ("error", "'OptInRequired'"), API, 1, refusal(403, "OptInRequired")
    ),
    "token-expired": Case(
        SANE,
        *(0, ("1 tag from IMDS",), TOKEN, 2),
        faults=(Fault("*/meta-data/*", method="GET", expire_tokens=True),),
    ),
    "required-tag": Case(
        SANE,
        *(6, ("error", "required tag 'docker.fleet'"), TAG_LIST, None),
        flags=("--require-tag=docker.fleet", "--tags=imds"),
    ),
    # Two lost answers to the token request, and one GET that is answered.
    "hop-limit": Case(SANE, 4, ("error", *HOP_LIMIT), TOKEN, 2, faults=(LOST,)),
    "hop-limit-v1": Case(OPTIONAL, 0, ("IMDSv1 at",), TOKEN, 2, faults=(LOST,)),
    "hop-limit-v1-forbidden": Case(
        OPTIONAL,
        *(4, ("error", *HOP_LIMIT), TOKEN, None),
        faults=(LOST,),
        flags=("--imds=v2",),
    ),
}


@dataclass(frozen=True)
class Late:
    """How a case ended.

    Args:
        run: the run.
        times: how often what the case counts was asked.
    """

    run: Timed
    times: int


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[Late]]]:
    folder = tmp_path_factory.mktemp("machines")  # not in a thread: pytest makes it unguarded

    def run(name: str) -> Late:
        case = CASES[name]
        disk = timed.user_machine(folder / name)
        with FaultyImds(case.instance) as imds, AnsweringApi(case.answer) as api:
            imds.faults = list(case.faults)

            def times() -> int:
                asked = [f"{one.method} {one.path}" for one in imds.requests]
                asked += [API] * len(api.authorizations)
                return sum(fnmatchcase(one, case.asked) for one in asked)

            ended = threading.Event()

            def comes() -> None:
                while not times() and not ended.wait(0.02):
                    pass
                if isinstance(case.then, FakeInstance):
                    imds.instance = case.then
                elif case.then is not None:
                    api.answers = [case.then]

            coming = threading.Thread(target=comes)
            coming.start()
            variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
            variables["AWS_ENDPOINT_URL_EC2"] = api.url
            ran = timed.run(disk, *case.flags, deadline=timed.IN_VAIN, variables=variables)
            ended.set()
            coming.join()
            return Late(ran, times())

    with ThreadPoolExecutor(len(CASES)) as pool:
        yield {name: pool.submit(run, name) for name in CASES}


def with_status(status: int) -> list[str]:
    return [name for name, case in CASES.items() if case.status == status]


def status_of(runs: Mapping[str, Future[Late]], name: str) -> int:
    """Return the status of a run that asked as often as it should, and said what it should."""
    case, late = CASES[name], runs[name].result()
    assert late.run.ran.line(*case.said)
    assert late.times == case.times if case.times else late.times > 1
    return late.run.ran.status


@pytest.mark.parametrize("name", with_status(4))
def test_what_never_comes_or_is_refused_is_named_and_the_metadata_is_there(
    runs: Mapping[str, Future[Late]], name: str
) -> None:
    assert status_of(runs, name) == 4
    run = runs[name].result().run
    disk = run.disk
    assert run.outcome == ("none" if "hop-limit" in name else "partial")
    assert run.ran.log[-1].startswith(f"status: {run.outcome}; 0 labels")
    assert run.ran.log[-1].endswith("exit 4")
    # Behind the hop limit there is none.
    assert ("AWS_INSTANCE_TYPE" in disk.variables()) == ("hop-limit" not in name)
    assert disk.extra_args() == []


@pytest.mark.parametrize("name", with_status(0))
def test_what_comes_late_is_used_and_what_need_not_be_there_is_not_missed(
    runs: Mapping[str, Future[Late]], name: str
) -> None:
    assert status_of(runs, name) == 0
    disk = runs[name].result().run.disk
    assert disk.variables()["AWS_INSTANCE_TYPE"] == SANE.instance_type
    labels = [] if name in ("tags-old", "tags-young") else ["--debug", "--label=docker.role=web"]
    assert disk.extra_args() == labels


@pytest.mark.parametrize("name", with_status(6))
def test_a_required_tag_that_never_comes_is_waited_for_and_the_rest_is_applied(
    runs: Mapping[str, Future[Late]], name: str
) -> None:
    assert status_of(runs, name) == 6
    run = runs[name].result().run
    assert run.outcome == "partial"
    assert run.disk.extra_args() == ["--debug", "--label=docker.role=web"]
