"""Random tags, names and user files, the hostile and the ordinary."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random

from failures import hostile

# Private keys and passwords of the user's; no byte of them may be logged, or written elsewhere.
SECRET = "c2VjcmV0LWtleS1vZi10aGUtdXNlcg"
KEY_BLOCK = f"-----BEGIN EC PRIVATE KEY-----\\n{SECRET}\\n-----END EC PRIVATE KEY-----"

_RANGES = (
    (0x20, 0x7E),
    (0x00, 0x1F),
    (0x7F, 0x9F),
    (0xA0, 0x24F),
    (0x370, 0x5FF),
    (0x2000, 0x206F),
    (0x2028, 0x2029),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),
    (0xE000, 0xF8FF),
    (0xFE00, 0xFFFD),
    (0x1F300, 0x1FAFF),
    (0x10FFF0, 0x10FFFF),
)
PREFIXES = ("docker.", "docker.", "docker.", "app.", "app.", "", "aws:", "com.docker.", "Docker.")
ORDINARY = ("docker.role", "docker.zone", "app.db.host", "app.db_host", "app.DB.host", "proxy")

# The user's own arguments. Two of their labels say what tags often say.
ITEMS: tuple[tuple[str, ...], ...] = (
    ("--debug",),
    ("--log-opt", "max-size=25m"),
    ("--log-opt max-file=2",),
    ("-H", "unix:///var/run/docker.sock"),
    ("--label=docker.role=of-the-user",),
    ("--label=docker.role=web",),
    ("--label=docker.zone=web",),
    ("--label='docker.role=of-the-user'",),
    ("--label=user.motto='kept  as it is'",),
    ("--label", "docker.zone=of-the-user"),
    ("--label docker.zone=of-the-user --ipv6",),
    ("--label=user.a=$'caf\\xc3\\xa9'",),
    ("--label=user.host=$(echo x)",),
    ('--label="user.b=$private_ipv4"',),
    ("--dns=$private_ipv4",),
    ("--storage-opt=dm.basesize=10G",),
    ("# a comment",),
    ("--open='quote",),
    ("a; echo b",),
    ("--label={user.d=1,docker.role=of-the-user}",),
    ("--log-opt={labels=docker.role,max-file=2}",),
    ("--label=user.c=ü",),
    ("",),
    ("null",),
    ("0123",),
)

# Whole files that are nothing, or nothing that can be read, or read in a way of their own.
ODD = (
    "",
    "# nothing\n",
    "#cloud-config\n{}\n",
    "rancher: [\n",
    "- a\n- list\n",
    "\ttab: 1\n",
    "rancher:\n  docker:\n    extra_args: ~\n",
    "rancher:\n  environment: null\n",
    "rancher:\n  docker: &a\n    extra_args: &b [--debug]\n",
    "rancher: {docker: {extra_args: [--debug], extra_args: [--ipv6]}}\n",
    "rancher:\n  docker:\n    extra_args: a text\n",
    "hostname: [no, text]\n",
    "Rancher:\n  Docker:\n    Extra_Args: [--debug]\n    TLS: true\n",
    "rancher:\n  Docker: {extra_args: [--debug]}\n  docker: {Extra_Args: [--ipv6]}\n",
    "rancher: {environment: {A: café}}\n",
    "rancher: {environment: {A: €}}\n",
)
NULLS = (
    "rancher:\n  docker: null\n",
    "rancher: null\nhostname: x\n",
    "#cloud-config\nrancher:\nwrite_files:\n- path: /etc/example\n  content: x\n",
    "rancher:\n  docker:\n",
    "rancher:\n  environment:\n",
    "rancher: {network: , docker: {extra_args: }}\n",
)
# One node that ``ros`` cannot take, or that it drops, or that stands for several.
ODD_NODES = (
    "  ssh: {port: many}\n",
    "  services: {a: {image: x, command: [1, 2], environment: {B: }}}\n",
    "  services: {a: {image: x, environment: {IP: $private_ipv4}}}\n",
    "  services_include: {ubuntu-console: maybe}\n",
    "  unknown: {docker: {extra_args: [--no]}}\n",
    "  sysctl: &s {a.b: 1}\n  defaults: *s\n",
    "  upgrade: {policy: none}\n  upgrade: {url: x}\n",
    "  debug: true\n",
)
INIT = "EXTRA_CMDLINE: /init\nrancher:\n  environment:\n    EXTRA_CMDLINE: /init\n"
METADATA = (
    "privateipv4: [10, 0, 0, 12]\npublicipv4: [203, 0, 113, 7]\nhostname: ip-10-0-0-12\n",
    "privateipv4: [10, 0, 0, 12]\nhostname: ip-10-0-0-12\n",
    "",
)
COMMAND_LINES = (
    "rancher.docker.extra_args=[--ipv6]",
    "rancher.environment.DB_HOST=kernel",
    "rancher.docker.bip=172.18.0.1/16",
    "cc.hostname=kernel",
)


def text(rng: Random, longest: int) -> str:
    """Return a text of up to ``longest`` characters, as somebody who may tag could write it."""
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(hostile.VALUES)[:longest]
    if kind < 0.6:
        return rng.choice(("web", "db-1", "10.0.0.1:2375", "a b", "x=y", "true", "http://p:1/"))
    length = min(longest, rng.choice((1, 2, 5, 20, 60, 128, 256)))
    if kind < 0.8:
        return "".join(chr(rng.randint(0x20, 0x7E)) for _ in range(length))
    first, last = rng.choice(_RANGES)
    mixed = rng.random() < 0.5
    return "".join(
        chr(rng.randint(*(rng.choice(_RANGES) if mixed else (first, last)))) for _ in range(length)
    )


def tags(rng: Random) -> dict[str, str]:
    """Return the tags of an instance."""
    # As many as there can be are rare: such a run takes much longer than all others.
    count = 50 if rng.random() < 0.03 else rng.choice((0, 1, 2, 3, 5, 8, 12))
    found = {
        rng.choice(ORDINARY) if rng.random() < 0.45 else _key(rng): text(rng, 256)
        for _ in range(count)
    }
    for key in ("docker.role", "docker.zone"):
        if rng.random() < 0.2:
            found[key] = "web"
    if count == 50 and rng.random() < 0.5:
        found |= {f"docker.n{n}": rng.choice("語🐄'x") * 256 for n in range(45)}
    return found


def _key(rng: Random) -> str:
    return (rng.choice(PREFIXES) + text(rng, 100))[:128]


def items(rng: Random) -> list[str]:
    """Return a list of Docker's arguments as a user has it."""
    chosen = rng.sample(ITEMS[:16] if rng.random() < 0.8 else ITEMS, rng.choice((0, 1, 1, 2, 3, 4)))
    return [item for one in chosen for item in one]


def _list(rng: Random, found: list[str], indent: int) -> str:
    """Return a YAML list in one of the shapes that people write."""
    if not found or rng.random() < 0.4:
        return " [" + ", ".join(map(_scalar(rng), found)) + "]\n"
    dash = " " * (indent - rng.choice((0, 0, 2))) + "- "
    comment = rng.choice(("", "", "  # why"))
    return "\n" + "".join(f"{dash}{_scalar(rng)(item)}{comment}\n" for item in found)


def _scalar(rng: Random) -> Callable[[str], str]:
    def single(item: str) -> str:
        return "'" + item.replace("'", "''") + "'"

    def double(item: str) -> str:
        # `ros` would replace a bare one, and keeps one behind a backslash.
        return json.dumps(item, ensure_ascii=False)

    return rng.choice((single, double))


def cloud_config(rng: Random, keys: tuple[str, ...], *, secret: bool) -> str:
    """Return a cloud-config of the user's: whole as a rule, sometimes odd or broken.

    Args:
        rng: the source of chance.
        keys: the argument lists that the release has.
        secret: with private keys, as cloud-config.yml has.
    """
    if rng.random() < 0.2:
        return rng.choice((*ODD, *NULLS))
    lines = rng.choice(("#cloud-config\n", "# mine\n", ""))
    if rng.random() < 0.5:
        lines += f"hostname: {rng.choice(('mine', 'node-1', '0123'))}\n"
    if rng.random() < 0.3:
        lines += "runcmd:\n- [touch, /tmp/x]  # ours\n"
    lines += "rancher:\n"
    if secret or rng.random() < 0.2:
        lines += f'  ssh:\n    keys:\n      ecdsa: "{KEY_BLOCK}"\n'
    lines += _environment(rng) + _docker(rng, keys) + "  upgrade: {policy: none}\n"
    if rng.random() < 0.12:
        lines += rng.choice(ODD_NODES)
    if rng.random() < 0.04:
        lines += "---\nrancher: {docker: {extra_args: [--second]}}\n"
    if rng.random() < 0.1:
        lines = lines.replace("\n", "\r\n")
    return lines if rng.random() < 0.9 else lines.rstrip("\n")


def _environment(rng: Random) -> str:
    if rng.random() < 0.4:
        return ""
    lines = "  environment:\n"
    for name in rng.sample(("MINE", "DB_HOST", "AWS_REGION", "APP_DB_HOST", "http_proxy"), 2):
        value = rng.choice(("1", "yes", "'a b'", '"x"', "~", "0x1F", '"ü"'))
        lines += f"    {name}: {value}\n"
    return lines


def _docker(rng: Random, keys: tuple[str, ...]) -> str:
    if rng.random() < 0.3:
        return ""
    lines = "  docker:\n    tls: false\n"
    if rng.random() < 0.15:
        lines += "    graph: /mnt/docker\n"
    for key in keys:
        if rng.random() < 0.6:
            found = items(rng)
            if key == "args" and rng.random() < 0.8:
                found = ["daemon", *found]
            lines += f"    {key}:{_list(rng, found, 6)}"
    return lines


def oem(rng: Random) -> str:
    """Return an OEM's file."""
    return rng.choice(
        (
            "rancher:\n  docker:\n    extra_args: [--data-root=/mnt/docker]\n",
            "rancher:\n  docker: {graph: /mnt/docker, storage_driver: overlay2}\n",
            "rancher:\n  environment: {OEM: oem}\n  docker: {extra_args: [--debug]}\n",
            "rancher:\n  docker:\n",
            "rancher: [\n",
        )
    )


def write_files(rng: Random) -> str:
    """Return a ``write_files`` section that writes a daemon.json."""
    content = rng.choice(('{"labels": ["a=b"]}', '{"debug": true}', "no json"))
    if rng.random() < 0.5:
        encoded = base64.b64encode(content.encode()).decode()
        entry = f"{{path: /etc/docker/daemon.json, encoding: b64, content: {encoded}}}"
        return f"\nwrite_files:\n- {entry}\n"
    return f"\nwrite_files:\n- path: /etc/docker/daemon.json\n  content: '{content}'\n"
