"""Programs of arm64 on this machine, by QEMU and the kernel's binfmt_misc."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
# Of Debian's qemu-user-static. With the flag F: the kernel keeps the emulator open, so it is there
# in a container too, whose root does not have it.
_RULE = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
_MACHINE = "b700"  # EM_AARCH64, where the magic of a rule for it ends


@contextlib.contextmanager
def arm64_runs() -> Iterator[None]:
    """Let programs of arm64 run; on leaving, take back what this has registered."""
    if not (_BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", _BINFMT], check=True)
    if any(map(_is_for_arm64, _BINFMT.iterdir())):
        yield
        return
    rule = _RULE.read_text().strip()
    _, name, *_, flags = rule.split(":")
    (_BINFMT / "register").write_text(rule if "F" in flags else f"{rule}F")
    try:
        yield
    finally:
        (_BINFMT / name).write_text("-1")


def _is_for_arm64(entry: Path) -> bool:
    if entry.name in ("register", "status"):
        return False
    told = dict(line.partition(" ")[::2] for line in entry.read_text().splitlines())
    return told.get("magic", "").endswith(_MACHINE) and "F" in told.get("flags:", "")
