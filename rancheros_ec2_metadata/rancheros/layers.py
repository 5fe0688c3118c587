"""What is in force on a RancherOS machine, and which file says so."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.rancheros import command_line, config_types, trees
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.characters import Fate, first_with
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.rancheros.ros_scalars import Scalar, text_of
from rancheros_ec2_metadata.rancheros.ros_yaml import Node, Outcome, UnusableError, parse
from rancheros_ec2_metadata.rancheros.trees import Path

DROP_IN = f"cloud-config.d/{paths.DROP_IN_NAME}"
CLOUD_CONFIG = "cloud-config.yml"
KERNEL = "kernel command line"

ENVIRONMENT: Path = ("rancher", "environment")
DOCKER: Path = ("rancher", "docker")


@dataclass(frozen=True)
class Layer:
    """One file, or command line, that ``ros`` merges over the weaker ones.

    Args:
        name: as an operator knows it: ``cloud-config.d/boot.yml``.
        path: the file; None for a command line.
        data: what it sets; empty where there is a problem.
        problem: why ``ros`` does not load it, or why we cannot.
        outcome: what the problem does to ``ros``; UNKNOWN: it may set anything.
    """

    name: str
    path: str | None
    data: dict[str, Node] = field(default_factory=dict, repr=False)
    problem: str | None = None
    outcome: Outcome = Outcome.SKIPPED

    @property
    def unread(self) -> bool:
        """Whether ``ros`` may read from it what we could not."""
        return self.problem is not None and self.outcome is Outcome.UNKNOWN


@dataclass(frozen=True)
class Layers:
    """All layers of a machine, weakest first."""

    layers: tuple[Layer, ...]
    release: Release

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    @cached_property
    def merged(self) -> dict[str, Node]:
        """All layers in one tree: maps merge key by key, all else replaces."""
        tree: dict[str, Node] = {}
        for layer in self.layers:
            tree = trees.merged(tree, layer.data)
        return tree

    def get(self, path: Path) -> Node:
        """Return what is in force at ``path``; None where nothing or a null is."""
        return trees.at(self.merged, path)

    def setter(self, path: Path) -> Layer | None:
        """Return the layer whose word counts at ``path``.

        It is the strongest that has the path, or a null or anything but a map above it.
        """
        return next(
            (layer for layer in reversed(self.layers) if trees.sets(layer.data, path)), None
        )

    def shadow(self, path: Path) -> Layer | None:
        """Return the strongest layer that hides what our drop-in says at ``path``, if any does."""
        setter = self.setter(path)
        return setter if setter and self.is_above_drop_in(setter) else None

    def is_above_drop_in(self, layer: Layer) -> bool:
        """Tell whether a layer is stronger than our drop-in is, or would be if it were there."""
        if layer.path in (None, paths.CLOUD_CONFIG, paths.COMMAND_LINE):
            return True
        in_folder = layer.path.startswith(f"{paths.CLOUD_CONFIG_D}/")
        return in_folder and os.fsencode(layer.path) > os.fsencode(paths.DROP_IN)

    def only(self, path: str) -> Layers:
        """Return the one layer that is the file at ``path``, or none."""
        alone = tuple(layer for layer in self.layers if layer.path == path)
        return Layers(alone, self.release)

    def below(self, name: str) -> Layers:
        """Return the layers weaker than the one of this name."""
        names = [layer.name for layer in self.layers]
        weaker = self.layers[: names.index(name)] if name in names else self.layers
        return Layers(weaker, self.release)

    def without(self, name: str) -> Layers:
        """Return the layers as they are without the one of this name."""
        return _assembled((layer for layer in self.layers if layer.name != name), self.release)

    def docker_arguments(self, key: str) -> tuple[str, ...]:
        """Return the list in force at rancher.docker.``key``: ``args`` or ``extra_args``."""
        return self.texts((*DOCKER, key)) if key in self.release.argument_keys else ()

    def texts(self, path: Path) -> tuple[str, ...]:
        """Return the list in force at ``path``, its items as text; empty where there is none."""
        items = self.get(path)
        return tuple(text_of(_scalar(i)) for i in items) if isinstance(items, list) else ()

    def environment(self) -> dict[str, str]:
        """Return rancher.environment as ``ros config get`` prints it."""
        values = self.get(ENVIRONMENT)
        if not isinstance(values, dict):
            return {}
        # v0.4 prints a null in Go's own way.
        null = "" if self.release.survives_broken_files else "<nil>"
        return {k: null if v is None else text_of(_scalar(v)) for k, v in values.items()}

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with single layers, a line for each."""
        return tuple(f"{layer.name}: {layer.problem}" for layer in self.layers if layer.problem)

    @property
    def unread(self) -> tuple[Layer, ...]:
        """The layers that may set anything, for all we know."""
        return tuple(layer for layer in self.layers if layer.unread)

    @cached_property
    def fatal(self) -> str | None:
        """Why every ``ros config get`` fails, naming the layer; None if it does not."""
        for layer in self.layers:
            skipped = layer.outcome is Outcome.SKIPPED and self.release.survives_broken_files
            if layer.problem and not (skipped or layer.unread):
                return f"{layer.name}: {layer.problem}"
        return self._breaking_character()

    def _breaking_character(self) -> str | None:
        known = {key: node for key, node in self.merged.items() if config_types.is_known(key)}
        for path, text in trees.texts(known):
            character = first_with((Fate.FATAL, Fate.LOST), text)
            if character:
                layer = self.setter(path)
                where = layer.name if layer else KERNEL
                return f"{where}: U+{ord(character):04X} in a key or value"
        return None


def stack(disk: Disk, release: Release) -> Layers:
    """Return the layers of ``disk`` as this release loads them.

    Args:
        disk: the files.
        release: which of them it loads, and how.
    """
    files = (
        paths.OS_CONFIG,
        paths.OEM_CONFIG,
        paths.CLOUD_CONFIG_D,  # a layer only if it cannot be listed
        *disk.drop_ins(),
        paths.CLOUD_CONFIG,
        paths.COMMAND_LINE,
    )
    layers = []
    for path in files:
        if path in disk.unreadable:
            layers.append(_unreadable_layer(path, disk.unreadable[path]))
        elif path in disk.files:
            layers.append(_layer(path, disk.files[path]))
    return _assembled(layers, release)


def _assembled(layers: Iterable[Layer], release: Release) -> Layers:
    """Return the layers with what the EXTRA_CMDLINE among them sets, over all others."""
    base = tuple(layer for layer in layers if not layer.name.startswith("EXTRA_CMDLINE"))
    without = Layers(base, release)
    text = without.get(("EXTRA_CMDLINE",))
    if not release.reads_extra_cmdline or not isinstance(text, str):
        return without
    setter = without.setter(("EXTRA_CMDLINE",))
    where = f"EXTRA_CMDLINE of {setter.name}" if setter else "EXTRA_CMDLINE"
    return replace(without, layers=(*base, _command_line_layer(where, text)))


def _unreadable_layer(path: str, why: str) -> Layer:
    # Where a folder is in the way, `ros` cannot read either.
    known = why in (paths.FOLDER, paths.NO_FOLDER)
    outcome = Outcome.SKIPPED if known else Outcome.UNKNOWN
    return Layer(_name(path), path, problem=f"cannot be read: {why}", outcome=outcome)


def _layer(path: str, raw: bytes) -> Layer:
    name = _name(path)
    if path == paths.COMMAND_LINE:
        return _command_line_layer(name, raw.decode("utf-8", "replace"))
    try:
        data = parse(raw)
    except UnusableError as error:
        return Layer(name, path, problem=str(error), outcome=error.outcome)
    wrong = config_types.wrong_type(data)
    return Layer(name, path, {} if wrong else data, wrong)


def _command_line_layer(name: str, text: str) -> Layer:
    data = command_line.parse(text)
    wrong = config_types.wrong_type(data)
    # A file is tried by itself first. A command line is not, and takes everything with it.
    return Layer(name, None, {} if wrong else data, wrong, Outcome.FATAL)


def _name(path: str) -> str:
    if path == paths.COMMAND_LINE:
        return KERNEL
    if not path.startswith(paths.CONF):
        return path.rpartition("/")[2]
    name = path.removeprefix(f"{paths.CONF}/")
    return name if name.isprintable() else shown(name)


def _scalar(node: Node) -> Scalar:
    return None if isinstance(node, list | dict) else node
