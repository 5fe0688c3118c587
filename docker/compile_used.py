"""Compile, once and for all, the program and what of the standard library it imports.

Run while the image is built: ``python3 -I -S -B -X pycache_prefix=FOLDER compile_used.py APP``.
Compiled modules replace the sources in ``APP``; those of the standard library go into ``FOLDER``,
and are taken unchecked: nothing in an image changes, and a boot need not look.
"""

from __future__ import annotations

import compileall
import contextlib
import importlib
import pkgutil
import py_compile
import sys
from pathlib import Path

UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH
# A port that nothing listens on: a refused connection too imports what libraries import late.
NOWHERE = "http://127.0.0.1:9"


def import_all() -> None:
    """Import what a run at boot can import."""
    program = importlib.import_module("rancheros_ec2_metadata")
    for module in pkgutil.walk_packages(program.__path__, "rancheros_ec2_metadata."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    importlib.import_module("encodings.utf_8_sig")  # requests, for JSON that has a BOM
    boto3 = importlib.import_module("boto3")
    botocore = importlib.import_module("botocore.exceptions")
    requests = importlib.import_module("requests")
    client = boto3.Session("id", "secret", region_name="us-east-1").client(
        "ec2", endpoint_url=NOWHERE
    )
    with contextlib.suppress(botocore.BotoCoreError):
        client.describe_tags()
    with contextlib.suppress(requests.RequestException):
        requests.get(NOWHERE, timeout=1)


def compile_standard_library(app: Path) -> None:
    """Compile all that this interpreter has imported from elsewhere than ``app``."""
    for module in list(sys.modules.values()):
        # Frozen and built-in modules have no source as their origin: no file is ever looked at.
        origin = Path(getattr(getattr(module, "__spec__", None), "origin", None) or "unknown")
        if origin.suffix == ".py" and not origin.is_relative_to(app):
            py_compile.compile(str(origin), doraise=True, invalidation_mode=UNCHECKED)


def replace_sources(app: Path) -> None:
    """Compile all modules in ``app``, each in the place of its source."""
    if not compileall.compile_dir(app, quiet=1, legacy=True, invalidation_mode=UNCHECKED):
        sys.exit("not everything could be compiled")
    for source in app.rglob("*.py"):
        source.unlink()


def main(app: Path) -> None:
    """Do all of the above."""
    sys.path.insert(0, str(app))
    import_all()
    compile_standard_library(app)
    replace_sources(app)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
