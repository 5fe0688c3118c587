"""A service as RancherOS's libcompose reads it, and what this program would do as it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from posixpath import commonpath, join, normpath, relpath
from typing import NamedTuple

from rancheros_ec2_metadata import invocation, options
from rancheros_ec2_metadata.check.finding import Found
from rancheros_ec2_metadata.check.yaml_reader import FLAGS, Node
from rancheros_ec2_metadata.commands import AT_BOOT
from rancheros_ec2_metadata.errors import UsageError, shown
from rancheros_ec2_metadata.settings import Settings

LABEL = "io.rancher.os."
# What a run uses that is not told otherwise; not looked for on the machine this is checked on.
ROS = "/usr/bin/ros"
VARIABLES = frozenset(option.variable for option in options.OPTIONS)
_FLAGS = frozenset(flag for one in options.OPTIONS if one.metavar for flag in one.flags)
# A flag and what belongs to it in one item of a list: "-l TAG:TARGET".
_TWO_WORDS = re.compile(r"(-[A-Za-z]|--[a-z-]+)[ \t]+\S")
_OURS = "ec2-metadata"
_LEGACY = re.compile(
    r"(.*/)?(deadroot/[^/:@]*ec2-metadata|[^/:@]*amazon[-_]metadata)[^/:@]*([:@].*)?",
    re.IGNORECASE,
)


class Volume(NamedTuple):
    """A folder of the machine, and where the container has it."""

    source: str
    place: str
    mode: str
    line: int

    def shows(self, path: str, target: str) -> bool:
        """Tell whether the container sees one of the machine's paths at ``target``."""
        is_in_it = commonpath([self.place, target]) == self.place
        return is_in_it and normpath(join(self.source, relpath(target, self.place))) == path


@dataclass(frozen=True)
class Service:
    """A service.

    Args:
        name: its key.
        node: its definition.
        here: what the file sets in rancher.environment.
    """

    name: str
    node: Node
    here: dict[str, Node]

    @property
    def shown(self) -> str:
        """Its name, as it may be printed."""
        return shown(self.name)

    @property
    def is_legacy(self) -> bool:
        """Whether it is the program of 2016, by its image or, in the catalogue, by its name."""
        is_its_image = _LEGACY.fullmatch(self.node.at("image").text)
        return bool(is_its_image) or self.name == "amazon-metadata"

    @property
    def looks_legacy(self) -> bool:
        """Whether it is written as the README of 2016 has it; this program may be too."""
        is_privileged = FLAGS.get(self.node.at("privileged").text.lower(), False)
        return is_privileged and any(one.shows(ROS, "/bin/ros") for one in self.volumes)

    @property
    def is_ours(self) -> bool:
        """Whether it runs this program, going by its name and its image's."""
        image = self.node.at("image").text.partition("@")[0].rpartition("/")[2].partition(":")[0]
        return not self.is_legacy and (_OURS in image or _OURS in self.name)

    @property
    def by_cron(self) -> bool:
        """Whether RancherOS's system-cron starts it."""
        return "cron.schedule" in self.labels

    def line(self, key: str) -> int:
        """Return the line of a key, or its own."""
        return self.node.at(key).line

    def label(self, name: str) -> str:
        """Return the label ``io.rancher.os.NAME``, empty where there is none."""
        return self.labels.get(LABEL + name, Node("null")).text

    @cached_property
    def volumes(self) -> list[Volume]:
        """The folders of the machine that it sees."""
        parts = [([*item.text.split(":"), ""], item.line) for item in self.node.at("volumes").items]
        return [
            Volume(normpath(one[0]), normpath(one[1]), one[2], line)
            for one, line in parts
            if len(one) > 2 and one[1].startswith("/")
        ]

    @cached_property
    def labels(self) -> dict[str, Node]:
        """The labels."""
        return dict(self._pairs("labels"))

    @cached_property
    def environment(self) -> list[tuple[str, Node]]:
        """The variables that it names; RancherOS looks up those without a value."""
        return self._pairs("environment")

    def _pairs(self, key: str) -> list[tuple[str, Node]]:
        """Return what a map has, or a list of ``key=value``."""
        found = list(self.node.at(key).fields.items())
        for item in self.node.at(key).items:
            name, _, value = item.text.strip().partition("=")
            found.append((name, Node("text", item.line, value)))
        return found

    @cached_property
    def environ(self) -> dict[str, Node]:
        """The variables that the file gives it."""
        found: dict[str, Node] = {}
        for name, value in self.environment:
            if value.text:
                found[name] = value
                continue
            for key, node in self.here.items():
                own = key.removeprefix(f"{self.name}/")
                if own == name or (name.endswith("*") and own.startswith(name[:-1])):
                    found[own] = node
        return found

    @property
    def settings(self) -> Settings | None:
        """The settings of its run; None where it is none, or one that ends at once."""
        return self._run[0]

    @property
    def wrong(self) -> list[Found]:
        """What is wrong with its command or its variables."""
        return self._run[1]

    @cached_property
    def _run(self) -> tuple[Settings | None, list[Found]]:
        node, wrong = self.node.at("command"), []
        for item in node.items:
            two = _TWO_WORDS.match(item.text)
            if two and two[1] in _FLAGS:
                what = f"{self.shown} has {two[1]} and more in one item of its command"
                why = "nothing in a list is split, so the space is part of the value"
                wrong.append(Found(item.line, what, "make an item of each word", why))
        environ = {name: value.text for name, value in self.environ.items()}
        try:
            words = [one.text for one in node.items] or shlex.split(node.text)
            return _parse(words, {"AWS_METADATA_ROS": ROS, **environ}), wrong
        except UsageError as error:
            lines = [one.line for one in node.items if one.text and shown(one.text) in str(error)]
            lines += [one.line for name, one in self.environ.items() if name in str(error)]
            if not wrong:
                wrong.append(Found((lines or [node.line])[0], f"{self.shown}, {error}"))
        except ValueError:
            pass  # `wrong-type` has it
        return None, wrong


def _parse(words: Sequence[str], environ: dict[str, str]) -> Settings | None:
    """Return the settings of a run; None for `clean`.

    Raises:
        UsageError: the program does not take the words or a variable, or sets nothing so.
    """
    if {"--help", "-h", "--version"} & {*words}:
        raise UsageError("--help and --version set no label and no variable")
    command, _, settings = invocation.parse(words, environ)
    if command not in AT_BOOT:
        raise UsageError(f"the command {command} sets no label and no variable")
    return settings if command == "apply" else None
