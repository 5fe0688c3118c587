"""A service as RancherOS's libcompose reads it: its labels, its environment, its command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from rancheros_ec2_metadata.check.places import Path
from rancheros_ec2_metadata.rancheros.ros_scalars import text_of
from rancheros_ec2_metadata.rancheros.ros_yaml import Node

_OURS = "ec2-metadata"
_IMAGE = re.compile(r"(?:.*/)?(?P<name>[^/:@]+)(?::(?P<tag>[^/:@]+))?(?P<digest>@.+)?")


@dataclass(frozen=True)
class Variable:
    """An item of ``environment``; ``value`` is None where RancherOS looks it up."""

    name: str
    value: str | None
    path: Path


@dataclass(frozen=True)
class Service:
    """A service.

    Args:
        name: its key.
        path: where it stands in the file.
        tree: its definition.
    """

    name: str
    path: Path
    tree: Mapping[str, Node]

    @property
    def is_ours(self) -> bool:
        """Whether it runs this program, going by its name and its image's."""
        image = self.image
        return _OURS in self.name or (image is not None and _OURS in image["name"])

    @property
    def image(self) -> re.Match[str] | None:
        """The image's ``name``, ``tag`` and ``digest``; None where there is none to read."""
        return _IMAGE.fullmatch(self.text("image"))

    @property
    def by_cron(self) -> bool:
        """Whether RancherOS's system-cron starts it."""
        return "cron.schedule" in self.labels

    @property
    def in_system_docker(self) -> bool:
        """Whether it runs in system-docker."""
        return self.labels.get("io.rancher.os.scope") == "system"

    def text(self, key: str) -> str:
        """Return a value as text; empty where it is none."""
        return _text(self.tree.get(key)) or ""

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list's items as texts; of a text, that one."""
        node = self.tree.get(key)
        items = node if isinstance(node, list) else [node]
        return tuple(text for item in items if (text := _text(item)) is not None)

    def label_path(self, key: str) -> Path:
        """Return where a label is, or where it would be."""
        labels = self.tree.get("labels")
        for index, item in enumerate(labels if isinstance(labels, list) else ()):
            if (_text(item) or "").partition("=")[0].strip() == key:
                return (*self.path, "labels", index)
        return (*self.path, "labels", key)

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels: from a map, or from a list of ``key=value``."""
        node = self.tree.get("labels")
        if isinstance(node, dict):
            return {key: text for key, value in node.items() if (text := _text(value)) is not None}
        pairs = (text.strip().partition("=") for text in self.texts("labels"))
        return {key: value for key, _, value in pairs}

    @cached_property
    def environment(self) -> tuple[Variable, ...]:
        """The variables, in order: from a list, or from a map. An empty value is looked up."""
        path = (*self.path, "environment")
        node = self.tree.get("environment")
        if isinstance(node, dict):
            return tuple(Variable(k, _text(v) or None, (*path, k)) for k, v in node.items())
        found = []
        for index, item in enumerate(node if isinstance(node, list) else ()):
            name, _, value = (_text(item) or "").partition("=")
            if name:
                found.append(Variable(name, value or None, (*path, index)))
        return tuple(found)

    def words(self, key: str = "command") -> list[str]:
        """Return the words of a command: a list is taken as it is, a text is split.

        Raises:
            ValueError: the text is no command line.
        """
        node = self.tree.get(key)
        return shlex.split(node) if isinstance(node, str) else list(self.texts(key))

    @cached_property
    def through_shell(self) -> bool:
        """Whether a shell in the container reads the command, which has variables of its own."""
        try:
            words = [*self.words("entrypoint"), *self.words()]
        except ValueError:
            return False
        shells = ("sh", "ash", "bash", "dash")
        first = words[0].rpartition("/")[2] if words else ""
        return first in shells and any(re.fullmatch("-[a-z]*c", word) for word in words[1:3])


def services(tree: Mapping[str, Node], path: Path) -> Iterator[Service]:
    """Yield the services of a map that stands at ``path``."""
    for name, node in tree.items():
        if isinstance(node, dict):
            yield Service(name, (*path, name), node)


def _text(node: Node) -> str | None:
    return None if node is None or isinstance(node, list | dict) else text_of(node)
