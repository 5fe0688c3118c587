"""A service as RancherOS's libcompose reads it: its labels, its environment, its command."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from rancheros_ec2_metadata.check.yaml_reader import Node

LABEL = "io.rancher.os."
_OURS = "ec2-metadata"
_IMAGE = re.compile(r"(.*/)?(?P<name>[^/:@]+)(:(?P<tag>[^/:@]+))?(?P<digest>@.+)?", re.DOTALL)
_LEGACY = re.compile(
    r"(.*/)?(deadroot/rancheros-ec2-metadata|[^/:@]*amazon-metadata[^/:@]*)([:@].*)?"
)
_SHELL = re.compile(r"(.*/)?(ba|da|a)?sh", re.DOTALL)


class Variable(NamedTuple):
    """An item of ``environment``; ``value`` is empty where RancherOS looks it up."""

    name: str
    value: str
    line: int


@dataclass(frozen=True)
class Service:
    """A service: its name, and its definition."""

    name: str
    node: Node

    @property
    def image(self) -> re.Match[str] | None:
        """The image's ``name``, ``tag`` and ``digest``; None where there is none."""
        return _IMAGE.fullmatch(self.text("image"))

    @property
    def is_legacy(self) -> bool:
        """Whether it is the program of 2016, by its image or, in the catalogue, by its name."""
        return bool(_LEGACY.fullmatch(self.text("image"))) or self.name == "amazon-metadata"

    @property
    def looks_legacy(self) -> bool:
        """Whether it is written as the README of 2016 has it; this program may be too."""
        volumes = {item.text.partition(":ro")[0] for item in self.node.at("volumes").items}
        return self.node.at("privileged").is_true and "/usr/bin/ros:/bin/ros" in volumes

    @property
    def is_ours(self) -> bool:
        """Whether it runs this program, going by its name and its image's."""
        image = self.image["name"] if self.image else ""
        return not self.is_legacy and (_OURS in image or _OURS in self.name)

    @property
    def by_cron(self) -> bool:
        """Whether RancherOS's system-cron starts it."""
        return "cron.schedule" in self.labels

    def text(self, key: str) -> str:
        """Return a scalar of its definition; empty where it is none."""
        return self.node.at(key).text

    def line(self, key: str) -> int:
        """Return the line of a key, or its own."""
        return self.node.at(key).line

    @cached_property
    def labels(self) -> dict[str, Node]:
        """The labels, from a map, or from a list of ``key=value``."""
        node = self.node.at("labels")
        pairs = [(item.text.strip().partition("="), item.line) for item in node.items]
        return {**node.fields, **{key: Node("text", at, text) for (key, _, text), at in pairs}}

    def label(self, name: str) -> str:
        """Return the label ``io.rancher.os.NAME``, empty where there is none."""
        return self.labels.get(LABEL + name, Node("null")).text

    def names(self, label: str) -> set[str]:
        """Return the names in a label that has several."""
        return {name.strip() for name in self.label(label).split(",")} - {""}

    @cached_property
    def environment(self) -> tuple[Variable, ...]:
        """The variables, in order, from a list or a map."""
        node = self.node.at("environment")
        pairs = [(item.text.partition("="), item.line) for item in node.items]
        found = [Variable(name, value, line) for (name, _, value), line in pairs if name]
        return (*found, *(Variable(key, one.text, one.line) for key, one in node.fields.items()))

    def words(self, key: str = "command") -> list[Node]:
        """Return the words of a command: a list is taken as it is, a text is split.

        Raises:
            ValueError: the text is no command line.
        """
        node = self.node.at(key)
        if node.is_scalar:
            return [Node("text", node.line, word) for word in shlex.split(node.text)]
        return [item for item in node.items if item.is_scalar]

    @cached_property
    def through_shell(self) -> bool:
        """Whether a shell in the container reads the command, which has variables of its own."""
        try:
            words = [word.text for word in (*self.words("entrypoint"), *self.words())]
        except ValueError:
            return False
        is_shell = bool(words and _SHELL.fullmatch(words[0]))
        return is_shell and any(re.fullmatch("-[a-z]*c", word) for word in words[1:3])
