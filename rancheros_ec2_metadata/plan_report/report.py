"""A plan, told: what comes, changes, stays and goes, where from, and when it counts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from rancheros_ec2_metadata.diff import diff
from rancheros_ec2_metadata.errors import UsageError
from rancheros_ec2_metadata.plan import config_paths, provenance
from rancheros_ec2_metadata.plan.planning import Plan
from rancheros_ec2_metadata.plan.provenance import LeftOut, Source
from rancheros_ec2_metadata.plan_report import arguments, before
from rancheros_ec2_metadata.plan_report.arguments import Arguments
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.layers import stack

Change = Literal["comes", "changes", "stays", "goes"]
Boot = Literal["this boot", "next boot"]

OF_LABELS = "when Docker starts"
OF_VARIABLES = "for services that start after the run"


@dataclass(frozen=True)
class File:
    """A file that would be written or removed, and the lines of its diff."""

    path: str
    action: Literal["create", "change", "remove"]
    diff: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """A label, a variable or a config value of ours.

    Args:
        name: of it.
        change: against what our files say now.
        before: its value there; None where it is not.
        after: its value as planned; None where it goes.
        source: what gives it; None where it goes.
        stronger: the layer that is stronger, where it is not in force.
        boot: the boot at which it counts, if the run is before Docker.
        when: the same, in words.
    """

    name: str
    change: Change
    before: str | None
    after: str | None
    source: Source | None
    stronger: str | None
    boot: Boot
    when: str


@dataclass(frozen=True)
class Report:
    """What a run would do.

    Args:
        instance_id: None where EC2 did not say.
        outcome: as EC2_METADATA_STATUS would have it; None on a machine that is not on EC2.
        release: of RancherOS; empty where it is not known.
        files: in the order of writing.
        labels: by name, as are the others.
        left_out: what is asked for and not set, or not in force.
    """

    instance_id: str | None
    outcome: str | None
    release: str
    files: tuple[File, ...]
    labels: tuple[Item, ...]
    variables: tuple[Item, ...]
    config: tuple[Item, ...]
    arguments: tuple[Arguments, ...]
    left_out: tuple[LeftOut, ...]


def report(plan: Plan, where: Mapping[str, str]) -> Report:
    """Return what ``plan`` would do to the machine that it was made for.

    Args:
        plan: is told.
        where: where EC2 says each variable of the metadata (Facts.sources).
    """
    plan = replace(plan, desired=replace(plan.desired, sources=_located(plan, where)))
    desired, given = plan.desired, plan.given
    now = stack(given.disk, given.release)
    left_out = tuple(_left_out(plan, where))
    stronger = {(one.kind, one.name): one.by for one in left_out if one.by is not None}

    def items(
        kind: provenance.Kind,
        old: Mapping[str, str],
        new: Mapping[str, str],
        sources: Mapping[str, Source],
    ) -> tuple[Item, ...]:
        return tuple(
            Item(
                name,
                _change(old.get(name), new.get(name)),
                old.get(name),
                new.get(name),
                sources.get(name),
                stronger.get((kind, name)),
                *_effect(kind, name),
            )
            for name in sorted({*old, *new})
        )

    config = {path: before.text(value) for path, value in desired.config.items()}
    sources = desired.sources
    return Report(
        instance_id=plan.state.instance_id,
        outcome=plan.state.status,
        release=given.release.text,
        files=tuple(_files(plan)),
        labels=items("label", before.labels(plan, now), plan.labels, sources.labels),
        variables=items("variable", before.variables(now), plan.variables, sources.variables),
        config=items("config path", before.config(now), config, sources.config),
        arguments=tuple(arguments.told(one, plan, now) for one in plan.composed),
        left_out=left_out,
    )


def told(source: Source) -> str:
    """Return a source in words, a field of the metadata with where EC2 says it."""
    if source.kind == "metadata":
        return f"metadata: {source.where or source.name}"
    return str(source)


def _located(plan: Plan, where: Mapping[str, str]) -> provenance.Sources:
    """Return the sources of a plan, those of metadata with where EC2 says it."""
    sources = plan.desired.sources
    labels = {name: _with_place(source, where) for name, source in sources.labels.items()}
    variables = {name: _with_place(source, where) for name, source in sources.variables.items()}
    return replace(sources, labels=labels, variables=variables)


def _with_place(source: Source, where: Mapping[str, str], unsaid: str = "the last run") -> Source:
    if source.kind != "metadata":
        return source
    return replace(source, where=where.get(source.name, unsaid))


def _left_out(plan: Plan, where: Mapping[str, str]) -> Iterator[LeftOut]:
    of_kind = {
        "label": plan.desired.sources.labels,
        "variable": plan.desired.sources.variables,
        "config path": plan.desired.sources.config,
    }
    for one in chain.from_iterable(note.left_out for note in plan.notes):
        source = one.source or of_kind[one.kind].get(one.name)
        source = source and _with_place(source, where, source.name)
        yield LeftOut(one.kind, one.name, one.reason, source, one.by)


def _change(old: str | None, new: str | None) -> Change:
    if old is None:
        return "comes"
    if new is None:
        return "goes"
    return "stays" if old == new else "changes"


def _effect(kind: provenance.Kind, name: str) -> tuple[Boot, str]:
    if kind == "label":
        return "this boot", OF_LABELS
    if kind == "variable":
        return "this boot", OF_VARIABLES
    try:
        effect = config_paths.find(name).effect
    except UsageError:  # of an older version, or put into our file by hand
        effect = config_paths.NEXT_BOOT
    return "this boot" if effect == config_paths.THIS_BOOT else "next boot", effect


def _files(plan: Plan) -> Iterator[File]:
    """Yield each file once: the state may be written on the way to what it shall be."""
    whole: dict[str, FileChange] = {}
    for change in plan.changes:
        first = whole.get(change.path, change)
        whole[change.path] = FileChange(change.path, first.before, change.after)
    ours = {*plan.state.items, *plan.given.state.items}
    for path, change in whole.items():
        if change.before is None:
            yield File(path, "create", tuple(diff([change], ours)))
        else:
            action: Literal["change", "remove"] = "remove" if change.after is None else "change"
            yield File(path, action, tuple(diff([change], ours)))
