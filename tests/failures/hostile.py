"""Text that somebody who may tag an instance could put into a tag."""

from __future__ import annotations

from pathlib import Path

# A file of this name in a folder shows that a command ran there.
SENTINEL = "pwned"

VALUES = (
    "$(touch pwned)",
    "`touch pwned`",
    "a; touch pwned",
    "a && touch pwned",
    "a & touch pwned",
    "| touch pwned",
    "> pwned",
    "a\ntouch pwned\n",
    "a\rtouch pwned",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "'\"'; touch pwned; \"'\"",
    "\\'; touch pwned #",
    "\\",
    "a\\",
    "$'\\x24(touch pwned)'",
    "${x:=$(touch pwned)}",
    "$((a[$(touch pwned)]))",
    "<(touch pwned)",
    "a #",
    "* ~ ? [a-z] {a,b} !!",
    "~root",
    "--insecure-registry=evil --label=docker.role=evil",
    "x --host=tcp://0.0.0.0",
    "-g/pwned",
    "--bip=10.0.0.1/8",
    "/tmp/pwned",
    "docker.role=evil",
    "a: b",
    "- a",
    "*alias",
    "&anchor a",
    "!!python/object/apply:os.system ['touch pwned']",
    '"}, "rancher": {"docker": {"extra_args": ["--evil"]}}, "x": {"y": "',
    "a\nrancher: {environment: {PATH: /tmp}}",
    "# comment",
    "$private_ipv4 ${private_ipv4} \\$private_ipv4",
    "{AWS_REGION} {tag:docker.role} {{x}} {",
    "%s %n %(x)s {0}",
    "\x1b]0;title\x07\x1b[2J\x1b[31m",
    "a\x00b",
    "a\x7f\x80\x9b2Jb",
    "one\u2028two\u2029three\u0085four",
    "\u202egnp.exe\u202c \u200b\ufeff",
    "é € ü 語 🐄 \U0010fff0 \ufffd",
    "\ud800",
    "~",
    "null",
    "=",
    "",
    " ",
    "  a  b  ",
    "\t",
    "0123",
    "1e3",
    "yes",
    "x" * 256,
    "語" * 256,
    "'" * 256,
)
KEYS = (*filter(None, VALUES), "a=b", "=", "com.docker.a", "IO.DOCKER.b", "org.dockerproject.c")


def ran(folder: Path) -> list[Path]:
    """Return what a command that should not have run has left."""
    return sorted(folder.rglob(f"*{SENTINEL}*"))
