"""Rules about Docker: the labels in its arguments, and what else sets or undoes labels."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

from rancheros_ec2_metadata.check.checked_file import File, Form
from rancheros_ec2_metadata.check.finding import Found, rule
from rancheros_ec2_metadata.check.yaml_reader import ADDRESS, Node
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.hosts.rancheros import conflicts, docker_args, paths, shell
from rancheros_ec2_metadata.hosts.rancheros.ros import Answers
from rancheros_ec2_metadata.plan import labels

# The console runs these after this program and before Docker, as it does a runcmd.
_SCRIPTS = ("/etc/rc.local", "/opt/rancher/bin/start.sh")
_SETS_LABELS = re.compile(rb"DOCKER_OPTS|rancher/conf/docker|daemon\.json")


def _read_items(file: File) -> tuple[list[Node], list[tuple[Node, str]]]:
    """Return the items of Docker's arguments that are plain words, and the others with why."""
    plain, others = [], []
    for key in file.release.argument_keys:
        for item in file.at("rancher", "docker", key).items:
            try:
                docker_args.find_option([item.text], "--label", file.release.quoting)
                plain.append(item)
            except shell.NotWordsError as wrong:
                others.append((item, wrong.reason))
    return plain, others


def _labels(file: File) -> Iterator[tuple[int, str, str, str]]:
    """Yield the labels in Docker's arguments: the line, the key, the = and the value."""
    items, quoting = _read_items(file)[0], file.release.quoting
    lines: dict[str, int] = {}
    for item in items:
        named = docker_args.find_option([item.text], "--label", quoting)
        lines |= dict.fromkeys((item.text, *named), item.line)
    try:
        found = docker_args.find_option([item.text for item in items], "--label", quoting)
    except shell.NotWordsError:  # braces behind a --label
        return
    for label in found:
        key, equals, value = label.partition("=")
        # What an expansion gives only bash knows.
        if shell.EXPANDED not in key:
            yield lines.get(label, items[0].line), key, equals, value


@rule(
    "docker-arguments",
    "a shell reads the arguments: Docker does not start, or no tag becomes a label",
    "quote it for the shell: \"--label='motto=a b'\"",
)
def _docker_arguments(file: File) -> Iterator[Found]:
    items, others = _read_items(file)
    for item, reason in others:
        yield Found(item.line, f"{_name(item)} has {reason}")
    for item in items if file.release.quoting == "shell" else ():
        words = [word.text for word in shell.words([item.text])]
        if words[1:] and words[0].startswith("--label=") and words[1][:1] != "-":
            yield Found(item.line, f"{_name(item)} has a space, and is two words")
        if "$AWS_" in item.text:
            what = f"{_name(item)} has a variable of this program"
            why = "Docker's arguments do not see rancher.environment: it is empty there"
            yield Found(item.line, what, "use a tag (-t) or --metadata-labels", why)
        try:
            shell.words([ADDRESS.sub("<nil>", item.text)])
        except shell.NotWordsError:
            what = f"{_name(item)} has {', '.join(ADDRESS.findall(item.text))} without quotes"
            fix = "quote it for the shell too: \"--label='ip=$public_ipv4'\""
            why = "without such an address RancherOS may put <nil> there, and Docker does not start"
            yield Found(item.line, what, fix, why)


def _name(item: Node) -> str:
    return f"the item {shown(docker_args.name_option(item.text))}"


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


@rule(
    "swarm-constraint",
    "no constraint of Swarm can name it",
    "use another key or value if Swarm is to place services by it",
)
def _swarm_constraint(file: File) -> Iterator[Found]:
    for line, what, key, value in _named(file):
        why = labels.constraint_refusal(key, value)
        if why:
            yield Found(line, f"{what}: {why}")
        elif labels.only_swarm_mode_names(key):
            why = "classic Swarm cannot name it, Swarm mode can: its keys are [A-Za-z_][\\w.-]+"
            yield Found(line, what, why=why)


def _named(file: File) -> Iterator[tuple[int, str, str, str]]:
    """Yield what gives labels: its line, what it is, and a key and a value of them."""
    for one in file.ours:
        node = one.node.at("command")
        lines = {item.text: item.line for item in node.items}
        for prefix in one.settings.label_prefixes if one.settings else ():
            what = f"labels with the prefix {shown(prefix)}"
            yield lines.get(prefix, node.line), what, f"{prefix}xx", "x"
    for line, key, equals, value in _labels(file):
        if equals:
            # What bash alone knows may be named.
            yield line, f"the label {shown(key)}", key, value.replace(shell.EXPANDED, "x")


@rule(
    "daemon-json",
    "beside its labels Docker takes no other, so no tag becomes one",
    "move its labels to rancher.docker.extra_args",
)
def _daemon_json(file: File) -> Iterator[Found]:
    tree, path = file.at("rancher").tree, paths.DAEMON_JSON
    answers = Answers(tree if isinstance(tree, dict) else {}, [], [], "")
    items = [item.text for item in _read_items(file)[0]]
    with contextlib.suppress(shell.NotWordsError):
        path = conflicts.find_daemon_json(answers, items, file.release.quoting)
    line, content = _written(file, path)
    if conflicts.has_labels(content):
        yield Found(line, f"{shown(path)[1:-1]} has labels")


@rule(
    "docker-opts",
    "with a tag of that key the label would have two values: the tag is left out",
    "move it to rancher.docker.extra_args, where the tag replaces it",
)
def _docker_opts(file: File) -> Iterator[Found]:
    line, content = _written(file, paths.DOCKER_OPTS)
    for key in sorted(conflicts.find_docker_opts_labels(content, {})):
        if any(one.settings and one.settings.is_label(key) for one in file.ours):
            yield Found(line, f"DOCKER_OPTS in {paths.DOCKER_OPTS} sets the label {shown(key)}")


@rule(
    "runcmd",
    "it runs after this program, and may replace Docker's arguments or give it labels of its own",
    "set them in a cloud-config, under rancher.docker",
)
def _runcmd(file: File) -> Iterator[Found]:
    if file.form is Form.SCRIPT:
        yield from _sets_docker(file.raw, 1, "the script", by_line=True)
    for item in file.at("runcmd").items:
        script = json.dumps(item.tree).replace("\\n", " ").encode()
        yield from _sets_docker(script, item.line, "a runcmd")
    for path in _SCRIPTS:
        line, content = _written(file, path)
        yield from _sets_docker(content, line, path)


def _sets_docker(script: bytes, line: int, name: str, *, by_line: bool = False) -> Iterator[Found]:
    patterns = (conflicts.SETS_ARGUMENTS, *([_SETS_LABELS] if b"label" in script else []))
    found: dict[int, str] = {}
    for one in (match for pattern in patterns for match in pattern.finditer(script)):
        inside = script.count(b"\n", 0, one.start()) if by_line else 0
        found.setdefault(line + inside, one[0].decode())
    for at, word in found.items():
        yield Found(at, f"{name} mentions {' '.join(word.split())}")


def _written(file: File, path: str) -> tuple[int, bytes]:
    """Return the line and the content of the ``write_files`` entry that counts for a file."""
    for entry in reversed(file.at("write_files").items):
        alone = Answers({}, [entry.tree], [], "")
        content = conflicts.as_it_will_be(alone, lambda _: None, path)
        if content is not None:
            return entry.line, content
    return 0, b""


RULES = (_docker_arguments, _docker_labels, _swarm_constraint, _daemon_json, _docker_opts, _runcmd)
