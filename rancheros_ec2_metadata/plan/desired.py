"""The desired state: tags and metadata to labels, variables and config values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from rancheros_ec2_metadata.errors import Note, info, quote
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.plan.env_file import EnvFile, explain_unholdable
from rancheros_ec2_metadata.plan.labels import STATUS_LABEL, map_labels
from rancheros_ec2_metadata.plan.provenance import Kind, LeftOut, Source, Sources
from rancheros_ec2_metadata.plan.variables import Chosen, Place, map_variables
from rancheros_ec2_metadata.settings import DEFAULT_PREFIXES, STATUS_VARIABLE, Settings


class Desired(NamedTuple):
    """What the machine shall have, and what was decided on the way.

    Args:
        labels: Docker's labels.
        variables: environment variables, each of which the host can carry.
        config: values by config path.
        env_file: the file of --env-file, each variable of which Docker reads there.
        notes: what was refused, left out or lost, and why.
        sources: of each; empty if no longer known.
    """

    labels: Mapping[str, str]
    variables: Mapping[str, str]
    config: Mapping[str, config_paths.Value]
    env_file: EnvFile | None = None
    notes: tuple[Note, ...] = ()
    sources: Sources = Sources()

    def with_outcome(self, outcome: str) -> Desired:
        """Return the same with another outcome of the run, wherever it is said."""
        said = {STATUS_VARIABLE: outcome}
        env_file = self.env_file
        if env_file is not None:
            env_file = env_file._replace(variables={**env_file.variables, **said})
        labels = dict(self.labels)
        source = self.sources.labels.get(STATUS_LABEL)
        if source is not None and source.kind == "outcome":
            labels[STATUS_LABEL] = outcome
        variables = {**self.variables, **said}
        return self._replace(labels=labels, variables=variables, env_file=env_file)


NOTHING = Desired({}, {}, {})

Carries: TypeAlias = Callable[[str], str | None]
"""Returns why a host's environment cannot carry a value; None if it can."""


def make_desired(  # noqa: PLR0913 - what EC2 said, in its parts
    settings: Settings,
    metadata: Mapping[str, str],
    tags: Mapping[str, str],
    status: str | None,
    carries: Carries,
    *,
    tags_known: bool = True,
) -> Desired:
    """Return what ``tags`` and ``metadata`` ask for under ``settings``.

    Args:
        settings: the run's.
        metadata: AWS_ variables by name.
        tags: all tags known, used or not.
        status: the outcome to write into EC2_METADATA_STATUS; None leaves it out.
        carries: of the host.
        tags_known: a tag that is not among them is not on the instance.
    """
    notes: list[Note] = []
    labels, of_labels = map_labels(settings, metadata, tags, notes)
    here = Place("variable", lambda _, value: carries(value))
    chosen = map_variables(settings, metadata, tags, notes, here)
    variables, of_variables = chosen.values, chosen.sources
    exported: dict[str, str] = {}
    if settings.env_file is not None:
        again: list[Note] = []
        there = Place("env-file variable", explain_unholdable, " in the file of --env-file")
        exported = map_variables(settings, metadata, tags, again, there).values
        notes.extend(note for note in again if note not in notes)
    if status is not None:
        outcome = Source("outcome", STATUS_VARIABLE)
        variables[STATUS_VARIABLE], of_variables[STATUS_VARIABLE] = status, outcome
        exported[STATUS_VARIABLE] = status
        if settings.status_label:
            labels[STATUS_LABEL], of_labels[STATUS_LABEL] = status, outcome
    config, of_config = _map_config(settings, tags, notes, carries)
    sources = Sources(of_labels, of_variables, of_config)
    if tags_known:
        notes.extend(_note_untagged(settings, tags, sources))
    env_file = EnvFile.of(settings, exported)
    return Desired(labels, variables, config, env_file, tuple(notes), sources)


def _map_config(
    settings: Settings, tags: Mapping[str, str], notes: list[Note], carries: Carries
) -> tuple[dict[str, config_paths.Value], dict[str, Source]]:
    def refuse(target: str, text: str) -> str | None:
        try:
            config_paths.find(target).read(text)
        except ValueError as refused:
            return str(refused)
        return carries(text)

    chosen = Chosen(Place("config path", refuse), notes)
    for mapping in settings.mappings:
        if mapping.is_config_path and mapping.tag in tags:
            chosen.put(mapping.target, tags[mapping.tag], Source("tag", mapping.tag))
    values: dict[str, config_paths.Value] = {}
    for target, text in chosen.values.items():
        path = config_paths.find(target)
        values[target] = path.read(text)
        notes.append(info(f"{target} from {chosen.sources[target]}, {path.effect}"))
    return values, chosen.sources


def _note_untagged(settings: Settings, tags: Mapping[str, str], sources: Sources) -> Iterator[Note]:
    """Yield a note for each mapping and each prefix of which the instance has no tag."""
    unread = "no tags are read (--tags none)" if settings.tags == "none" else ""
    for one in settings.mappings:
        if one.tag not in tags:
            kind: Kind = "config path" if one.is_config_path else "variable"
            there = (sources.config if one.is_config_path else sources.variables).get(one.target)
            reason = unread or f"no tag {quote(one.tag)} on this instance"
            left_out = LeftOut(kind, one.target, reason, Source("tag", one.tag))
            is_set = f"is from {there}" if there else "not set"
            yield info(f"{one.target} {is_set}: {reason}", left_out)
    # No note for the default prefix: most instances have no such tag, and none was asked for.
    asked = settings.label_prefixes != DEFAULT_PREFIXES
    prefixes: list[tuple[Kind, str, str]] = [
        *(("label", f"{prefix}*", prefix) for prefix in settings.label_prefixes if asked),
        *(("variable", f"{one.variable_prefix}*", one.tag_prefix) for one in settings.env_prefixes),
    ]
    for kind, names, prefix in prefixes:
        if not any(tag.startswith(prefix) for tag in ("", *tags)):
            reason = unread or f"no tag on this instance begins with {quote(prefix)}"
            yield info(f"no {kind} {quote(names)}: {reason}", LeftOut(kind, names, reason))
