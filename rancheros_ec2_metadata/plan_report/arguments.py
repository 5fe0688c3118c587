"""Docker's arguments as they would be, each with the layer or the tag that gives it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rancheros_ec2_metadata.plan import arguments
from rancheros_ec2_metadata.plan.lists import ArgumentList
from rancheros_ec2_metadata.plan.planning import Plan
from rancheros_ec2_metadata.plan.provenance import Source
from rancheros_ec2_metadata.rancheros.layers import CLOUD_CONFIG, DROP_IN, Layers


@dataclass(frozen=True)
class Argument:
    """One item of a list.

    Args:
        text: of it; of one that cloud-config.yml sets, its option alone.
        change: against the list in force now.
        layer: the file, or command line, that sets it; None for one of ours.
        source: what gives one of ours; None where it goes, or is the user's.
    """

    text: str
    change: Literal["comes", "stays", "goes"]
    layer: str | None
    source: Source | None


@dataclass(frozen=True)
class Arguments:
    """One list of Docker's arguments.

    Args:
        key: ``args`` or ``extra_args``, below rancher.docker.
        layer: where the user's items are from; None where no file sets the list.
        written: the file that we would write the list into; None where it stays as it is.
        stronger: the layer that sets it over any file of ours, if one does.
        items: in their order, then those that go.
    """

    key: str
    layer: str | None
    written: str | None
    stronger: str | None
    items: tuple[Argument, ...]


def told(one: ArgumentList, plan: Plan, now: Layers) -> Arguments:
    """Return a list of ``plan``, told.

    Args:
        one: the list.
        plan: that it is of.
        now: the layers as they are.
    """
    homes = {"drop-in": DROP_IN, "cloud-config.yml": CLOUD_CONFIG, "shadowed": None}
    user = one.user
    return Arguments(
        key=user.key,
        layer=user.setter if user.items else None,
        written=homes[user.home] if one.changed else None,
        stronger=user.setter if user.home == "shadowed" else None,
        items=tuple(_items(one, plan, now)),
    )


def _items(one: ArgumentList, plan: Plan, now: Layers) -> Iterator[Argument]:
    before = now.docker_arguments(one.user.key)
    after = plan.predicted.docker_arguments(one.user.key)
    sources = dict(zip(one.ours, map(plan.desired.sources.labels.get, plan.labels), strict=False))
    for item in after:
        change: Literal["comes", "stays"] = "stays" if item in before else "comes"
        if item in sources:
            yield Argument(item, change, None, sources[item])
        else:
            yield Argument(_shown(one, item), change, one.user.setter, None)
    for item in before:
        if item not in after:
            ours = item in plan.given.state.items
            layer = None if ours else one.user.setter
            yield Argument(item if ours else _shown(one, item), "goes", layer, None)


def _shown(one: ArgumentList, item: str) -> str:
    """Return an item of the user's: cloud-config.yml's values are nobody's to read."""
    return arguments.named(item) if one.user.setter == CLOUD_CONFIG else item
