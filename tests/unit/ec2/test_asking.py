from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2 import asking, transport
from rancheros_ec2_metadata.ec2.asking import Asker
from rancheros_ec2_metadata.ec2.detect import Machine
from rancheros_ec2_metadata.ec2.findings import Findings
from rancheros_ec2_metadata.ec2.imds import Imds
from rancheros_ec2_metadata.ec2.instance import source
from rancheros_ec2_metadata.ec2.sources import said_by
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.settings import ApiSettings, ImdsSettings, Settings


def asker(url: str, log: Log, reading: float = 20.0, overrun: float = 4.0) -> Asker:
    clock = Clock()
    settings = Settings(
        imds=ImdsSettings(endpoint=url), api=ApiSettings(endpoint="http://127.0.0.1:9")
    )
    imds = Imds(transport.session(), settings.imds, Limit.after(reading, clock))
    return Asker(settings, Machine("yes"), imds, log, Limit.after(reading + overrun, clock))


def never(found: Findings) -> None:
    pytest.fail(f"asked to write {found}")


def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_what_the_metadata_service_says_is_found_and_logged() -> None:
    stream = io.StringIO()
    with FakeImds(FakeInstance(tags={"docker.role": "web"})) as imds:
        found = asker(imds.url, Log(stream)).ask(kept=False, so_far=never)
    assert found.tags == {"docker.role": "web"}
    assert found.variables["AWS_INSTANCE_ID"] == "i-0123456789abcdef0"
    assert "1 tags from the metadata service" in stream.getvalue()
    assert (found.imds_requests, found.api_calls) == (len(imds.requests), 0)


def test_each_variable_tells_where_it_comes_from() -> None:
    instance = FakeInstance(
        role="r", autoscaling_group="g", public_ipv4="1.2.3.4", ipv6="fd00::1", tags={}
    )
    with FakeImds(instance) as imds:
        found = asker(imds.url, Log(io.StringIO())).ask(kept=False, so_far=never)
    sources = {name: source(name) for name in found.variables}
    assert sources["AWS_DEFAULT_REGION"] == "identity document, region"
    assert sources["AWS_AUTOSCALING_GROUP"] == "tag aws:autoscaling:groupName"
    assert sources["AWS_VPC_ID"] == "network/interfaces/macs/<mac>/vpc-id"
    assert sources["AWS_PUBLIC_IPV4"] == "public-ipv4"
    assert len(sources) == 28


@pytest.mark.parametrize(
    ("instance", "said"),
    [
        (FakeInstance(), {"AWS_LOCAL_IPV4": "identity document, privateIp"}),
        (
            FakeInstance(region="eu-isoe-west-1", public_ipv4="203.0.113.25", role="r"),
            {"AWS_PARTITION": "IMDS, services/partition", "AWS_PUBLIC_IPV4": "IMDS, public-ipv4"},
        ),
        (
            FakeInstance(ipv6="fd00::1", extra={"local-ipv4": None}, autoscaling_group="g"),
            {
                "AWS_PARTITION": "identity document, region",
                "AWS_AUTOSCALING_GROUP": "tag aws:autoscaling:groupName",
            },
        ),
        (
            FakeInstance(extra={"dynamic/instance-identity/document": None}),
            {
                "AWS_INSTANCE_ID": "IMDS, instance-id",
                "AWS_DEFAULT_REGION": "IMDS, placement/region",
                "AWS_LOCAL_IPV4": "IMDS, local-ipv4",
            },
        ),
    ],
)
def test_where_a_variable_of_an_instance_comes_from_was_asked_and_says_it(
    instance: FakeInstance, said: dict[str, str]
) -> None:
    with FakeImds(instance) as imds:
        found = asker(imds.url, Log(io.StringIO())).ask(kept=False, so_far=never)
        asked = {request.path for request in imds.requests}
    sources = {name: said_by(name, found.fields, found.variables) for name in found.variables}
    assert sources.items() >= said.items()
    for name, text in sources.items():
        where, _, rest = text.partition(", ")
        if where == "IMDS":
            assert f"/latest/meta-data/{rest}" in asked
        elif where == "identity document":
            value = found.fields[rest]
            assert found.variables[name] == (value if name != "AWS_PARTITION" else "aws")
        else:
            assert text == "tag aws:autoscaling:groupName"


@pytest.mark.parametrize("threads", [True, False])
def test_what_is_known_can_be_written_before_the_api_is_asked_where_threads_cannot_start(
    threads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Findings] = []
    monkeypatch.setattr(asking, "_threads_start", lambda: threads)
    with FakeImds(FakeInstance(tags_in_metadata=False)) as imds:
        found = asker(imds.url, Log(io.StringIO())).ask(kept=False, so_far=heard.append)
    assert found.tags is None
    assert len(heard) == (0 if threads else 1)


def test_reading_that_does_not_end_is_left_behind_and_what_was_found_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()

    def found_something_then_blocks(*args: object) -> None:
        findings = args[3]
        assert isinstance(findings, Findings)
        findings.variables = {"AWS_X": "x"}
        findings.step = "asking for ever"
        release.wait(60)

    monkeypatch.setattr(asking, "gather_imds", found_something_then_blocks)
    stream = io.StringIO()
    log = Log(stream)
    found = asker("http://127.0.0.1:9", log, 0.05, 0.2).ask(kept=False, so_far=never)
    release.set()
    assert found.variables == {"AWS_X": "x"}
    assert log.status() is ExitStatus.INCOMPLETE
    assert "asking for ever" in stream.getvalue()


def test_a_required_tag_is_missing_too_where_the_wait_for_it_does_not_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()

    def waits_for_the_tag(*args: object) -> None:
        findings = args[3]
        assert isinstance(findings, Findings)
        findings.step = "waiting for tags"
        release.wait(60)

    monkeypatch.setattr(asking, "gather_imds", waits_for_the_tag)
    stream = io.StringIO()
    log = Log(stream)
    waiting = asker("http://127.0.0.1:9", log, 0.05, 0.2)
    required = replace(waiting.settings, require_tags=("docker.role",))
    replace(waiting, settings=required).ask(kept=False, so_far=never)
    release.set()
    assert log.status() is ExitStatus.REQUIRED_TAG
    assert "the required tag 'docker.role' has not come" in stream.getvalue()


def test_whether_threads_start_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    probe: Callable[[], bool] = asking._threads_start  # noqa: SLF001 - has no other way to be seen
    assert probe()
    no_threads(monkeypatch)
    assert not probe()
