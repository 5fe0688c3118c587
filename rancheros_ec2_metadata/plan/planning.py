"""The plan: what each file is and shall be, from what is desired and what is on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, info, shown, warning
from rancheros_ec2_metadata.plan import blocked, config_paths, env_file, lists, local
from rancheros_ec2_metadata.plan.given import Given
from rancheros_ec2_metadata.plan.mapping import Desired
from rancheros_ec2_metadata.plan.provenance import Kind, LeftOut, all_labels
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import document
from rancheros_ec2_metadata.rancheros import state as states
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import CLOUD_CONFIG, Layers, stack
from rancheros_ec2_metadata.rancheros.state import Edit, Removal, State
from rancheros_ec2_metadata.rancheros.yaml_nodes import CannotEditError
from rancheros_ec2_metadata.settings import STATUS_VARIABLE

COMMENT = (
    "Written by rancheros-ec2-metadata from this instance's tags and metadata, anew at every boot.",
    "To take it back: run the service once with the command 'clean'.",
)

Steps: TypeAlias = Iterator[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Plan:
    """What a run is about to do.

    Args:
        changes: files that change, in the order of writing.
        predicted: the layers as they will be, for the read-back.
        labels: the labels that Docker will be given by us.
        variables: our variables.
        state: what the next run will know.
        notes: what was decided.
        desired: what it was made of, and given: the machine as it was found.
        composed: Docker's argument lists.
    """

    changes: tuple[FileChange, ...]
    predicted: Layers
    labels: Mapping[str, str]
    variables: Mapping[str, str]
    state: State
    notes: tuple[Note, ...]
    desired: Desired
    given: Given
    composed: tuple[lists.ArgumentList, ...]


def plan(desired: Desired, given: Given, kept: State, may_go: local.Local = local.NOTHING) -> Plan:
    """Return what to write so that the machine has what is ``desired``.

    Args:
        desired: labels, variables and config values.
        given: the machine as it is.
        kept: the instance, tags and metadata that the new state shall name.
        may_go: what may be taken out of cloud-config.yml.
    """
    disk, release = given.disk, given.release
    notes: list[Note] = list(desired.notes)
    layers = stack(disk.with_files({paths.DROP_IN: b"{}\n"}), release)
    notes.extend(_problems(layers))
    wanted, blocked_notes = blocked.allowed(disk, layers, desired.labels, release.quoting)
    notes.extend((*blocked_notes, *blocked.runs_after_us(layers)))
    users = lists.user_lists(layers, given.state)
    composed, labels, list_notes = lists.with_labels(users, wanted, release.quoting)
    try:
        own = local.edited(given, composed, desired.variables, may_go)
        _check_nothing_is_laid_bare(given, layers, own.content)
    except CannotEditError as reason:
        composed, labels = lists.without_ours(composed), {}
        own, list_notes = _unedited(given, wanted, reason), []
    notes.extend((*list_notes, *own.notes))
    if desired.variables.get(STATUS_VARIABLE) == "complete" and _lacks_labels(notes):
        return plan(desired.with_outcome("partial"), given, replace(kept, status="partial"), may_go)
    tree = _tree(desired, composed)
    after = {
        paths.DROP_IN: document.render(tree, COMMENT) if tree else None,
        paths.CLOUD_CONFIG: own.content,
    }
    if _gives_back(given.state.removal, own.removal):
        # Until the user's variables are there again, ours stand in for them.
        after = dict(reversed(after.items()))
    env_files = env_file.planned(disk, given.state.env_files, desired.env_file)
    notes.extend(env_files.notes)
    # Where nothing is to be kept, the state goes when all else has gone.
    known = env_files.paths if kept != State() else ()
    new_state = replace(
        kept,
        labels=dict(labels),
        variables=dict(desired.variables),
        # Where nothing was to be written, the user's own items say the same: they stay the user's.
        items=tuple(item for one in composed if one.changed for item in one.ours),
        # Once all is written, a list as it was before the edit is one that the user has made so.
        edits={key: edit.done() for key, edit in own.edits.items()},
        removal=own.removal,
        env_files=known,
    )
    notes.extend(_about_labels(labels, given.state))
    predicted = stack(disk.with_files(after), release)
    notes.extend(_shadowed(desired, predicted))
    changes = _changes(disk, _steps(given.state, new_state, own.edits, after, env_files))
    return Plan(
        changes=changes,
        predicted=predicted,
        labels=labels,
        variables=desired.variables,
        state=new_state,
        notes=tuple(notes),
        desired=desired,
        given=given,
        composed=composed,
    )


def _lacks_labels(notes: Sequence[Note]) -> bool:
    """Tell whether a file is in the way of labels: who asks for all of them must not go on."""
    return any(
        note.status is ExitStatus.FILES and any(one.kind == "label" for one in note.left_out)
        for note in notes
    )


def _gives_back(before: Removal | None, after: Removal | None) -> bool:
    """Tell whether a variable goes back into cloud-config.yml."""
    still_out = after.values.keys() if after is not None else set()
    return before is not None and not before.values.keys() <= still_out


def _check_nothing_is_laid_bare(given: Given, layers: Layers, content: bytes | None) -> None:
    """Raise where cloud-config.yml had hidden from ``ros`` what it cannot read at all."""
    if content == given.disk.files.get(paths.CLOUD_CONFIG):
        return
    after = given.disk.with_files({paths.DROP_IN: b"{}\n", paths.CLOUD_CONFIG: content})
    fatal = stack(after, given.release).fatal
    if fatal and not layers.fatal:
        raise CannotEditError(f"a null in it hides what ros cannot read ({fatal})")


def _steps(
    old: State,
    new: State,
    edits: Mapping[str, Edit],
    after: Mapping[str, bytes | None],
    env_files: env_file.Planned,
) -> Steps:
    """Yield each file and what it shall be, in the order of writing.

    What goes from cloud-config.yml, and what was in it before an edit, is in the state until it has
    gone there: after a kill in between, nothing of ours may be taken for the user's, and nothing of
    the user's be lost.
    """
    gone = dict.fromkeys(env_files.gone)
    if new == State():
        yield paths.STATE, None
        yield from gone.items()
        yield from after.items()
        return
    removal = new.removal or old.removal
    if removal and old.removal:
        removal = replace(removal, values={**old.removal.values, **removal.values})
    between = replace(new, edits={**old.edits, **edits}, removal=removal)
    yield paths.STATE, states.render(between)
    yield from gone.items()
    yield from after.items()
    # Last: that one of the operator's folders cannot be written must not be at Docker's cost.
    yield from env_files.written.items()
    yield paths.STATE, states.render(new)


def _changes(disk: Disk, steps: Steps) -> tuple[FileChange, ...]:
    # What cannot be read is in it too: the store, which cannot write it either, names it.
    now: dict[str, bytes | None] = dict(disk.files)
    changes = []
    for path, content in steps:
        if now.get(path) != content:
            changes.append(FileChange(path, now.get(path), content))
            now[path] = content
    return tuple(changes)


def _about_labels(labels: Mapping[str, str], before: State) -> list[Note]:
    """Name the labels, and those that are not as the last run left them."""
    notes = []
    if labels:
        notes.append(info(f"labels: {', '.join(map(shown, sorted(labels)))}"))
    names = {*labels, *before.labels}
    changed = sorted(key for key in names if labels.get(key) != before.labels.get(key))
    if changed and before.instance_id is not None:
        text = f"labels changed: {', '.join(map(shown, changed))}; Docker takes them when it starts"
        notes.append(info(text))
    return notes


def _problems(layers: Layers) -> list[Note]:
    notes = [
        warning(f"{layer.name} is not in force: {layer.problem}")
        for layer in layers
        if layer.problem and not layer.unread
    ]
    if layers.fatal:
        text = f"no configuration can be read by ros at all: {layers.fatal}; mend that file"
        notes.append(error(ExitStatus.FILES, text))
    return notes


def _with(tree: Any, path: Sequence[str], value: Any) -> dict[Any, Any]:
    """Return a copy of a tree with ``value`` at ``path``."""
    copy = dict(tree or {})
    copy[path[0]] = value if len(path) == 1 else _with(copy.get(path[0]), path[1:], value)
    return copy


def _unedited(given: Given, wanted: Mapping[str, str], reason: CannotEditError) -> local.Edited:
    why = (
        f"cloud-config.yml sets Docker's arguments and is not changed: {reason}; write them there"
        " as a plain list, or take them out"
    )
    left_out = all_labels(wanted, why, CLOUD_CONFIG)
    note = error(ExitStatus.FILES, f"no label is set: {why}", *left_out)
    raw, state = given.disk.files.get(paths.CLOUD_CONFIG), given.state
    return local.Edited(raw, state.edits, state.removal, (note,))


def _tree(desired: Desired, composed: Sequence[lists.ArgumentList]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for one in composed:
        if one.user.home == "drop-in" and one.changed:
            tree = _with(tree, ("rancher", "docker", one.user.key), list(one.items))
    for path, value in desired.config.items():
        put = list(value) if isinstance(value, tuple) else value
        tree = _with(tree, config_paths.keys(path), put)
    if desired.variables:
        tree = _with(tree, ("rancher", "environment"), dict(sorted(desired.variables.items())))
    return tree


def _shadowed(desired: Desired, predicted: Layers) -> list[Note]:
    """Name what is desired but will not be in force, and the layer that is stronger."""
    notes = []
    environment = predicted.environment()
    for name, value in sorted(desired.variables.items()):
        if environment.get(name) != value:
            path = ("rancher", "environment", name)
            notes.append(_shadow(predicted, path, "variable", name))
    for target in sorted(desired.config):
        keys = config_paths.keys(target)
        setter = predicted.setter(keys)
        if setter is not None and setter.path != paths.DROP_IN:
            notes.append(_shadow(predicted, keys, "config path", target))
    return notes


def _shadow(predicted: Layers, path: tuple[str, ...], kind: Kind, target: str) -> Note:
    setter = predicted.setter(path)
    name = setter.name if setter is not None else "no layer"
    what = f"variable {target}" if kind == "variable" else target
    if setter is not None and setter.path == paths.CLOUD_CONFIG and _sets(setter.data, path):
        why = f"left as {name} has it; --override-local takes it out there"
        return warning(f"{what} is {why}", LeftOut(kind, target, why, by=name))
    why = f"{name} is stronger; take it out there"
    note = f"{what} is not in force: {why}"
    return error(ExitStatus.FILES, note, LeftOut(kind, target, why, by=name))


def _sets(tree: Any, path: Sequence[str]) -> bool:
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True
