import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_failure_on_the_page_is_a_test_that_is_there() -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "failures.md").read_text("utf-8"))
    tests = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 30
    assert [name for name in named if f"def {name}(" not in tests] == []
