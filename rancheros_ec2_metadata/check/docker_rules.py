"""Rules about Docker: the labels in its arguments, and what else sets or undoes labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from rancheros_ec2_metadata.check.checked_file import File
from rancheros_ec2_metadata.check.finding import Finding, finding
from rancheros_ec2_metadata.check.yaml_reader import ADDRESS, Node
from rancheros_ec2_metadata.errors import quote
from rancheros_ec2_metadata.hosts.rancheros import conflicts, docker_args, paths, shell
from rancheros_ec2_metadata.hosts.rancheros.ros import Answers
from rancheros_ec2_metadata.hosts.rancheros.user_data import Form
from rancheros_ec2_metadata.plan import labels

# The console runs these after this program and before Docker, as it does a runcmd.
_SCRIPTS = ("/etc/rc.local", "/opt/rancher/bin/start.sh")
_SETS_LABELS = re.compile(
    conflicts.SETS_ARGUMENTS.pattern + rb"|DOCKER_OPTS|rancher/conf/docker|daemon\.json"
)


def _find_in_arguments(file: File) -> Iterator[Finding]:
    quoting, known = file.release.quoting, dict[str, str]()
    lists = (file.at("rancher", "docker", key) for key in file.release.argument_keys)
    items = (item for one in lists for item in one.items)
    for former, item in pairwise([Node("null"), *items]):
        # A label may be an item of its own, behind the flag.
        words = ["--label"] * (former.text == "--label") + [item.text]
        what = f"the item {quote(docker_args.name_option(item.text))} has"
        try:
            found = docker_args.find_option(words, "--label", quoting)
        except shell.NotWordsError as wrong:
            yield finding("docker-arguments", item.line, f"{what} {wrong.reason}")
            continue
        if quoting == "shell":
            yield from _find_shell_surprises(item, what)
        for label in found:
            yield from _find_in_label(item.line, label, known)


def _find_shell_surprises(item: Node, what: str) -> Iterator[Finding]:
    words = [word.text for word in shell.split([item.text])]
    if words[1:] and words[0].startswith("--label=") and words[1][:1] != "-":
        yield finding("docker-arguments", item.line, f"{what} a space, and is two words")
    if "$AWS_" in item.text:
        why = "Docker's arguments do not see rancher.environment: it is empty there"
        fix = "use a tag (-t) or --metadata-labels"
        yield finding("docker-arguments", item.line, f"{what} a variable of this program", fix, why)
    try:
        shell.split([ADDRESS.sub("<nil>", item.text)])
    except shell.NotWordsError:
        addresses = ", ".join(ADDRESS.findall(item.text))
        text = f"{what} {addresses} without quotes, for which RancherOS may put <nil>"
        yield finding("docker-arguments", item.line, text)


def _find_in_label(line: int, label: str, known: dict[str, str]) -> Iterator[Finding]:
    key, equals, value = label.partition("=")
    what = f"the label {quote(key)}"
    if shell.EXPANDED in key:  # the result of an expansion is not known
        return
    if not equals:
        yield finding("docker-labels", line, f"{what} has no =")
        return
    if labels.is_reserved(key):
        yield finding("docker-labels", line, f"{what} is in a namespace of Docker's own")
    elif known.setdefault(key, value) != value:
        yield finding("docker-labels", line, f"{what} is there twice, with different values")
    yield from _find_unnamed(line, what, key, value.replace(shell.EXPANDED, "x"))


def _find_unnamed(line: int, what: str, key: str, value: str) -> Iterator[Finding]:
    """Yield why no constraint can name a label."""
    if refusal := labels.explain_unnameable(key, value):
        yield finding("swarm-constraint", line, f"{what}: {refusal}")
    elif labels.is_for_swarm_mode_only(key):
        why = "classic Swarm cannot name it, Swarm mode can: its keys are [A-Za-z_][\\w.-]+"
        yield finding("swarm-constraint", line, what, why=why)


def _find_in_prefixes(file: File) -> Iterator[Finding]:
    for one in file.ours:
        node = one.node.at("command")
        lines = {item.text: item.line for item in node.items}
        for prefix in one.settings.label_prefixes:
            what = f"labels with the prefix {quote(prefix)}"
            yield from _find_unnamed(lines.get(prefix, node.line), what, f"{prefix}xx", "x")


def _find_in_daemon_json(file: File) -> Iterator[Finding]:
    line, content = _find_written(file, paths.DAEMON_JSON)
    if conflicts.has_labels(content):
        yield finding("daemon-json", line, f"{paths.DAEMON_JSON} has labels")


def _find_in_scripts(file: File) -> Iterator[Finding]:
    if file.form is Form.SCRIPT:
        yield from _find_in_script(file.raw, 1, "the script")
    for item in file.at("runcmd").items:
        script = " ".join([item.text, *(word.text for word in item.items)])
        yield from _find_in_script(script.replace("\n", " ").encode(), item.line, "a runcmd")
    for path in _SCRIPTS:
        line, content = _find_written(file, path)
        yield from _find_in_script(content.replace(b"\n", b" "), line, path)


def _find_in_script(script: bytes, first: int, name: str) -> Iterator[Finding]:
    """Yield, once for each line, what may set Docker's arguments or its labels."""
    pattern = _SETS_LABELS if b"label" in script else conflicts.SETS_ARGUMENTS
    found: dict[int, bytes] = {}
    for one in pattern.finditer(script):
        found.setdefault(first + script.count(b"\n", 0, one.start()), one[0])
    for line, word in found.items():
        yield finding("runcmd", line, f"{name} mentions {' '.join(word.decode().split())}")


def _find_written(file: File, path: str) -> tuple[int, bytes]:
    """Return the line and the content of the ``write_files`` entry that counts for a file."""
    for entry in reversed(file.at("write_files").items):
        alone = Answers({}, [{key: one.text for key, one in entry.fields.items()}], [], "")
        content = conflicts.read_as_it_will_be(alone, lambda _: None, path)
        if content is not None:
            return entry.line, content
    return 0, b""


RULES = (_find_in_arguments, _find_in_prefixes, _find_in_daemon_json, _find_in_scripts)
