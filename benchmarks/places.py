"""Where the measured programs are installed: as pip does it, and as the image has them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(__file__).resolve().parent / ".work"
PACKAGE = "rancheros_ec2_metadata"
LOCK = ROOT / "requirements.lock"
OTHERS = ("ec2-metadata", "awscli")


@dataclass(frozen=True)
class Place:
    """An installation of the program and its dependencies.

    Args:
        name: "pip" or "image".
        interpreter: the arguments that start Python there.
        program: the arguments that start the program, after those.
        prologue: Python that makes the dependencies importable there.
    """

    name: str
    interpreter: Sequence[str]
    program: Sequence[str]
    prologue: str = ""

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs the program."""
        return [*self.interpreter, *self.program, *arguments]

    def code(self, code: str) -> list[str]:
        """Return the command that runs some Python."""
        return [*self.interpreter, "-c", self.prologue + code]


def base_interpreter() -> Path:
    """Return the Python that this process's virtual environment was made from."""
    return Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"


def pip_place(python: Path) -> Place:
    """Install into a virtual environment, as a user would."""
    folder = WORK / f"pip-{python.name}"
    interpreter = folder / "bin" / "python"
    if _is_stale(folder):
        _run(python, "-m", "venv", "--clear", folder)
        _pip(interpreter, "--require-hashes", "--requirement", LOCK)
        _mark(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    _copy_program(packages)
    # pip compiles what it installs, whatever PYTHONDONTWRITEBYTECODE says.
    _run(interpreter, "-m", "compileall", "-q", packages / PACKAGE)
    return Place("pip", [str(interpreter), "-I"], ["-m", PACKAGE])


def image_place(python: Path) -> Place:
    """Install with the steps of the Dockerfile."""
    app = WORK / f"image-{python.name}"
    scripts = ROOT / "docker"
    dependencies = WORK / f"image-dependencies-{python.name}"
    if _is_stale(dependencies):
        shutil.rmtree(dependencies, ignore_errors=True)
        where: list[str | Path] = [
            "--no-compile",
            "--only-binary",
            ":all:",
            "--target",
            dependencies,
        ]
        _pip(python, *where, "--require-hashes", "--requirement", LOCK)
        for waste in ("bin", *(path.name for path in dependencies.glob("*/tests"))):
            shutil.rmtree(dependencies / waste, ignore_errors=True)
        _run(python, scripts / "prune_botocore.py", dependencies)
        _run(python, scripts / "strip_debug.py", dependencies)
        _mark(dependencies)
    shutil.rmtree(app, ignore_errors=True)
    shutil.copytree(dependencies, app)
    shutil.copy(scripts / "__main__.py", app)
    _copy_program(app)
    isolated = ["-I", "-S", "-X", f"pycache_prefix={app / 'pycache'}"]
    _run(python, *isolated, "-B", scripts / "compile_used.py", app)
    prologue = f"import sys; sys.path.insert(0, {str(app)!r}); "
    return Place("image", [str(python), *isolated], [str(app)], prologue)


def others(python: Path) -> Path:
    """Install what the program is compared with; return the folder of its commands."""
    folder = WORK / f"others-{python.name}"
    if _is_stale(folder):
        _run(python, "-m", "venv", "--clear", folder)
        _pip(folder / "bin" / "python", *OTHERS)
        _mark(folder)
    return folder / "bin"


def _copy_program(folder: Path) -> None:
    target = folder / PACKAGE
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"))


def _is_stale(folder: Path) -> bool:
    """Tell whether a folder is not there, or was made from other dependencies."""
    mark = folder / "made-from"
    return not mark.exists() or mark.read_bytes() != LOCK.read_bytes()


def _mark(folder: Path) -> None:
    shutil.copy(LOCK, folder / "made-from")


def _pip(python: Path, *arguments: str | Path) -> None:
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def _run(program: Path, *arguments: str | Path) -> None:
    """Run a step of an installation; what it writes goes to standard error."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([program, *arguments], check=True, env=kept, stdout=sys.stderr)
