"""One run's question to EC2, bounded in time whatever happens on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rancheros_ec2_metadata.errors import ExitStatus, error

from .abandon import abandonable
from .findings import Findings, Question
from .gather import gather_api, gather_imds

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit
    from rancheros_ec2_metadata.log import Log
    from rancheros_ec2_metadata.settings import Settings

    from .detect import Machine
    from .imds import Imds

# Of the time between the end of reading and the deadline, what reading may overrun: its own waits
# end at its limit, so only what takes no time-out (a name server's silence) needs it.
_OVERRUN = 0.25


@dataclass(frozen=True)
class Asker:
    """Asks EC2 for one run.

    Args:
        settings: the run's.
        machine: what the firmware says.
        imds: the metadata service; its limit is that of all reading.
        log: the boot log.
        deadline: of the whole run.
    """

    settings: Settings
    machine: Machine
    imds: Imds
    log: Log
    deadline: Limit

    def ask(self, *, kept: bool, so_far: Callable[[Findings], None]) -> Findings:
        """Return what EC2 says until the limit of reading.

        Args:
            kept: something of this instance is kept from its last run, so less is waited for.
            so_far: called with what the metadata service said before the API is asked, where
                threads cannot start: then nothing can be left behind that does not end.
        """
        question = Question.of(self.settings, kept=kept)
        findings = Findings()
        self._bounded(
            question,
            findings,
            lambda: gather_imds(question, self.machine, self.imds, findings),
        )
        if findings.needs_api:
            if not _threads_start():
                so_far(findings)
            self._bounded(
                question,
                findings,
                lambda: gather_api(question, self.settings.api, self.imds, findings),
            )
        return findings

    def _bounded(self, question: Question, findings: Findings, work: Callable[[], None]) -> None:
        left = self.imds.limit.left()
        try:
            abandonable(work, left + (self.deadline.left() - left) * _OVERRUN)
        except TimeoutError:
            text = f"EC2 did not answer in time; the run was {findings.step}"
            findings.notes.append(error(ExitStatus.INCOMPLETE, text))
            # No time is left for the API; and a required tag that has not come is named.
            findings.needs_api = False
            findings.conclude(question)
        findings.imds_requests = self.imds.requests
        noted = list(findings.notes)
        del findings.notes[: len(noted)]
        self.log.notes(noted)


def _threads_start() -> bool:
    thread = threading.Thread(target=int, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True
