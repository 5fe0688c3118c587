"""Rules about whether RancherOS takes the file at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rancheros_ec2_metadata.check import compose
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.finding import Found, Rule
from rancheros_ec2_metadata.check.form import Form
from rancheros_ec2_metadata.check.places import Path, dotted
from rancheros_ec2_metadata.rancheros import config_types
from rancheros_ec2_metadata.rancheros.characters import Fate, first_with
from rancheros_ec2_metadata.rancheros.ros_yaml import Node, Outcome
from rancheros_ec2_metadata.rancheros.user_data import NO_FIRST_LINE

# Bytes; EC2, "Run commands when you launch an EC2 instance with user data input".
_MOST_USER_DATA = 16384
_WHY = {
    Outcome.FATAL: "every call of ros fails, and with it the boot",
    Outcome.UNKNOWN: "RancherOS may load it, this program cannot follow it, and sets no label",
}


def not_a_cloud_config(file: File) -> Iterator[Found]:
    """Find a file that RancherOS ignores for its first line."""
    if file.ignored and file.form is not Form.SERVICE_FILE:
        yield Found(1, file.ignored)


def not_read(file: File) -> Iterator[Found]:
    """Find what keeps ``ros`` from reading the file, but single characters."""
    if file.problem is None or any(characters(file)):
        return
    if file.form is not Form.UNKNOWN or (file.ignored == NO_FIRST_LINE and file.raw.strip()):
        why = _WHY.get(file.problem.outcome, "")
        yield Found(file.problem.line or 1, str(file.problem), why=why)


def characters(file: File) -> Iterator[Found]:
    """Find the characters that ``ros`` cannot read back."""
    for text in file.places.texts:
        fates = [Fate.LOST]
        top = text.path[:1]
        if file.form is Form.SERVICE_FILE or (top and config_types.is_known(str(top[0]))):
            fates.append(Fate.FATAL)
        character = first_with(tuple(fates), text.text)
        if character:
            yield Found(text.line, f"U+{ord(character):04X} in a key or a value")


def wrong_type(file: File) -> Iterator[Found]:
    """Find values of a type that ``ros`` does not take."""
    if file.form is Form.CLOUD_CONFIG:
        yield from _wrong(file, (), file.tree, lambda node: node)
    for service in file.services:
        strict = file.is_configuration
        for one in compose.wrong(service.path, dict(service.tree), texts_only=strict):
            yield Found(file.line_of(one.path), f"{dotted(one.path)} {one.why}")
        for key in ("command", "entrypoint"):
            try:
                service.words(key)
            except ValueError as wrong:
                path = (*service.path, key)
                what = f"{dotted(path)} cannot be split into words ({str(wrong).lower()})"
                yield Found(file.line_of(path), what, "close its quotes")


def _wrong(file: File, path: Path, node: Node, around: Callable[[Node], Node]) -> Iterator[Found]:
    """Find the nodes that are wrong themselves: each is tried with nothing beside or in it."""
    if config_types.wrong_type(around(node)) is None:
        return
    empty: Node = node if not isinstance(node, list | dict) else type(node)()
    why = config_types.wrong_type(around(empty))
    if why is not None:
        yield Found(file.line_of(path), why)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _wrong(file, (*path, key), value, _in_map(around, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _wrong(file, (*path, index), value, lambda item: around([item]))


def _in_map(around: Callable[[Node], Node], key: str) -> Callable[[Node], Node]:
    return lambda value: around({key: value})


def several_documents(file: File) -> Iterator[Found]:
    """Find the second document."""
    for line in file.places.documents[:1]:
        yield Found(line, "a second YAML document begins")


def too_large(file: File) -> Iterator[Found]:
    """Find user-data that EC2 does not take."""
    if file.form is not Form.SERVICE_FILE and file.size > _MOST_USER_DATA:
        yield Found(1, f"the file has {file.size} bytes")


RULES = (
    Rule(
        "no-cloud-config",
        "RancherOS takes user-data for a configuration by its first line alone, and ignores this",
        "make the first line #cloud-config, with nothing before it",
        not_a_cloud_config,
    ),
    Rule(
        "not-read",
        "RancherOS does not load the file; before v0.5 the boot fails",
        "correct it; a text with a special character in it needs quotes",
        not_read,
    ),
    Rule(
        "characters",
        "RancherOS reads back ASCII alone: it loses the whole file, or all of its configuration",
        "write it in ASCII; a comment may have any character",
        characters,
    ),
    Rule(
        "wrong-type",
        "for one value of a wrong type RancherOS drops the whole file",
        "write it as it has to be: in quotes, if it is a text",
        wrong_type,
    ),
    Rule(
        "several-documents",
        "RancherOS reads the first document alone",
        "take the --- out, so that it is one document",
        several_documents,
    ),
    Rule(
        "too-large",
        "EC2 takes 16384 bytes of user-data at most",
        "move a part of it into the image",
        too_large,
    ),
)
