from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata import summary
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.errors import ExitStatus, Note, debug, error, info, warning
from rancheros_ec2_metadata.log import PREFIX
from rancheros_ec2_metadata.plan.given import Given
from rancheros_ec2_metadata.plan.mapping import NOTHING
from rancheros_ec2_metadata.plan.planning import Plan
from rancheros_ec2_metadata.plan.provenance import LeftOut
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import stack
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.rancheros.state import State

TOOK = {"files": 0.0123, "EC2": 1.26, "ros": 0.0}


def plan(metadata: Mapping[str, str], tags: Mapping[str, str], notes: Sequence[Note] = ()) -> Plan:
    layers = stack(Disk(), Release((1, 5, 8), "v1.5.8", ""))
    state = State(metadata=metadata, tags=tags)
    given = Given(Disk(), layers.release, State())
    return Plan((), layers, {}, {}, state, tuple(notes), NOTHING, given, ())


def found(source: str, *tags: str, **variables: str) -> Facts:
    findings = Facts(on_ec2=True, variables=variables, tags=dict.fromkeys(tags, ""))
    findings.tags_source = "api" if source == "api" else "imds"
    findings.imds_requests, findings.api_calls = 19, 1
    return findings


def test_it_says_what_came_from_where_what_was_asked_and_what_it_took() -> None:
    findings = found("api", "docker.role", "unused", AWS_A="1", AWS_B="2")
    made = plan({"AWS_A": "1", "AWS_B": "2"}, {"docker.role": "web"})
    assert list(summary.lines(findings, made, TOOK)) == [
        "metadata: 2 from IMDS; tags: 1 from the EC2 API",
        "19 IMDS requests, 1 API calls; EC2 1.3 s, files 12 ms",
    ]


def test_what_is_kept_is_told_from_what_ec2_said_now() -> None:
    findings = found("imds", "a", AWS_A="1")
    made = plan({"AWS_A": "1", "AWS_OLD": "2"}, {"a": "", "b": "", "c": ""})
    (first, _) = summary.lines(findings, made, TOOK)
    assert first == (
        "metadata: 1 from IMDS, 1 kept from the last run;"
        " tags: 1 from IMDS, 2 kept from the last run"
    )


def test_where_there_is_nothing_it_says_so() -> None:
    for made in (None, plan({}, {})):
        (first, second) = summary.lines(Facts(), made, {})
        assert (first, second) == ("metadata: none; tags: none", "0 IMDS requests, 0 API calls")


def test_what_was_left_out_is_named_again_and_nothing_else() -> None:
    one = LeftOut("label", "x", "reasons")
    notes = [error(ExitStatus.FILES, f"tag {n} is no label: reasons", one) for n in range(5)]
    others = [warning("else"), info("it gives way", one), debug("no such tag", one)]
    lines = list(summary.lines(Facts(), plan({}, {}, [*others, *notes]), TOOK))
    assert lines[1:-1] == [
        *(f"left out: tag {n} is no label: reasons" for n in range(3)),
        "left out: 2 more, named above",
    ]


@given(st.lists(st.text()), st.floats(0, 1e5), st.integers(0, 10**6))
def test_it_fits_80_columns_and_6_lines(texts: list[str], seconds: float, requests: int) -> None:
    findings = Facts(imds_requests=requests, api_calls=requests)
    made = plan({"A": ""}, {"a": ""}, [warning(text, LeftOut("label", "x", "y")) for text in texts])
    lines = list(summary.lines(findings, made, dict.fromkeys(TOOK, seconds)))
    assert max(len(PREFIX + line) for line in lines) <= 80
    assert len(lines) <= 7 if texts else len(lines) <= 3
