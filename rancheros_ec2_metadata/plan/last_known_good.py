"""What of the last run may be used: this instance's values only, metadata of this start only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.ec2.instance import make_group_variable
from rancheros_ec2_metadata.hosts.state import State
from rancheros_ec2_metadata.plan.desired import NOTHING, Carries, Desired, make_desired
from rancheros_ec2_metadata.plan.env_file import EnvFile
from rancheros_ec2_metadata.settings import STATUS_VARIABLE, Settings

if TYPE_CHECKING:
    from rancheros_ec2_metadata.ec2.facts import Facts

Outcome = Literal["complete", "partial", "kept", "none"]


def is_same_machine(state: State, machine: Machine) -> bool | None:
    """Tell whether ``state`` is of this machine; None if not known."""
    if machine.instance_id and state.instance_id:
        return machine.instance_id == state.instance_id
    if machine.product_uuid and state.product_uuid:
        return machine.product_uuid == state.product_uuid
    return None


def make_desired_before_requests(
    settings: Settings, state: State, machine: Machine, carries: Carries
) -> tuple[Desired, State]:
    """Return what the machine shall have until EC2 has answered, and the state to go with it.

    Another machine's values (an image baked on a configured instance) go at once. Where nothing
    tells which machine this is, they stay as they are for now.
    """
    # The file may be damaged: what the host cannot carry was not written by a run of this program.
    status = state.status if carries(state.status or "") is None else None
    known = make_desired(settings, state.metadata, state.tags, status, carries, tags_known=False)
    known = known._replace(notes=())  # notes are about what EC2 says now
    match is_same_machine(state, machine):
        case True:
            return known, state
        case False:
            fresh = State(product_uuid=machine.product_uuid, status="none")
            none = {STATUS_VARIABLE: "none"}
            return NOTHING._replace(variables=none, env_file=EnvFile.of(settings, none)), fresh
        case None:
            variables = {
                name: value
                for name, value in state.variables.items()
                if carries(name) is None and carries(value) is None
            }
            return known._replace(labels=dict(state.labels), variables=variables), state


def make_desired_after_requests(
    settings: Settings, state: State, machine: Machine, facts: Facts, carries: Carries
) -> tuple[Desired, State]:
    """Return what the machine shall have now, with the last known good if EC2 did not say."""
    said = facts.identity.instance_id if facts.identity else None
    now = machine._replace(instance_id=said or machine.instance_id)
    same = is_same_machine(state, now)
    if same is None and settings.imds.endpoint is not None:
        same = True  # an emulator has no firmware to check; the operator set this endpoint
    same_start = same and facts.pending_time is not None
    same_start = same_start and facts.pending_time == state.pending_time
    metadata, tags = dict(facts.variables), dict(facts.tags or {})
    tags_complete = facts.tags_complete and not facts.list_missing(settings.require_tags)
    if not facts.variables_complete and same_start:
        metadata = {**state.metadata, **metadata}
    if not tags_complete and same:
        for tag, text in state.tags.items():
            if settings.wants(tag) and (facts.tags is None or tag in facts.unread_tags):
                tags.setdefault(tag, text)
    kept_any = len(metadata) > len(facts.variables) or len(tags) > len(facts.tags or {})
    if settings.reads_metadata:
        metadata = make_group_variable(tags) | metadata
    status = _judge_outcome(facts, tags_complete=tags_complete, kept_any=kept_any)
    kept = State(
        instance_id=now.instance_id or (state.instance_id if same else None),
        product_uuid=machine.product_uuid,
        pending_time=facts.pending_time,
        tags={tag: text for tag, text in tags.items() if settings.wants(tag)},
        metadata=metadata,
        status=status,
    )
    wanted = make_desired(
        settings,
        metadata,
        tags,
        status,
        carries,
        tags_known=facts.tags is not None and not facts.unread_tags,
    )
    return wanted, kept


def _judge_outcome(facts: Facts, *, tags_complete: bool, kept_any: bool) -> Outcome:
    if facts.variables_complete and tags_complete:
        return "complete"
    if kept_any:
        return "kept"
    return "partial" if facts.variables or facts.tags else "none"
