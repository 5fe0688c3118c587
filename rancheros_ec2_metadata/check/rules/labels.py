"""Rules about labels: those that tags would give, and those that the file gives Docker itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rancheros_ec2_metadata.check import program
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.finding import Found, Rule
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.plan import arguments, labels, shell
from rancheros_ec2_metadata.rancheros.layers import DOCKER

# Every key below such a prefix can be one that a constraint of Swarm names.
_PREFIX_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)?")


def label_prefix(file: File) -> Iterator[Found]:
    """Find prefixes whose tags are never labels."""
    for prefix, line in _prefixes(file):
        why = labels.refused(f"{prefix}x")
        if why:
            yield Found(line, f"the tag prefix {shown(prefix)}: {why}")


def refused(file: File) -> Iterator[Found]:
    """Find labels of the user's that Docker does not start with."""
    known: dict[str, str] = {}
    for key, index, label in _labels(file):
        line = file.line(*DOCKER, key, index)
        name, equals, value = label.partition("=")
        if not equals:
            yield Found(line, f"the label {shown(name)} has no =")
        elif labels.is_reserved(name):
            yield Found(line, f"the label {shown(name)} is in a namespace of Docker's own")
        elif known.setdefault(name, value) != value:
            yield Found(line, f"the label {shown(name)} is there twice, with different values")


def constraint(file: File) -> Iterator[Found]:
    """Find labels that no constraint of Swarm can name."""
    for prefix, line in _prefixes(file):
        if not labels.refused(f"{prefix}x") and not _PREFIX_KEY.fullmatch(prefix):
            yield Found(line, f"labels with the prefix {shown(prefix)}")
    for key, index, label in _labels(file):
        name, equals, _ = label.partition("=")
        if equals and not labels.is_reserved(name) and not labels.constraint_can_name(name):
            yield Found(file.line(*DOCKER, key, index), f"the label {shown(name)}")


def _prefixes(file: File) -> Iterator[tuple[str, int]]:
    for service in file.ours:
        settings = program.of(file, service)
        path = (*service.path, "command")
        node = service.tree.get("command")
        items = {str(item): i for i, item in enumerate(node if isinstance(node, list) else ())}
        for prefix in settings.label_prefixes if settings else ():
            yield prefix, file.line(*path, items.get(prefix, -1))


def _labels(file: File) -> Iterator[tuple[str, int, str]]:
    """Yield the key of the list, the number of the item, and the label: ``key=value``."""
    for key in file.docker_lists:
        items = file.docker_items(key)
        raw = file.release.quoting == "raw"
        try:
            found = arguments.values(items, "--label", file.release.quoting)
            words = [] if raw else shell.words(items)
        except shell.NotWordsError:
            continue
        where = {item: index for index, item in enumerate(items)} if raw else {}
        where |= {word.text: word.item for word in words}
        for label in found:
            if shell.EXPANDED not in label.partition("=")[0]:
                yield key, where.get(f"--label={label}", where.get(label, 0)), label


RULES = (
    Rule(
        "label-prefix",
        "the prefix gives no label at all",
        "take it out, or write another",
        label_prefix,
    ),
    Rule(
        "docker-labels",
        "Docker does not start",
        "take it out, or write another key",
        refused,
    ),
    Rule(
        "swarm-constraint",
        "no constraint of Swarm can name it: a key has to be [A-Za-z_][A-Za-z0-9_.-]+",
        "use another key if Swarm is to place services by it",
        constraint,
    ),
)
