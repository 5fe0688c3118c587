"""Labels that would stop Docker: what else on the machine gives dockerd labels.

dockerd refuses to start with ``labels`` in its daemon.json beside any ``--label``, and with one
label given twice with different values (rancheros-contract, "What dockerd does with labels").
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import json
import re
import zlib
from collections.abc import Mapping
from posixpath import normpath
from typing import Any

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, shown, warning
from rancheros_ec2_metadata.plan import arguments, shell
from rancheros_ec2_metadata.plan.provenance import LeftOut, all_labels
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import Layers
from rancheros_ec2_metadata.rancheros.release import Quoting
from rancheros_ec2_metadata.rancheros.ros_yaml import Node

# More than any daemon.json; what unpacks to more is not read.
_MOST_UNPACKED = 1024 * 1024
# Of every other map in daemon.json Docker takes the keys for options.
_MAPS_THAT_ARE_OPTIONS = frozenset(
    {"builder", "cluster-store-opts", "default-ulimits", "features", "log-opts", "runtimes"}
)
_COMMENT = re.compile(r"(?:^|[ \t])#.*$", re.MULTILINE)
_DOCKER_OPTS = re.compile(r"^[ \t]*(?:export[ \t]+)?DOCKER_OPTS\+?=(.*)$", re.MULTILINE)


def allowed(
    disk: Disk, layers: Layers, labels: Mapping[str, str], quoting: Quoting
) -> tuple[dict[str, str], list[Note]]:
    """Return the labels that do not stop Docker, and why the others do.

    Args:
        disk: as read.
        layers: the user's.
        labels: the desired ones.
        quoting: how the release passes items to dockerd.
    """
    if not labels:
        return {}, []
    for layer in layers.unread:
        reason = (
            f"{layer.name} {layer.problem}, and it may hold arguments of Docker that a list of ours"
            " would replace"
        )
        left_out = all_labels(labels, reason, layer.name)
        return {}, [error(ExitStatus.FILES, f"no label is set: {reason}", *left_out)]
    if path := daemon_json_with_labels(disk, layers, quoting):
        reason = (
            f"{path} has 'labels', beside which Docker refuses any --label and does not start; move"
            " those labels to rancher.docker.extra_args"
        )
        left_out = all_labels(labels, reason, path)
        return {}, [error(ExitStatus.FILES, f"no label is set: {reason}", *left_out)]
    free = dict(labels)
    notes = []
    for key in sorted(docker_opts_labels(disk, layers, labels) & set(free)):
        del free[key]
        reason = (
            f"DOCKER_OPTS in {paths.DOCKER_OPTS} sets it too, and with two values Docker does not"
            " start"
        )
        one = LeftOut("label", key, reason, by=paths.DOCKER_OPTS)
        notes.append(error(ExitStatus.FILES, f"label {shown(key)} is left out: {reason}", one))
    return free, notes


def daemon_json_with_labels(disk: Disk, layers: Layers, quoting: Quoting) -> str | None:
    """Return the path of dockerd's configuration file if there will be ``labels`` in it."""
    path = daemon_json(layers, quoting)
    content = as_it_will_be(disk, layers, path)
    if content is None:
        return None
    try:
        # Docker takes what is no UTF-8 (from v23 on with a byte order mark too), and does not look
        # at what comes behind the first value.
        text = content.decode("utf-8-sig", "replace")
        found, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return None  # Docker does not start on it, with us or without
    return path if has_labels(found) else None


def has_labels(content: object) -> bool:
    """Tell whether Docker sees ``labels`` in what it reads of its daemon.json."""
    if not isinstance(content, dict):
        return False
    inside = (value for key, value in content.items() if key not in _MAPS_THAT_ARE_OPTIONS)
    return any("labels" in one for one in (content, *inside) if isinstance(one, dict))


def daemon_json(layers: Layers, quoting: Quoting) -> str:
    """Return the path of dockerd's configuration file, as the layers name it."""
    named = layers.get(("rancher", "docker", "config_file"))
    path = named if isinstance(named, str) and named else paths.DAEMON_JSON
    for key in ("args", "extra_args"):
        try:
            path = arguments.option(layers.docker_arguments(key), "--config-file", quoting) or path
        except shell.NotWordsError:
            continue
    return path


def docker_opts_labels(disk: Disk, layers: Layers, labels: Mapping[str, str]) -> set[str]:
    """Return the keys of the labels that DOCKER_OPTS sets, but those that ``labels`` have too.

    What a script makes of it only bash can tell, so each label that is written anywhere in the file
    counts: over several lines, behind an ``if``, in another variable.
    """
    content = as_it_will_be(disk, layers, paths.DOCKER_OPTS)
    if content is None:
        return set()
    script = content.decode("utf-8", "replace")
    readings = [_written(script)]
    for value in _DOCKER_OPTS.findall(script):
        with contextlib.suppress(shell.NotWordsError):
            readings.append("".join(word.text for word in shell.words([value])[:1]))
    # Bash splits $DOCKER_OPTS at spaces and takes no quotes away.
    found = [one for read in readings for one in arguments.labels(read.split(), "raw")]
    return {key for key, text in found if labels.get(key) != text}


def _written(script: str) -> str:
    """Return a script's words without what quotes, ends or comments them."""
    bare = re.sub(r"[\"'`;\\]", " ", _COMMENT.sub("", script.replace("\\\n", "")))
    return bare.replace("--label", " --label")


def as_it_will_be(disk: Disk, layers: Layers, path: str) -> bytes | None:
    """Return a file as the console leaves it: ``write_files`` come after us, before Docker.

    None: it is not there. An entry that cannot be decoded is not written (rancher/os,
    cmd/cloudinitexecute): what was there before stays.
    """
    entries = layers.get(("write_files",))
    for entry in reversed(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict) and writes(entry, path):
            content = _content(entry)
            if content is not None:
                return content
    return disk.files.get(path)


def writes(entry: Mapping[Any, Any], path: str) -> bool:
    """Tell whether a ``write_files`` entry is for the console's file at ``path``, however spelt."""
    named, container = entry.get("path"), entry.get("container")
    at_home = container in (None, "", "console")
    return at_home and isinstance(named, str) and _absolute(named) == _absolute(path)


def _absolute(path: str) -> str:
    return normpath(f"/./{path}")


def _content(entry: Mapping[Any, Any]) -> bytes | None:
    """Return what a ``write_files`` entry writes; None where it cannot be decoded."""
    text = entry.get("content")
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else b""
    encoding = entry.get("encoding")
    steps = encoding.split("+") if isinstance(encoding, str) and encoding else []
    try:
        for step in reversed(steps):
            if step in ("b64", "base64"):
                raw = base64.b64decode(raw.translate(None, b"\r\n"), validate=True)
            elif step in ("gz", "gzip"):
                import gzip  # noqa: PLC0415 - hardly any daemon.json is packed so

                raw = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(_MOST_UNPACKED)
            else:
                return None
    except (binascii.Error, zlib.error, OSError, EOFError):
        return None
    return raw


def runs_after_us(layers: Layers) -> list[Note]:
    """Warn of a ``runcmd`` that mentions ``rancher.docker``: it runs after us, before Docker."""
    if not mentions_docker(layers.get(("runcmd",))):
        return []
    return [
        warning(
            "a runcmd mentions rancher.docker: it runs after this program and may replace Docker's"
            " arguments; set them in user-data instead"
        )
    ]


def mentions_docker(commands: Node) -> bool:
    """Tell whether something in ``commands`` mentions ``rancher.docker``."""
    return "rancher.docker" in json.dumps(commands, default=str)
