"""What this program would do as a service of the file: its settings and its variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rancheros_ec2_metadata import invocation, options
from rancheros_ec2_metadata.check.finding import Found
from rancheros_ec2_metadata.check.schema import similar
from rancheros_ec2_metadata.check.service import Service
from rancheros_ec2_metadata.check.yaml_reader import Node
from rancheros_ec2_metadata.commands import AT_BOOT
from rancheros_ec2_metadata.ec2 import instance
from rancheros_ec2_metadata.errors import UsageError, shown
from rancheros_ec2_metadata.settings import PROXY_NAMES, STATUS_VARIABLE, Settings

# What a run uses that is not told otherwise; not looked for on the machine this is checked on.
ROS = Path("/usr/bin/ros")
_MAPPED = (
    *("metadata", "label_prefixes", "mappings", "env_prefixes", "templates"),
    *("metadata_labels", "status_label", "env_file"),
)
_PREFIX = "AWS_METADATA_"
VARIABLES = frozenset(option.variable for option in options.OPTIONS)
# Of the variables of AWS's own, those of which a wrong value is a wrong usage.
_OF_AWS = frozenset(
    {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        "AWS_ENDPOINT_URL_EC2",
    }
)
_TAKES_VALUE = {flag: bool(one.metavar) for one in options.OPTIONS for flag in one.flags}
# A flag and what belongs to it in one item of a list: "-l TAG:TARGET".
_TWO_WORDS = re.compile(r"(-[A-Za-z]|--[a-z-]+)[ \t]+\S")
# RancherOS's own (os-config.yml, docker/env.go). The proxies are there where they are set.
_SYSTEM = frozenset({"VERSION", "SUFFIX", "REGISTRY_DOMAIN", "KERNEL_VERSION", *PROXY_NAMES})


@dataclass
class Program:
    """A service of this program, as the file has it.

    Args:
        service: that runs it.
        environ: the variables that the file gives it.
        settings: of the run, less what is wrong with them; None where it is no run.
        command_findings: what is wrong with its command.
        rejected: the words of the command that are.
    """

    service: Service
    environ: dict[str, Node]
    settings: Settings | None = None
    command_findings: list[Found] = field(default_factory=list)
    rejected: str = ""

    @property
    def mapped(self) -> list[object]:
        """The settings that decide what is written."""
        return [getattr(self.settings, name) for name in _MAPPED]


def read(service: Service, here: Mapping[str, Node]) -> Program:
    """Return what a service would do.

    Args:
        service: of this program.
        here: what the file sets in rancher.environment.
    """
    program = Program(service, _given(service, here))
    try:
        words = service.words()
    except ValueError:
        return program  # `wrong-type` has it
    called = words[0].text if words and words[0].text in invocation.COMMANDS else ""
    left = words[1:] if called else words
    if called and called not in AT_BOOT:
        what = f"{shown(service.name)} has the command {called}"
        why = "it sets no label and no variable"
        found = Found(service.line("command"), what, "take the word out", why)
        program.command_findings.append(found)
    elif called != "clean":
        good = _good_words(program, left)
        environ = {
            name: node.text
            for name, node in program.environ.items()
            if not isinstance(_settings([], {name: node.text}), UsageError)
        }
        settings = _settings(good, environ)
        program.settings = settings if isinstance(settings, Settings) else None
    return program


def wrong_variables(given: Mapping[str, Node]) -> Iterator[Found]:
    """Yield the variables of the program that have a wrong value."""
    for name, node in given.items():
        wrong = _settings([], {name: node.text}) if name in VARIABLES | _OF_AWS else None
        if isinstance(wrong, UsageError):
            why = "the run ends with status 2, and sets nothing"
            yield Found(node.line, str(wrong), why=why)


def unknown_variable(name: str, line: int) -> Iterator[Found]:
    """Yield what is wrong with the name of a variable."""
    if name.startswith(_PREFIX) and name not in VARIABLES and not name.endswith("*"):
        what = f"{shown(name)} is no variable of this program"
        yield Found(line, what, similar(name, VARIABLES), "the run ignores it")


def _given(service: Service, here: Mapping[str, Node]) -> dict[str, Node]:
    """Return the variables that a service is given by the file alone."""
    found: dict[str, Node] = {}
    for name, value, line in service.environment:
        if value:
            found[name] = Node("text", line, value)
            continue
        # RancherOS looks up the service's own first.
        for full in (f"{service.name}/{name}", name):
            stem = full[:-1] if full.endswith("*") else None
            matching = {
                key: node
                for key, node in here.items()
                if (key == full if stem is None else key.startswith(stem))
            }
            if matching:
                found |= {key.rpartition("/")[2]: node for key, node in matching.items()}
                break
    return found


def _good_words(program: Program, words: Sequence[Node]) -> list[str]:
    """Return the words that the program takes; of the others there is a finding."""
    name = shown(program.service.name)
    left = []
    for word in words:
        two = _TWO_WORDS.match(word.text) if program.service.node.at("command").items else None
        if two and two[1] in _TAKES_VALUE:
            what = f"{name} has {two[1]} and more in one item of its command"
            why = "nothing in a list is split, so the space is part of the value"
            program.command_findings.append(
                Found(word.line, what, "make an item of each word", why)
            )
            program.rejected += word.text
        else:
            left.append(word)
    texts = [word.text for word in left]
    if isinstance(_settings(texts, {}), Settings):
        return texts
    good: list[str] = []
    for piece in _pieces(left):
        texts = [word.text for word in piece]
        wrong = _settings(texts, {})
        if isinstance(wrong, Settings):
            good += texts
            continue
        lines = [word.line for word in piece if word.text and shown(word.text) in str(wrong)]
        line = (lines or [piece[0].line])[0]
        program.command_findings.append(Found(line, f"{name}, {wrong}"))
        program.rejected += " ".join(texts)
    return good


def _pieces(words: Sequence[Node]) -> Iterator[list[Node]]:
    """Yield each flag with its value."""
    left = list(words)
    while left:
        piece = [left.pop(0)]
        flag = piece[0].text
        bare = len(flag) == 2 or (flag.startswith("--") and "=" not in flag)
        unknown = flag.startswith("-") and bare and left and not left[0].text.startswith("-")
        if left and _TAKES_VALUE.get(flag, unknown):
            piece.append(left.pop(0))
        yield piece


def _settings(words: Sequence[str], environ: Mapping[str, str]) -> Settings | UsageError:
    """Return the settings of a run, or why the program does not take them."""
    environ = {"AWS_METADATA_ROS": str(ROS), **environ}
    try:
        return invocation.parse(["apply", *words], environ).settings
    except SystemExit:
        return UsageError("--help is no run")
    except UsageError as wrong:
        return wrong


@dataclass(frozen=True)
class Variables:
    """The variables that are known for the services of a file.

    Args:
        here: the file sets them in rancher.environment.
        ours: this program sets them, as a service of the file.
        prefixes: of names that --env-prefix makes of whatever tags there are.
        rejected: the words of commands that the program does not take; names may be in them.
        complete: this is all: the file has a service of this program.
    """

    here: frozenset[str]
    ours: frozenset[str]
    prefixes: tuple[str, ...]
    rejected: str
    complete: bool

    @property
    def all(self) -> frozenset[str]:
        """All of them, and RancherOS's own."""
        return self.here | self.ours | _SYSTEM

    def is_ours(self, name: str) -> bool:
        """Tell whether this program sets a variable of this name, or one that a star means."""
        if not name.endswith("*"):
            return name in self.ours or self.may_be(name)
        return any(one.startswith(name[:-1]) for one in self.ours) or self.may_be(name)

    def may_be(self, name: str) -> bool:
        """Tell whether --env-prefix may make a variable of this name, or one that a star means."""
        start = name.removesuffix("*")
        return any(
            start.startswith(prefix) or (start != name and prefix.startswith(start))
            for prefix in self.prefixes
        )


def variables(programs: Sequence[Program], here: Iterable[str]) -> Variables:
    """Return the variables that are known.

    Args:
        programs: the file's services of this program.
        here: the names that it sets in rancher.environment.
    """
    ours: set[str] = set()
    prefixes: list[str] = []
    every = [program.settings for program in programs if program.settings]
    for settings in every:
        ours.add(STATUS_VARIABLE)
        ours.update(instance.VARIABLES if settings.metadata else ())
        ours.update(one.target for one in settings.mappings if not one.is_config_path)
        ours.update(template.name for template in settings.templates)
        prefixes += [prefix.variable_prefix for prefix in settings.env_prefixes]
    rejected = " ".join(program.rejected for program in programs)
    complete = bool(every) and len(every) == len(programs)
    return Variables(frozenset(here), frozenset(ours), tuple(prefixes), rejected, complete)
