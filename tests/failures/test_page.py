"""What docs/evidence/failures.md says is what is tested here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/evidence/failures.md").read_text(encoding="utf-8")


def names_in(files: Iterable[Path]) -> set[str]:
    found = (re.findall(r"^def (test_\w+)", one.read_text(), re.MULTILINE) for one in files)
    return {name for names in found for name in names}


def test_each_failure_that_is_tested_is_on_the_page_and_each_on_the_page_is_tested() -> None:
    here = {file for file in Path(__file__).parent.glob("test_*.py") if file != Path(__file__)}
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(here) > 10
    assert names_in(here) - named == set()
    assert named - names_in(TESTS.rglob("test_*.py")) == set()
