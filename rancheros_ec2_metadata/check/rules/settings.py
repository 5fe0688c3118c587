"""Rules about what this program is asked to do: its command, and its variables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rancheros_ec2_metadata import options
from rancheros_ec2_metadata.check import program
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.finding import Found, Rule
from rancheros_ec2_metadata.check.places import Path
from rancheros_ec2_metadata.check.service import Service
from rancheros_ec2_metadata.check.spelling import instead
from rancheros_ec2_metadata.commands import AT_BOOT
from rancheros_ec2_metadata.errors import UsageError, shown

_VARIABLES = frozenset(option.variable for option in options.OPTIONS)
# Of the variables of AWS's own, those that a wrong value of is a wrong usage.
_OF_AWS = frozenset(
    {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        "AWS_ENDPOINT_URL_EC2",
    }
)
_FLAGS = frozenset(flag for option in options.OPTIONS for flag in option.flags)
# A flag and what belongs to it in one item of a list: "-l TAG:TARGET".
_TWO_WORDS = re.compile(r"(-[A-Za-z]|--[a-z-]+)[ \t]+\S")


def command(file: File) -> Iterator[Found]:
    """Find commands that the program does not take, or takes for something else."""
    for service in file.ours:
        name = shown(service.name)
        try:
            called, words = program.arguments(service)
        except ValueError:
            continue  # `wrong-type` has it
        if called not in AT_BOOT:
            why = "it sets no label and no variable"
            line = file.line(*service.path, "command")
            yield Found(line, f"{name} has the command {called}", "take the word out", why)
            continue
        together = list(_two_words(file, service))
        yield from together
        if together or called != "apply":
            continue
        try:
            program.settings(words, {})
        except UsageError as wrong:
            yield Found(_line(file, service, str(wrong)), f"{name}, {wrong}")


def _two_words(file: File, service: Service) -> Iterator[Found]:
    node = service.tree.get("command")
    for index, item in enumerate(node if isinstance(node, list) else ()):
        found = _TWO_WORDS.match(item) if isinstance(item, str) else None
        if found and found[1] in _FLAGS:
            what = f"{shown(service.name)} has {found[1]} and more in one item of its command"
            mend = "make an item of each word"
            why = "nothing in a list is split, so the space is part of the value"
            yield Found(file.line(*service.path, "command", index), what, mend, why)


def _line(file: File, service: Service, message: str) -> int:
    """Return the line of the word that a message is about, or that of the command."""
    node = service.tree.get("command")
    for index, item in enumerate(node if isinstance(node, list) else ()):
        if isinstance(item, str) and item and shown(item) in message:
            return file.line(*service.path, "command", index)
    return file.line(*service.path, "command")


def setting(file: File) -> Iterator[Found]:
    """Find variables of this program that say nothing, or that it never sees."""
    known = program.here(file)
    seen: dict[str, program.Given] = {}
    for service in file.ours:
        seen |= program.given(file, service)
        for variable in service.environment:
            yield from _unknown(file, variable.name, variable.path)
    for name, one in known.items():
        yield from _unknown(file, name, one.path)
        if file.ours and name in _VARIABLES and name not in seen:
            what = f"no service of this program names {name} in its environment"
            mend = f"name it there: - {name}"
            yield Found(file.line_of(one.path), what, mend, "the run does not see it")
    for name, one in (seen if file.ours else known).items():
        if name in _VARIABLES | _OF_AWS:
            try:
                program.settings([], {name: one.value})
            except UsageError as wrong:
                why = "the run ends with status 2, and sets nothing"
                yield Found(file.line_of(one.path), str(wrong), why=why)


def _unknown(file: File, name: str, path: Path) -> Iterator[Found]:
    if name.startswith(program.OURS) and name not in _VARIABLES and not name.endswith("*"):
        what = f"{shown(name)} is no variable of this program"
        yield Found(file.line_of(path), what, instead(name, _VARIABLES), "the run ignores it")


RULES = (
    Rule(
        "command",
        "the run ends with status 2 and nothing is set, or not what is meant",
        "correct it; docs/reference.md has the flags",
        command,
    ),
    Rule(
        "setting",
        "the run does not see it, or ends with status 2 for it",
        "correct it; docs/reference.md has the variables",
        setting,
    ),
)
