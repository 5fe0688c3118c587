from __future__ import annotations

import pytest

from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.ec2.instance import Identity
from rancheros_ec2_metadata.hosts.rancheros.drop_in import explain_uncarriable
from rancheros_ec2_metadata.hosts.state import State
from rancheros_ec2_metadata.plan.desired import Desired
from rancheros_ec2_metadata.plan.last_known_good import (
    is_same_machine,
    make_desired_after_requests,
    make_desired_before_requests,
)
from rancheros_ec2_metadata.settings import Settings, TagMapping, Template

ME = Machine("yes", "i-me", "uuid-me")
OTHER = Machine("yes", "i-other", "uuid-other")
XEN_ME = Machine("yes", None, "uuid-me")
NOBODY = Machine("unclear")
SETTINGS = Settings(
    mappings=(TagMapping("example.host", "HOST"),),
    templates=(Template.parse("ADVERTISE={AWS_LOCAL_IPV4}:2375"),),
)
STATE = State(
    instance_id="i-me",
    product_uuid="uuid-me",
    pending_time="yesterday",
    tags={"docker.role": "web", "example.host": "db", "aws:autoscaling:groupName": "asg"},
    metadata={"AWS_LOCAL_IPV4": "10.0.0.1", "AWS_PUBLIC_IPV4": "1.2.3.4"},
    labels={"docker.role": "web"},
    variables={"HOST": "db", "EC2_METADATA_STATUS": "complete"},
    status="complete",
)


def facts(
    instance_id: str | None = None,
    pending_time: str | None = None,
    metadata: dict[str, str] | None = None,
    *,
    metadata_complete: bool = False,
    tags: dict[str, str] | None = None,
    unread_tags: tuple[str, ...] = (),
) -> Facts:
    return Facts(
        identity=Identity(instance_id, pending_time=pending_time) if instance_id else None,
        variables=metadata or {},
        variables_complete=metadata_complete,
        tags=tags,
        unread_tags=dict.fromkeys(unread_tags, "late"),
    )


WHOLE = facts(
    instance_id="i-me",
    pending_time="yesterday",
    metadata={"AWS_LOCAL_IPV4": "10.0.0.2"},
    metadata_complete=True,
    tags={"docker.role": "db"},
)


def before(machine: Machine, state: State = STATE) -> tuple[Desired, State]:
    return make_desired_before_requests(SETTINGS, state, machine, explain_uncarriable)


def after(said: Facts, machine: Machine = ME, state: State = STATE) -> tuple[Desired, State]:
    return make_desired_after_requests(SETTINGS, state, machine, said, explain_uncarriable)


@pytest.mark.parametrize(
    ("machine", "same"),
    [(ME, True), (OTHER, False), (XEN_ME, True), (NOBODY, None), (Machine("yes", "i-me"), True)],
)
def test_which_machine_a_state_is_of(machine: Machine, same: bool | None) -> None:
    assert is_same_machine(STATE, machine) is same


def test_before_requests_this_instances_values_are_computed_again_and_keep_their_outcome() -> None:
    wanted, state = before(ME)
    assert wanted.labels == {"docker.role": "web"}
    assert wanted.variables["ADVERTISE"] == "10.0.0.1:2375"
    assert wanted.variables["EC2_METADATA_STATUS"] == "complete"
    assert state == STATE


def test_before_requests_what_nothing_tells_the_machine_of_stays_as_it_is() -> None:
    wanted, state = before(NOBODY)
    assert (wanted.labels, wanted.variables) == (STATE.labels, STATE.variables)
    assert state == STATE


def test_a_whole_answer_replaces_all_that_was_kept() -> None:
    wanted, state = after(WHOLE)
    assert wanted.labels == {"docker.role": "db"}
    assert wanted.variables["EC2_METADATA_STATUS"] == "complete"
    assert not {"HOST", "AWS_PUBLIC_IPV4", "AWS_AUTOSCALING_GROUP"} & wanted.variables.keys()
    assert state.tags == {"docker.role": "db"}


@pytest.mark.parametrize("machine", [ME, XEN_ME, NOBODY])
def test_tags_that_could_not_be_had_are_kept_with_templates_of_todays_metadata(
    machine: Machine,
) -> None:
    said = facts("i-me", "today", {"AWS_LOCAL_IPV4": "10.0.0.9"}, metadata_complete=True)
    wanted, _ = after(said, machine)
    assert wanted.labels == {"docker.role": "web"}
    assert wanted.variables == {
        "ADVERTISE": "10.0.0.9:2375",
        "AWS_AUTOSCALING_GROUP": "asg",
        "AWS_LOCAL_IPV4": "10.0.0.9",
        "EC2_METADATA_STATUS": "kept",
        "HOST": "db",
    }


def test_tags_of_another_instance_are_never_kept() -> None:
    wanted, state = after(facts("i-new", "today", {"AWS_X": "x"}, metadata_complete=True))
    assert wanted.labels == {}
    assert wanted.variables["EC2_METADATA_STATUS"] == "partial"
    assert state.instance_id == "i-new"


@pytest.mark.parametrize(
    ("former", "pending_time", "kept"),
    [
        ("yesterday", "yesterday", True),
        ("yesterday", "today", False),
        ("yesterday", None, False),
        (None, None, False),
    ],
)
def test_metadata_is_kept_of_the_same_start_only(
    former: str | None, pending_time: str | None, kept: bool
) -> None:
    said = facts("i-me", pending_time, {}, tags={})
    wanted, _ = after(said, state=STATE._replace(pending_time=former))
    assert ("AWS_PUBLIC_IPV4" in wanted.variables) is kept
    assert wanted.variables["EC2_METADATA_STATUS"] == ("kept" if kept else "none")


def test_one_unread_tag_keeps_its_old_value_and_the_others_are_todays() -> None:
    wanted, _ = after(
        facts(
            "i-me", "yesterday", {}, metadata_complete=True, tags={}, unread_tags=("example.host",)
        )
    )
    assert wanted.labels == {}
    assert wanted.variables["HOST"] == "db"


def test_a_run_that_never_learns_its_machine_keeps_nothing() -> None:
    wanted, state = after(facts(), NOBODY)
    assert (wanted.labels, wanted.variables) == ({}, {"EC2_METADATA_STATUS": "none"})
    assert state == State(status="none")


def test_a_silent_ec2_keeps_this_instances_tags_by_its_firmware() -> None:
    wanted, state = after(facts(), XEN_ME)
    assert wanted.labels == {"docker.role": "web"}
    assert "ADVERTISE" not in wanted.variables
    assert state.instance_id == "i-me"


@pytest.mark.parametrize("machine", [ME, NOBODY])
@pytest.mark.parametrize("text", ["café", "a\x7f", "\0", "\ud800"])
def test_before_requests_a_damaged_state_gives_nothing_that_no_file_can_hold(
    machine: Machine, text: str
) -> None:
    damaged = {"HOST": text, text: "db", "A": "b"}
    wanted, _ = before(machine, STATE._replace(variables=damaged, status=text))
    assert text not in {*wanted.variables, *wanted.variables.values()}
    assert wanted.variables.get("A") == ("b" if machine is NOBODY else None)
