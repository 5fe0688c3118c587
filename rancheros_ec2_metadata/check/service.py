"""A service as RancherOS's libcompose reads it, and the settings that its run would have."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from posixpath import commonpath, join, normpath, relpath
from typing import NamedTuple

from rancheros_ec2_metadata import command_line, options
from rancheros_ec2_metadata.check.finding import Finding, finding
from rancheros_ec2_metadata.check.yaml_reader import FLAGS, Node
from rancheros_ec2_metadata.command_line import CommandLine
from rancheros_ec2_metadata.commands import AT_BOOT
from rancheros_ec2_metadata.errors import UsageError, quote
from rancheros_ec2_metadata.settings import Settings

# The default of a run; not searched for on the machine on which `check` runs.
ROS = "/usr/bin/ros"
VARIABLES = frozenset(option.variable for option in options.OPTIONS)
_FLAGS = frozenset(flag for one in options.OPTIONS if one.metavar for flag in one.flags)
_OURS = "ec2-metadata"


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
    def _image(self) -> tuple[str, str]:
        """Who its image is of, and the image's name."""
        path, _, name = self.node.at("image").text.partition("@")[0].rpartition("/")
        return path.rpartition("/")[2], name.partition(":")[0]

    @property
    def is_legacy(self) -> bool:
        """Whether it is the legacy amazon-metadata, by its image or the catalogue's name."""
        owner, image = (text.lower().replace("_", "-") for text in self._image)
        is_authors = owner == "deadroot" and _OURS in image
        return is_authors or "amazon-metadata" in image or self.name == "amazon-metadata"

    @property
    def looks_legacy(self) -> bool:
        """Whether it is defined as in the README of 2016; a service of this program may be too."""
        is_privileged = FLAGS.get(self.node.at("privileged").text.lower(), False)
        return is_privileged and any(one.shows(ROS, "/bin/ros") for one in self.volumes)

    @property
    def is_ours(self) -> bool:
        """Whether it runs this program, going by its name and its image's."""
        return not self.is_legacy and (_OURS in self._image[1] or _OURS in self.name)

    @cached_property
    def volumes(self) -> list[Volume]:
        """The folders of the machine that it sees."""
        found = []
        for item in self.node.at("volumes").items:
            source, place, mode = [*item.text.split(":"), "", ""][:3]
            if place.startswith("/"):
                found.append(Volume(normpath(source), normpath(place), mode, item.line))
        return found

    def read_pairs(self, key: str) -> dict[str, Node]:
        """Return the labels or the variables that it has, of a map or of a list of ``key=value``.

        RancherOS looks up the variables without a value.
        """
        found = dict(self.node.at(key).fields)
        for item in self.node.at(key).items:
            name, _, value = item.text.strip().partition("=")
            found[name] = Node("text", item.line, value)
        return found

    @cached_property
    def environ(self) -> dict[str, Node]:
        """The variables that the file gives it."""
        found: dict[str, Node] = {}
        for name, value in self.read_pairs("environment").items():
            if value.text:
                found[name] = value
                continue
            for key, node in self.here.items():
                own = key.removeprefix(f"{self.name}/")
                if own == name or (name.endswith("*") and own.startswith(name[:-1])):
                    found[own] = node
        return found

    @property
    def settings(self) -> Settings:
        """The settings of its run, as far as its command and its variables make sense."""
        return self._run[0]

    @property
    def wrong(self) -> list[Finding]:
        """What is wrong with its command or its variables."""
        return self._run[1]

    @cached_property
    def _run(self) -> tuple[Settings, list[Finding]]:
        words, wrong = self._words, list[Finding]()
        texts = [word.text for word in words]
        variables = {name: node.text for name, node in self.environ.items()}
        with contextlib.suppress(UsageError):
            return _parse(texts, variables), wrong
        # Flag by flag, and variable by variable: what is wrong with one hides nothing of another.
        starts = [at for at, text in enumerate(texts) if not at or text.startswith("-")]
        none = dict[str, str]()
        parts = [(texts[i:j], none, words[j - 1]) for i, j in pairwise([*starts, len(words)])]
        parts += [([], {name: node.text}, node) for name, node in self.environ.items()]
        texts, variables = [], none
        for part, variable, node in parts:
            try:
                _parse(texts + part, variables | variable)
            except UsageError as error:
                wrong.append(finding("command", node.line, f"{quote(self.name)}, {error}"))
            else:
                texts, variables = texts + part, variables | variable
        return _parse(texts, variables), wrong

    @property
    def _words(self) -> list[Node]:
        """The words of its command, each with its line."""
        command = self.node.at("command")
        if not command.items:  # the rule `wrong-type` reports an open quote
            return [replace(command, text=text) for text in command.words or ()]
        return [replace(item, text=text) for item in command.items for text in split(item.text)]


def split(item: str) -> list[str]:
    """Return an item of a command; two words if a flag and what belongs to it are in it."""
    flag, _, rest = item.partition(" ")
    return [flag, rest.strip()] if flag in _FLAGS and rest.strip() else [item]


def _parse(words: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Return the settings of a run.

    Raises:
        UsageError: the program does not take the words or a variable, or sets nothing so.
    """
    command, _, settings = parse_quietly(words, {"AWS_METADATA_ROS": ROS, **environ})
    if command not in AT_BOOT:
        raise UsageError(f"the command {command} sets no label and no variable")
    return settings


def parse_quietly(words: Sequence[str], environ: Mapping[str, str]) -> CommandLine:
    """Read a command line of a file, which must neither print nor end this program.

    Raises:
        UsageError: the program does not take it, or prints its help.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return command_line.parse(words, environ)
    except SystemExit:
        raise UsageError("--help and --version set no label and no variable") from None
