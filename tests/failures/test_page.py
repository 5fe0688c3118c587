"""What docs/failures.md says is what is tested here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "failures.md").read_text(encoding="utf-8")
FILES = [file for file in HERE.glob("test_*.py") if file != Path(__file__)]
# | failure | injected | seen | status | `test` |
ROWS = re.findall(r"^\|(?:[^|]*\|){3} (\d+|-) \| `(test_\w+)` \|$", PAGE, re.MULTILINE)


def test_each_test_of_a_failure_is_a_row_of_the_page() -> None:
    found = (re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE) for file in FILES)
    tests = sorted(name for names in found for name in names)
    assert len(tests) > 50
    assert [name for name in tests if f"`{name}` |\n" not in PAGE] == []


def test_each_status_on_the_page_is_one_that_its_test_asserts() -> None:
    asserted = {name: statuses for file in FILES for name, statuses in _asserted(file)}
    assert len(ROWS) > 50
    wrong = {
        (name, status, *sorted(asserted[name]))
        for status, name in ROWS
        if name in asserted and (int(status) not in asserted[name] if status != "-" else False)
    }
    assert wrong == set()


def _asserted(file: Path) -> Iterator[tuple[str, set[int]]]:
    """Yield each test of a file and the statuses that it, or what it calls there, asserts."""
    functions = {
        node.name: node
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    for name in filter(lambda name: name.startswith("test_"), functions):
        yield name, _statuses(functions, name, set())


def _statuses(functions: Mapping[str, ast.FunctionDef], name: str, seen: set[str]) -> set[int]:
    seen.add(name)
    found: set[int] = set()
    for node in ast.walk(functions[name]):
        if isinstance(node, ast.Compare) and re.search("status|returncode", ast.unparse(node.left)):
            right = (getattr(one, "value", None) for one in ast.walk(node.comparators[0]))
            found |= {value for value in right if isinstance(value, int)}
        if isinstance(node, ast.Name) and node.id in functions.keys() - seen:
            found |= _statuses(functions, node.id, seen)
    return found
