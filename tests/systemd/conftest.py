"""The tree, and machines to boot from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from real_parts import requirements
from systemd import debian_tree, installed
from systemd.booted import Booted


@pytest.fixture(scope="session")
def tree() -> Path:
    """The tree's folder. These tests are asked for by name: what is missing is no skip."""
    reason = requirements.missing(requirements.SYSTEMD_PROGRAMS)
    if reason is None and not installed.PYZ.exists():
        reason = f"{installed.PYZ} is missing (make pyz)"
    if reason is not None:
        pytest.exit(f"no machine can be booted here: {reason}", returncode=1)
    return debian_tree.make()


@pytest.fixture
def machine(tree: Path) -> Iterator[Booted]:
    """A machine that is not booted yet."""
    with installed.made(tree) as made:
        yield made


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> installed.Said:
    """Tell how long something took: docs/plain-hosts.md has these times."""

    def said(what: str, seconds: float) -> None:
        with capsys.disabled():
            print(f"\n{what}: {seconds:.1f} s")  # noqa: T201 - as said above

    return said
