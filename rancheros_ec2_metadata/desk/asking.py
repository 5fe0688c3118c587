"""EC2 as a plan or a show at a desk asks it: one instance, by the API."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from rancheros_ec2_metadata.ec2.abandon import abandonable
from rancheros_ec2_metadata.ec2.findings import Findings, Question
from rancheros_ec2_metadata.ec2.tags import all_known
from rancheros_ec2_metadata.ec2.waiting import Waits, ask_patiently
from rancheros_ec2_metadata.errors import Ec2Error, Note, info, shown, warning

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit
    from rancheros_ec2_metadata.hosts.state import State
    from rancheros_ec2_metadata.log import Log
    from rancheros_ec2_metadata.settings import Settings

    from .described import Described
    from .operator_api import OperatorApi

T = TypeVar("T")

_KEPT = "the machine's last run"


class LogIn(Protocol):
    """Whoever asks; see operator.Operator."""

    def log_in(self, instance_id: str) -> OperatorApi:
        """Return what asks, with credentials."""


@dataclass(frozen=True)
class DeskAsker:
    """Asks the EC2 API for one instance.

    Args:
        settings: the run's.
        instance_id: which instance.
        operator: who asks.
        last: what the last run left on the disk; what of this same start the API cannot tell is
            taken from it.
        log: the boot log.
        limit: of all asking.
    """

    settings: Settings
    instance_id: str
    operator: LogIn
    last: State
    log: Log
    limit: Limit

    def ask(self, *, kept: bool, so_far: Callable[[Findings], None]) -> Findings:  # noqa: ARG002 - it is a run's, which writes
        """Return what the API says.

        A plan without it would be of another machine: nothing is planned from a part.

        Args:
            kept: as in a run.
            so_far: not called.

        Raises:
            Ec2Error: the API does not say.
            UsageError: the question makes no sense.
        """
        question = Question.of(self.settings, kept=kept)
        api = self._logged_in()
        asked = api.asked
        self.log.note(info(f"the EC2 API of {asked.region} is asked, by {asked.who}"))
        described = self._patiently(api.instance)
        findings = Findings(on_ec2=True, identity=described.identity, variables_complete=True)
        if described.state is not None:
            text = (
                f"the instance is {shown(described.state)}: it may have other values when it boots"
            )
            findings.notes.append(warning(text))
        if question.metadata:
            self._take(described, findings)
        if question.asks_tags:
            tags = self._patiently(api.tags)
            findings.take(question, all_known(tags, question.used), "api")
        else:
            findings.tags, findings.tags_complete = {}, True
        findings.conclude(question)
        self.log.notes(findings.notes)
        return findings

    def _take(self, described: Described, findings: Findings) -> None:
        last = self.last
        same_start = last.instance_id == self.instance_id and last.pending_time is not None
        same_start = same_start and last.pending_time == described.identity.pending_time
        known = last.metadata if same_start else {}
        kept = {name: known[name] for name in described.untold if name in known}
        findings.variables = {**described.variables, **kept}
        findings.sources = {**described.sources, **dict.fromkeys(kept, _KEPT)}
        untold = [name for name in described.untold if name not in kept]
        findings.unread_variables = frozenset(untold)
        findings.notes.extend(_about_untold(described, untold))

    def _logged_in(self) -> OperatorApi:
        return _within(self.limit, lambda: self.operator.log_in(self.instance_id))

    def _patiently(self, question: Callable[[], T]) -> T:
        # At a desk nothing is late: what the API says is so.
        return ask_patiently(question, Waits(), self.limit, random.random)


def _within(limit: Limit, work: Callable[[], T]) -> T:
    try:
        return abandonable(work, limit.left())
    except TimeoutError:
        raise Ec2Error(
            "no credentials were to be had in time: check the login and the network, or give more "
            "by --deadline"
        ) from None


def _about_untold(described: Described, untold: list[str]) -> list[Note]:
    """Name what a plan from the API cannot know."""
    notes = []
    if untold:
        text = f"the EC2 API does not tell {', '.join(untold)}: the machine may have them too"
        notes.append(info(text))
    if described.profile is not None and "AWS_IAM_ROLE" in untold:
        text = f"of the role it tells only the instance profile: {shown(described.profile, 200)}"
        notes.append(info(text))
    return notes
