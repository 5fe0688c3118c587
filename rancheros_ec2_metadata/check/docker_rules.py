"""Rules about Docker: its arguments, its labels, its daemon.json, and who else sets them."""

from __future__ import annotations

import base64
import binascii
import codecs
import contextlib
import gzip
import io
import itertools
import json
import re
import zlib
from collections.abc import Iterator
from posixpath import normpath

from rancheros_ec2_metadata.check import schema
from rancheros_ec2_metadata.check.checked_file import ADDRESS, File, Form
from rancheros_ec2_metadata.check.finding import Found, rule
from rancheros_ec2_metadata.check.yaml_reader import Node
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.hosts.rancheros import shell
from rancheros_ec2_metadata.plan import labels

_LISTS = ("args", "extra_args")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_OPTION = re.compile(r"--[A-Za-z0-9-]+|-[A-Za-z]")
# Stands for the $ of an address while a shell's words are read; no file that is loaded has it.
_DOLLAR = "\x01"

_DAEMON_JSON = "/etc/docker/daemon.json"
_DOCKER_OPTS = "/var/lib/rancher/conf/docker"
_MOST_UNPACKED = 1024 * 1024
# Of every other map in daemon.json Docker takes the keys for options.
_MAPS_OF_DAEMON_JSON = frozenset(
    {"builder", "cluster-store-opts", "default-ulimits", "features", "log-opts", "runtimes"}
)
_COMMENT = re.compile(r"(?:^|[ \t])#.*$", re.MULTILINE)
_LABEL = "--label="
_ANY_LABEL = re.compile(r"--label[=\s]+([^\s=]+)=")
_CONFIG_FILE = re.compile(r"--config-file[= ]+([^ ]+)")

# The console runs these after this program and before Docker, as it does a runcmd.
_SCRIPTS = ("/etc/rc.local", "/opt/rancher/bin/start.sh")
_SETS_ARGUMENTS = re.compile(rb"rancher\.docker|\bextra_args\b|rancher:\s*\{?\s*docker:")
_SETS_LABELS = re.compile(rb"DOCKER_OPTS|rancher/conf/docker|daemon\.json")


def _options(file: File, docker: Node) -> Iterator[tuple[str, Node]]:
    """Yield the values that are joined into dockerd's command, each with its key."""
    for key in (*file.release.argument_keys, *schema.DOCKER_OPTIONS):
        node = docker.at(key)
        for value in (*node.items, *node.fields.values(), *([node] if node.is_scalar else [])):
            yield key, value


def _name(key: str, node: Node) -> str:
    """Return what such a value is called; what follows an option may be a password."""
    if key not in _LISTS:
        return f"rancher.docker.{key}"
    option = _OPTION.match(node.text)
    name = option[0] if option else ""
    return f"the item {shown(name if name == node.text else f'{name}…')}"


def _words(text: str) -> list[str]:
    """Return the words that bash makes of a text, with a mark for the $ of an address.

    Raises:
        NotWordsError: they are no plain words.
    """
    found = shell.words([ADDRESS.sub(lambda name: _DOLLAR + name[0][1:], text)])
    for word in found:
        if word.forks_at is not None and _LABEL.startswith(word.text[: word.forks_at][:8]):
            raise shell.NotWordsError(0, "braces, of which bash makes several words")
    return [word.text for word in found]


def _labels(file: File) -> Iterator[tuple[int, str, str, str]]:
    """Yield the labels in Docker's arguments: the line, the key, the = and the value."""
    words: list[tuple[int, str]] = []
    for key, item in _options(file, file.docker):
        with contextlib.suppress(shell.NotWordsError):  # `docker-arguments` has it
            is_raw = file.release.quoting != "shell"
            texts = [item.text] if is_raw else _words(item.text)
            words += [(item.line, text) for text in texts if key in _LISTS]
    for (_, before), (line, word) in itertools.pairwise([(0, ""), *words]):
        label = word if before == "--label" else word.removeprefix(_LABEL)
        is_label = before == "--label" or word.startswith(_LABEL)
        if is_label and shell.EXPANDED not in label.partition("=")[0]:
            yield line, *label.replace(_DOLLAR, "$").partition("=")


@rule("args", "Docker is started without it, or not at all", "use rancher.docker.extra_args")
def _args(file: File) -> Iterator[Found]:
    node = file.docker.at("args")
    if node.kind == "null":
        return
    if "args" not in file.release.argument_keys:
        yield Found(node.line, "RancherOS reads rancher.docker.args before v0.7 only")
    elif not node.items or node.items[0].text != "daemon":
        what = "rancher.docker.args replaces the list of the release, and begins without daemon"
        yield Found(node.line, what, "use extra_args")


@rule(
    "docker-arguments",
    "a shell reads the arguments: Docker does not start, or no tag becomes a label",
    "quote it for the shell: \"--label='motto=a b'\"",
)
def _docker_arguments(file: File) -> Iterator[Found]:
    if file.release.quoting != "shell":
        return
    missing = _options(file, file.with_addresses("<nil>").root.at("rancher", "docker"))
    for (key, node), (_, without) in zip(_options(file, file.docker), missing, strict=False):
        name = _name(key, node)
        try:
            words = _words(node.text)
        except shell.NotWordsError as wrong:
            yield Found(node.line, f"{name} has {wrong.reason}")
            continue
        is_label = words[:1] and words[0].startswith(_LABEL)
        if words[1:] and (key not in _LISTS or (is_label and words[1][:1] != "-")):
            yield Found(node.line, f"{name} has a space, and is two words")
        try:
            _words(without.text)
        except shell.NotWordsError:
            what = f"{name} has {', '.join(ADDRESS.findall(node.text))} without quotes"
            fix = "quote it for the shell too: \"--label='ip=$public_ipv4'\""
            why = "without such an address RancherOS may put <nil> there, and Docker does not start"
            yield Found(node.line, what, fix, why)


@rule(
    "docker-variable",
    "Docker's arguments do not see rancher.environment: it is empty there",
    "use a tag (-t) or --metadata-labels for a label",
)
def _docker_variable(file: File) -> Iterator[Found]:
    passed = {item.text.partition("=")[0] for item in file.docker.at("environment").items}
    for key, node in _options(file, file.docker):
        for name in dict.fromkeys(_VARIABLE.findall(node.text)):
            if name in file.variables.ours - passed:
                yield Found(node.line, f"${name} in rancher.docker.{key}")


@rule("docker-environment", "RancherOS runs it as a command in place of Docker", "write NAME=VALUE")
def _docker_environment(file: File) -> Iterator[Found]:
    for number, item in enumerate(file.docker.at("environment").items, 1):
        if "=" not in item.text:
            yield Found(item.line, f"item {number} of rancher.docker.environment has no =")


@rule("docker-labels", "Docker does not start", "take it out, or write another key")
def _docker_labels(file: File) -> Iterator[Found]:
    known: dict[str, str] = {}
    for line, key, equals, value in _labels(file):
        if not equals:
            yield Found(line, f"the label {shown(key)} has no =")
        elif labels.is_reserved(key):
            yield Found(line, f"the label {shown(key)} is in a namespace of Docker's own")
        elif known.setdefault(key, value) != value:
            yield Found(line, f"the label {shown(key)} is there twice, with different values")


@rule("label-prefix", "the prefix gives no label at all", "take it out, or write another")
def _label_prefix(file: File) -> Iterator[Found]:
    for prefix, line in _prefixes(file):
        why = labels.refused(f"{prefix}x")
        if why:
            yield Found(line, f"the tag prefix {shown(prefix)}: {why}")


def _prefixes(file: File) -> Iterator[tuple[str, int]]:
    for one in file.programs:
        node = one.service.node.at("command")
        lines = {item.text: item.line for item in node.items}
        for prefix in one.settings.label_prefixes if one.settings else ():
            yield prefix, lines.get(prefix, node.line)


def _named(file: File) -> Iterator[tuple[Found, str, str]]:
    """Yield what gives labels, with a key and a value of them."""
    for prefix, line in _prefixes(file):
        if not labels.refused(f"{prefix}x"):
            yield Found(line, f"labels with the prefix {shown(prefix)}"), f"{prefix}xx", "x"
    for line, key, equals, value in _labels(file):
        if equals and not labels.is_reserved(key):
            # What bash alone knows may be named.
            known = "x" if shell.EXPANDED in value else value
            yield Found(line, f"the label {shown(key)}"), key, known


@rule(
    "swarm-constraint",
    "no constraint of Swarm can name it",
    "use another key or value if Swarm is to place services by it",
)
def _swarm_constraint(file: File) -> Iterator[Found]:
    for found, key, value in _named(file):
        why = labels.constraint_refusal(key, value)
        if why:
            yield found._replace(what=f"{found.what}: {why}")


@rule(
    "classic-swarm",
    "classic Swarm cannot name it, Swarm mode can: its keys are [A-Za-z_][A-Za-z0-9_.-]+",
    "use another key if classic Swarm is to place containers by it",
)
def _classic_swarm(file: File) -> Iterator[Found]:
    for found, key, _ in _named(file):
        if labels.only_swarm_mode_names(key):
            yield found


@rule(
    "daemon-json",
    "beside its labels Docker takes no other, so no tag becomes one; broken it stops Docker",
    "move its labels to rancher.docker.extra_args",
)
def _daemon_json(file: File) -> Iterator[Found]:
    path = file.docker.at("config_file").text or _DAEMON_JSON
    words = " ".join(node.text for key, node in _options(file, file.docker) if key in _LISTS)
    path = ([path, *_CONFIG_FILE.findall(words)])[-1]
    entry = _written(file, path)
    if entry is None:
        return
    content = _content(entry)
    if content is None:
        yield Found(
            entry.line, f"the content of {shown(path)[1:-1]} cannot be decoded", "correct it"
        )
        return
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if is_utf_16 else "utf-8-sig", "replace")
    try:
        # Docker does not look at what comes behind the first value.
        found, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        yield Found(entry.line, f"{shown(path)[1:-1]} is no JSON", "correct it")
        return
    options = found if isinstance(found, dict) else {}
    inside = [value for key, value in options.items() if key not in _MAPS_OF_DAEMON_JSON]
    if any("labels" in one for one in (options, *inside) if isinstance(one, dict)):
        yield Found(entry.line, f"{shown(path)[1:-1]} has labels")


@rule(
    "docker-opts",
    "with a tag of that key the label would have two values: the tag is left out",
    "move it to rancher.docker.extra_args, where the tag replaces it",
)
def _docker_opts(file: File) -> Iterator[Found]:
    entry = _written(file, _DOCKER_OPTS)
    if entry is None:
        return
    script = (_content(entry) or b"").decode("utf-8", "replace").replace("\\\n", "")
    # What a script makes of it only bash can tell, so each label that is written anywhere counts.
    bare = re.sub(r"[\"'`;\\]", " ", _COMMENT.sub("", script))
    for key in sorted(set(_ANY_LABEL.findall(bare))):
        if any(one.settings and one.settings.is_label(key) for one in file.programs):
            yield Found(entry.line, f"DOCKER_OPTS in {_DOCKER_OPTS} sets the label {shown(key)}")


@rule(
    "runcmd",
    "it runs after this program, and may replace Docker's arguments or give it labels of its own",
    "set them in a cloud-config, under rancher.docker",
)
def _runcmd(file: File) -> Iterator[Found]:
    if file.form is Form.SCRIPT:
        yield from _sets_docker(file.raw, 1, "the script", by_line=True)
    for item in file.at("runcmd").items if file.form is Form.CLOUD_CONFIG else ():
        text = " ".join(node.text for _, node in item.scalars())
        yield from _sets_docker(text.encode(), item.line, "a runcmd")
    for path in _SCRIPTS:
        entry = _written(file, path)
        if entry:
            yield from _sets_docker(_content(entry) or b"", entry.line, path)


def _sets_docker(script: bytes, line: int, name: str, *, by_line: bool = False) -> Iterator[Found]:
    patterns = (_SETS_ARGUMENTS, *([_SETS_LABELS] if b"label" in script else []))
    found: dict[int, str] = {}
    for one in (match for pattern in patterns for match in pattern.finditer(script)):
        inside = script.count(b"\n", 0, one.start()) if by_line else 0
        found.setdefault(line + inside, one[0].decode())
    for at, word in found.items():
        yield Found(at, f"{name} mentions {' '.join(word.split())}")


@rule(
    "extra-cmdline",
    "it is stronger than any file: no label is set, or the variable is never the tag's",
    "set it in this file under rancher instead",
)
def _extra_cmdline(file: File) -> Iterator[Found]:
    node = file.at("EXTRA_CMDLINE")
    if file.form is not Form.CLOUD_CONFIG or file.release.is_before((0, 9, 2)):
        return
    for parameter in node.text.split():
        name = parameter.partition("=")[0].removeprefix("cc.")
        variable = name.removeprefix("rancher.environment.")
        is_ours = variable != name and variable in file.variables.ours
        if is_ours or name in ("rancher.docker", *(f"rancher.docker.{key}" for key in _LISTS)):
            yield Found(node.line, f"EXTRA_CMDLINE sets {name}")


def _written(file: File, path: str) -> Node | None:
    """Return the ``write_files`` entry that counts for a file of the console's."""
    entries = file.at("write_files").items if file.form is Form.CLOUD_CONFIG else []
    for entry in reversed(entries):
        named = entry.at("path").text
        at_home = entry.at("container").text in ("", "console")
        if at_home and named and normpath(f"/./{named}") == normpath(f"/./{path}"):
            return entry
    return None


def _content(entry: Node) -> bytes | None:
    """Return what a ``write_files`` entry writes; None where it cannot be decoded."""
    raw = entry.at("content").text.encode()
    encoding = entry.at("encoding").text
    try:
        for step in reversed(encoding.split("+") if encoding else []):
            if step in ("b64", "base64"):
                raw = base64.b64decode(raw.translate(None, b"\r\n"), validate=True)
            elif step in ("gz", "gzip"):
                raw = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(_MOST_UNPACKED)
            else:
                return None
    except (binascii.Error, zlib.error, OSError, EOFError):
        return None
    return raw


RULES = (
    _args,
    _docker_arguments,
    _docker_variable,
    _docker_environment,
    _docker_labels,
    _label_prefix,
    _swarm_constraint,
    _classic_swarm,
    _daemon_json,
    _docker_opts,
    _runcmd,
    _extra_cmdline,
)
