"""What else on the machine gives dockerd labels, or changes its arguments after the run.

dockerd does not start with ``labels`` in its daemon.json beside any ``--label``, nor with one label
given twice with different values (docs/rancheros.md).
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from posixpath import normpath

from rancheros_ec2_metadata.errors import Note, warning
from rancheros_ec2_metadata.hosts.rancheros import docker_args, paths
from rancheros_ec2_metadata.hosts.rancheros.release import Quoting
from rancheros_ec2_metadata.hosts.rancheros.ros import Answers
from rancheros_ec2_metadata.hosts.rancheros.ros_yaml import Tree

# More than any daemon.json; what unpacks to more is not read.
_MOST_UNPACKED = 1024 * 1024
# Docker reads the keys of every other map in daemon.json as options.
_MAPS_THAT_ARE_OPTIONS = frozenset(
    {"builder", "cluster-store-opts", "default-ulimits", "features", "log-opts", "runtimes"}
)
# What is in a script that sets Docker's arguments.
SETS_ARGUMENTS = re.compile(rb"rancher\.docker|\bextra_args\b|rancher:\s*\{?\s*docker:")
_COMMENT = re.compile(r"(?:^|[ \t])#.*$", re.MULTILINE)
_QUOTE = re.compile(r"\$?[\"'\\]")


def find_daemon_json(answers: Answers, items: Sequence[str], quoting: Quoting) -> str:
    """Return the path of dockerd's configuration file, as RancherOS's configuration names it.

    Raises:
        NotWordsError: an item does not read as shell words.
    """
    named = docker_args.find_option(items, "--config-file", quoting)
    configured = answers.get("rancher", "docker", "config_file")
    if named:
        return named[-1]
    return configured if isinstance(configured, str) and configured else paths.DAEMON_JSON


def read_as_it_will_be(
    answers: Answers, read: Callable[[str], bytes | None], path: str
) -> bytes | None:
    """Return a file as the console leaves it: ``write_files`` come after the run, before Docker.

    An entry that cannot be decoded is not written (rancher/os,
    cmd/cloudinitexecute): what was there before stays. ``read`` returns
    a file as it is, None if there is none.
    """
    for entry in reversed(answers.write_files):
        if isinstance(entry, dict) and _writes(entry, path):
            content = _decode_content(entry)
            if content is not None:
                return content
    return read(path)


def has_labels(content: bytes) -> bool:
    """Tell whether Docker sees ``labels`` in its configuration file.

    Docker takes what is not UTF-8, from v23 on also a byte order mark and UTF-16, and before v23
    does not look at what comes behind the first value.
    """
    try:
        text = content.decode(json.detect_encoding(content), "replace").lstrip("\ufeff \t\r\n")
        found, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False  # Docker does not start on it, with us or without
    if not isinstance(found, dict):
        return False
    inside = (value for key, value in found.items() if key not in _MAPS_THAT_ARE_OPTIONS)
    return any("labels" in one for one in (found, *inside) if isinstance(one, dict))


def find_docker_opts_labels(content: bytes | None, labels: Mapping[str, str]) -> set[str]:
    """Return the keys of ``labels`` that DOCKER_OPTS sets to another value.

    Only bash can evaluate the script, so each label that is written anywhere in the file counts:
    over several lines, behind an ``if``, in another variable.
    """
    if content is None:
        return set()
    script = _COMMENT.sub("", content.decode("utf-8", "replace").replace("\\\n", ""))
    script = re.sub("[`;]", " ", script)
    # A quote is around a label, or inside of it.
    readings = (_QUOTE.sub(instead, script).replace("--label", " --label") for instead in (" ", ""))
    # Bash splits $DOCKER_OPTS at spaces and takes no quotes away.
    found = [docker_args.find_labels(reading.split(), "raw") for reading in readings]
    return {key for one in found for key in one.keys() & labels.keys() if one[key] != labels[key]}


def find_later_changes(answers: Answers, script: bytes | None) -> Iterator[Note]:
    """Yield a warning for what changes Docker's arguments after the run, before Docker starts."""
    what = "runs after this program and mentions rancher.docker: labels may be lost at every boot"
    fix = "set the arguments in cloud-config instead"
    if SETS_ARGUMENTS.search(json.dumps(answers.runcmd).replace("\\n", " ").encode()):
        yield warning(f"runcmd {what}; {fix}")
    if script is not None and SETS_ARGUMENTS.search(script):
        yield warning(f"the user-data script {what}; {fix}")


def _writes(entry: Mapping[str, Tree], path: str) -> bool:
    named, container = entry.get("path"), entry.get("container")
    if not isinstance(named, str) or not named:
        return False
    spelt = normpath(f"/./{named}")
    return spelt == path and container in (None, "", "console")


def _decode_content(entry: Mapping[str, Tree]) -> bytes | None:
    """Return what a ``write_files`` entry writes; None if it cannot be decoded."""
    text, encoding = entry.get("content"), entry.get("encoding")
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else b""
    steps = encoding.split("+") if isinstance(encoding, str) and encoding else []
    try:
        for step in reversed(steps):
            if step in ("b64", "base64"):
                raw = base64.b64decode(raw.translate(None, b"\r\n"), validate=True)
            elif step in ("gz", "gzip"):
                import gzip  # noqa: PLC0415 - hardly any machine has such an entry

                raw = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(_MOST_UNPACKED)
            else:
                return None
    except (binascii.Error, zlib.error, OSError, EOFError):
        return None
    return raw
