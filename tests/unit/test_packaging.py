"""What is built, installed and checked is what the repository says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import rancheros_ec2_metadata
from e2e import program
from rancheros_ec2_metadata.__main__ import console

ROOT = Path(__file__).parents[2]
PYPROJECT = tomli.loads((ROOT / "pyproject.toml").read_text())
RUNTIME_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"


def pins(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def python_files() -> list[Path]:
    folders = ("rancheros_ec2_metadata", "tests", "benchmarks", "docker", "pyz")
    files = (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))
    # What the benchmark has installed is not ours.
    return [file for file in files if ".work" not in file.parts]


@pytest.mark.parametrize("lock", [RUNTIME_LOCK, DEV_LOCK], ids=lambda lock: lock.name)
def test_a_lock_file_holds_pins_hashes_and_comments_and_no_address(lock: Path) -> None:
    grammar = re.compile(r"([\w.-]+==\S+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?|\s*#.*|)")
    lines = lock.read_text().splitlines()
    assert [line for line in lines if not grammar.fullmatch(line) or "://" in line] == []


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (RUNTIME_LOCK, PYPROJECT["project"]["dependencies"]),
        (DEV_LOCK, PYPROJECT["project"]["dependencies"]),
        (DEV_LOCK, PYPROJECT["dependency-groups"]["dev"]),
        (DEV_LOCK, PYPROJECT["build-system"]["requires"]),
    ],
    ids=["runtime", "runtime in dev", "dev", "build"],
)
def test_the_locks_satisfy_what_pyproject_asks_for(lock: Path, wanted: list[str]) -> None:
    locked = pins(lock)
    requirements = [Requirement(line) for line in wanted]
    assert requirements
    unmet = [
        str(requirement)
        for requirement in requirements
        if locked.get(canonicalize_name(requirement.name), "") not in requirement.specifier
    ]
    assert unmet == [], "make lock"


@pytest.mark.parametrize("lock", [RUNTIME_LOCK, DEV_LOCK], ids=lambda lock: lock.name)
def test_a_lock_file_is_resolved_for_the_oldest_python(lock: Path) -> None:
    oldest = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    assert PYPROJECT["tool"]["mypy"]["python_version"] == oldest
    assert f"by pip-compile with Python {oldest}\n" in lock.read_text(), "make lock with it"


def test_what_is_tested_is_what_is_shipped() -> None:
    assert pins(RUNTIME_LOCK).items() <= pins(DEV_LOCK).items(), "make lock"


def test_the_newest_release_of_the_changelog_is_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## \[?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert releases[0] == rancheros_ec2_metadata.__version__


def test_the_console_scripts_are_the_program_under_both_its_names() -> None:
    scripts = distribution("rancheros-ec2-metadata").entry_points.select(group="console_scripts")
    assert {script.name for script in scripts} == set(rancheros_ec2_metadata.PROGRAMS)
    assert {script.load() for script in scripts} == {console}


def calls(*target: str) -> list[list[str]]:
    """Return the commands that a make target would run, as words."""
    make = ["make", "--dry-run", "--no-print-directory", *target]
    done = subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True)
    return [shlex.split(line) for line in done.stdout.replace("\\\n", " ").splitlines()]


def test_the_archive_has_the_name_that_it_is_given() -> None:
    name = f"example/rancheros-ec2-metadata:{rancheros_ec2_metadata.__version__}"
    build, _, save, gzip = calls("preload", "IMAGE=example/rancheros-ec2-metadata", "DIST=there")
    assert build[build.index("--tag") + 1] == name
    archive = f"there/rancheros-ec2-metadata-{rancheros_ec2_metadata.__version__}.tar"
    assert save == ["docker", "save", "--output", archive, name]
    assert (gzip[0], gzip[-1]) == ("gzip", archive)


def test_a_release_is_of_both_architectures_in_the_only_form_that_system_docker_pulls() -> None:
    (build,) = calls("release-image", "IMAGE=registry.example.com/x")
    assert build[:3] == ["docker", "buildx", "build"]
    assert build[build.index("--platform") + 1] == "linux/amd64,linux/arm64"
    # Either would be an index of OCI's own media types.
    assert {"--provenance=false", "--sbom=false"} <= set(build)
    output = dict(part.split("=") for part in build[build.index("--output") + 1].split(","))
    assert output == {
        "type": "image",
        "name": f"registry.example.com/x:{rancheros_ec2_metadata.__version__}",
        "push": "true",
        "oci-mediatypes": "false",
        "compression": "gzip",
        "force-compression": "true",
    }


def test_every_rule_that_is_ignored_says_why() -> None:
    lint = (ROOT / "pyproject.toml").read_text().partition("[tool.ruff.lint]")[2]
    codes = [line for line in lint.splitlines() if re.match(r'\s+"[A-Z]+[0-9]*",', line)]
    assert codes
    assert [line for line in codes if "# " not in line] == []


def test_every_exception_in_the_code_names_its_rule_and_says_why() -> None:
    marker = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:)")
    explained = re.compile(r"# (noqa: [A-Z0-9, ]+|type: ignore\[[\w, -]+\])( #| -| —|  #) ?\S")
    bare = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in python_files()
        if file != Path(__file__)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if marker.search(line) and not explained.search(line)
    ]
    assert bare == []


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", tmp_path], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    package = {name for name in names if ".dist-info/" not in name}
    source = ROOT / "rancheros_ec2_metadata"
    files = (path for path in source.rglob("*") if path.is_file())
    assert package == {
        str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts
    }
    assert any(name.endswith("/licenses/LICENSE") for name in names)


@pytest.mark.parametrize(
    ("required", "outcome"), [("0", "1 skipped"), ("1", "1 error")], ids=["as it is", "required"]
)
def test_missing_real_parts_skip_or_fail_with_the_reason(
    tmp_path: Path, required: str, outcome: str
) -> None:
    (tmp_path / "pretend.py").write_text(
        "from real_parts import requirements\n"
        "requirements.missing = lambda: 'pretended to be missing'\n"
    )
    (tmp_path / "test_marked.py").write_text(
        "import pytest\n@pytest.mark.real_parts\ndef test_it(namespace): pass\n"
    )
    pytest_here = [sys.executable, "-m", "pytest", f"--rootdir={ROOT}", f"--confcutdir={ROOT}"]
    plugins = [f"-c{ROOT}/pyproject.toml", "-p", "conftest", "-p", "pretend"]
    done = program.ended(
        [*pytest_here, *plugins, str(tmp_path / "test_marked.py")],
        env=program.environment(REQUIRE_REAL_PARTS=required, PYTHONPATH=f"{ROOT}/tests:{tmp_path}"),
        cwd=tmp_path,
    )
    assert outcome in done.stdout.splitlines()[-1], done.stdout + done.stderr
    assert "pretended to be missing" in done.stdout
    assert done.returncode == int(required)
