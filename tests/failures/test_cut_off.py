"""A run that is cut off between two files: the next one ends where an uninterrupted one would."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from failures.scenarios import SCENARIOS, Recorded, Scenario, contents_of
from rancheros_ec2_metadata.rancheros.change import FileChange


class CutOffError(BaseException):
    """The end of the process, as far as the run can tell."""


class CutOff(Recorded):
    """Ends the run before its ``left``-th file is written."""

    left = 0

    def write(self, change: FileChange) -> None:
        if not self.left:
            raise CutOffError
        self.left -= 1
        super().write(change)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=str)
def test_a_run_cut_off_between_two_files_is_completed_by_the_next(
    scenario: Scenario, tmp_path: Path
) -> None:
    scenario.prepare(tmp_path / "template")
    whole = shutil.copytree(tmp_path / "template", tmp_path / "whole")
    scenario.run(whole)
    scenario.run_next(whole)
    expected = contents_of(whole)
    for files in range(20):
        disk = shutil.copytree(tmp_path / "template", tmp_path / f"after-{files}")
        store = CutOff(disk)
        store.left = files
        try:
            scenario.run(disk, store)
        except CutOffError:
            scenario.run_next(disk)
            assert contents_of(disk) == expected, files
        else:
            assert files > 1
            return
    raise AssertionError("a run writes more than 20 times")
