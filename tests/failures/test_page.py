"""What docs/failures.md says is what is tested here."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "failures.md").read_text(encoding="utf-8")


def test_each_test_of_a_failure_is_a_row_of_the_page() -> None:
    files = (file for file in HERE.glob("test_*.py") if file != Path(__file__))
    found = (re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE) for file in files)
    tests = sorted(name for names in found for name in names)
    assert len(tests) > 50
    assert [name for name in tests if f"`{name}` |\n" not in PAGE] == []
