"""The program as one file: complete, for every Python, and unpacked where nobody else can write."""

from __future__ import annotations

import json
import os
import stat
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import program
from e2e.program import Ran
from rancheros_ec2_metadata import __version__
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from real_parts.ec2_instance import Ec2Instance
from real_parts.moto_ec2 import REGION, MotoEc2
from real_parts.namespace import Namespace

ROOT = Path(__file__).parents[2]
NAME = f"ec2-docker-labels-{__version__}.pyz"
TAGS = {"docker.role": "web", "docker.motto": "café $(id)"}
OLD = """
import runpy, sys
sys.version_info, sys.version = (3, 9, 18, "final", 0), "3.9.18 (main)"
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def build(folder: Path, umask: int = 0o022) -> Path:
    """Run ``make pyz`` with the tools of these tests, and return the file."""
    tools = folder / "tools"
    (tools / "bin").mkdir(parents=True)
    for name, words in {"python": "", "shiv": " -m shiv.cli"}.items():
        tool = tools / "bin" / name
        tool.write_text(f'#!/bin/sh\nexec {sys.executable} -W ignore{words} "$@"\n')
        tool.chmod(0o755)
    (tools / "made").touch()
    # Of the make that may run this test nothing is passed on.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    make = ["make", "pyz", f"DEV={tools}", f"DIST={folder}"]
    done = program.ended(make, cwd=ROOT, env=env, umask=umask)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / NAME


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("pyz"))


@pytest.fixture(scope="module")
def pythons() -> list[str]:
    """The Python of these tests, and the oldest that the program runs on where it is there."""
    of_pyenv = Path(os.environ.get("PYENV_ROOT", "/nowhere")).glob("versions/3.10.*/bin/python3.10")
    oldest = [Path("/usr/bin/python3.10"), *of_pyenv]
    return [sys.executable, *[str(path) for path in oldest if path.exists()][:1]]


def show(python: str, pyz: Path) -> list[str]:
    """Return a command without what is installed there: the file has to bring everything."""
    return [python, "-I", "-S", str(pyz), "show", "--format", "json"]


def shown_tags(ran: Ran) -> dict[str, str]:
    assert ran.status == 0, ran.err
    return {key: tag["value"] for key, tag in json.loads(ran.out)["tags"].items()}


@pytest.fixture
def imds() -> Iterator[FakeImds]:
    with FakeImds(FakeInstance(tags=TAGS)) as running:
        yield running


def run(home: Path, *argv: str | Path, **variables: str) -> Ran:
    """Run a command in an environment that has little more than a home."""
    done = program.ended(
        list(map(str, argv)),
        env={"HOME": str(home), "PATH": os.environ["PATH"], **variables},
        umask=0o022,
    )
    return Ran.of(done)


def test_it_is_the_same_whoever_builds_it_and_holds_nothing_of_one_architecture(
    pyz: Path, tmp_path: Path
) -> None:
    assert build(tmp_path / "again", 0o002).read_bytes() == pyz.read_bytes()
    with zipfile.ZipFile(pyz) as file:
        names = file.namelist()
        texts = b"".join(map(file.read, names))
    assert "site-packages/rancheros_ec2_metadata/check/types.yml" in names
    assert [name for name in names if name.endswith((".so", ".pyc"))] == []
    assert b"x86_64-linux" not in texts
    assert [text for text in (bytes(ROOT), bytes(pyz.parent)) if text in texts] == []


def test_it_runs_alone_and_shows_the_instance(
    pyz: Path, pythons: list[str], imds: FakeImds, tmp_path: Path
) -> None:
    for python in pythons:
        version = run(tmp_path, python, pyz, "--version")
        assert version == Ran(0, f"ec2-docker-labels {__version__}\n", "")
        endpoint = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
        assert shown_tags(run(tmp_path, *show(python, pyz), **endpoint)) == TAGS


def test_it_is_unpacked_once_where_nobody_else_can_write(pyz: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert run(tmp_path, pyz, "--version").status == 0
    (unpacked,) = (path for path in (tmp_path / ".shiv").iterdir() if path.is_dir())
    assert unpacked.name.startswith(NAME)
    modes = {path: path.stat().st_mode for path in (tmp_path / ".shiv").rglob("*")}
    assert [path for path, mode in modes.items() if mode & (stat.S_IWGRP | stat.S_IWOTH)] == []
    elsewhere = tmp_path / "elsewhere"
    assert run(tmp_path / "none", pyz, "--version", SHIV_ROOT=str(elsewhere)).status == 0
    assert [path.name for path in elsewhere.iterdir() if path.is_dir()] == [unpacked.name]


def test_an_older_python_is_told_which_is_needed(pyz: Path, tmp_path: Path) -> None:
    ran = run(tmp_path, sys.executable, "-c", OLD, pyz, "show")
    assert (ran.status, ran.out) == (1, "")
    (line,) = ran.err.splitlines()
    assert line.startswith(f"{pyz} needs Python 3.10 or newer, and this is 3.9.18")
    assert line.endswith(f"run python3.11 {pyz}")


@pytest.mark.real_parts
def test_it_asks_the_api_with_the_data_that_it_brings(
    pyz: Path, pythons: list[str], namespace: Namespace, moto_ec2: MotoEc2, tmp_path: Path
) -> None:
    described = FakeInstance(moto_ec2.launch(TAGS), REGION, role="node", tags_in_metadata=False)
    variables = {"HOME": str(tmp_path), "AWS_ENDPOINT_URL_EC2": moto_ec2.endpoint}
    with Ec2Instance.started(namespace, described, tmp_path) as instance:
        for python in pythons:
            env = program.environment(**variables)
            done = namespace.run(show(python, pyz), env=env, cwd=instance.folder)
            assert shown_tags(Ran.of(done)) == TAGS
