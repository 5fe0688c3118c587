r"""/run/metadata/ec2, for ``EnvironmentFile=`` of a unit.

systemd reads a value in double quotes as it is, but for a backslash before one of ``" \ ` $``,
which it takes away (systemd.exec(5), EnvironmentFile=; src/basic/env-file.c). It leaves out a value
that has another control character than tab and newline (src/basic/env-util.c), and starts no unit
with a file that has a noncharacter of Unicode, or is not UTF-8 (src/basic/utf8.c).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

FOLDER = "/run/metadata"
PATH = f"{FOLDER}/ec2"
FIRST_LINE = b"# Written by ec2-docker-labels, for EnvironmentFile= of systemd units.\n"

_SPECIAL = re.compile(r'(["\\`$])')
_REFUSED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(map(chr, (p << 16 | x for p in range(17) for x in (0xFFFE, 0xFFFF))))
    + "]"
)
# Linux starts no program with a longer one: MAX_ARG_STRLEN is 128 KiB, the name included.
_LONGEST = 100_000


def explain_uncarriable(value: str) -> str | None:
    """Return why systemd would not read a value, or start nothing with it; None if it would."""
    if found := _REFUSED.search(value):
        return f"it holds {found[0].encode('unicode_escape').decode()}, which systemd does not read"
    return f"it is longer than {_LONGEST} bytes" if len(value.encode()) > _LONGEST else None


def render_unit_env_file(variables: Mapping[str, str]) -> bytes:
    """Return the file with ``variables``."""
    quoted = {name: _SPECIAL.sub(r"\\\1", value) for name, value in variables.items()}
    return FIRST_LINE + "".join(f'{k}="{v}"\n' for k, v in sorted(quoted.items())).encode()
