"""The plan: what each file is and shall be, from what is desired and what is on the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, info, shown, warning
from rancheros_ec2_metadata.plan import blocked, config_paths, lists
from rancheros_ec2_metadata.plan.mapping import Desired
from rancheros_ec2_metadata.rancheros import cloud_config, document
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import state as states
from rancheros_ec2_metadata.rancheros.change import FileChange
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import Layer, Layers, stack
from rancheros_ec2_metadata.rancheros.release import Release
from rancheros_ec2_metadata.rancheros.state import Edit, State

COMMENT = (
    "Written by rancheros-ec2-metadata from this instance's tags and metadata, anew at every boot.",
    "To take it back: run the service once with the command 'clean'.",
)


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
    """

    changes: tuple[FileChange, ...]
    predicted: Layers
    labels: Mapping[str, str]
    variables: Mapping[str, str]
    state: State
    notes: tuple[Note, ...]


def plan(desired: Desired, disk: Disk, release: Release, state: State, kept: State) -> Plan:
    """Return what to write so that the machine has what is ``desired``.

    Args:
        desired: labels, variables and config values.
        disk: as read.
        release: that reads the layers.
        state: of the last run: what on the disk is ours.
        kept: the instance, tags and metadata that the new state shall name.
    """
    notes: list[Note] = list(desired.notes)
    layers = stack(disk.with_files({paths.DROP_IN: b"{}\n"}), release)
    notes.extend(_problems(layers))
    wanted, blocked_notes = blocked.allowed(disk, layers, desired.labels, release.quoting)
    notes.extend(blocked_notes)
    users = lists.user_lists(layers, release, state)
    composed, labels, list_notes = lists.with_labels(users, wanted, release.quoting)
    try:
        text, edits = _edited(disk, release, state, composed)
    except cloud_config.CannotEditError as reason:
        composed, labels = lists.without_ours(composed), {}
        text, edits, list_notes = _unedited(disk, state, reason)
    notes.extend(list_notes)
    tree = _tree(desired, composed)
    after = {
        paths.STATE: None,
        paths.DROP_IN: document.render(tree, COMMENT) if tree else None,
        paths.CLOUD_CONFIG: text,
    }
    new_state = replace(
        kept,
        labels=dict(labels),
        variables=dict(desired.variables),
        items=tuple(item for one in composed for item in one.ours),
        edits=edits,
    )
    if new_state != State():
        after[paths.STATE] = states.render(new_state)
    if labels:
        notes.append(info(f"labels: {', '.join(map(shown, sorted(labels)))}"))
    predicted = stack(disk.with_files(after), release)
    notes.extend(_shadowed(desired, predicted))
    changes = tuple(
        FileChange(path, disk.files.get(path), content)
        for path, content in after.items()
        if disk.files.get(path) != content and path not in disk.unreadable
    )
    return Plan(changes, predicted, labels, desired.variables, new_state, tuple(notes))


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


def _edited(
    disk: Disk, release: Release, state: State, composed: Sequence[lists.ArgumentList]
) -> tuple[bytes | None, dict[str, Edit]]:
    """Return cloud-config.yml with the lists that live there, and what was changed in it."""
    raw = disk.files.get(paths.CLOUD_CONFIG)
    if raw is None:
        return None, {}
    text = raw.decode("utf-8", "surrogateescape")
    edits: dict[str, Edit] = {}
    for one in composed:
        if one.user.home != "cloud-config.yml":
            continue
        text, edit = _edit(text, one, state.edits.get(one.user.key))
        if edit is not None:
            edits[one.user.key] = edit
    after = text.encode("utf-8", "surrogateescape")
    if after != raw:
        _check(disk, release, composed, after)
    return after, edits


def _edit(text: str, one: lists.ArgumentList, edit: Edit | None) -> tuple[str, Edit | None]:
    path = ("rancher", "docker", one.user.key)
    if not one.changed:
        if edit is None or one.user.current == one.items:
            return text, None
        if _still(text, edit):
            return cloud_config.replace_span(text, edit.at, edit.former_text), None
        return cloud_config.set_list(text, path, one.items), None
    if edit is not None and edit.written == one.items == one.user.current:
        return text, edit
    found = cloud_config.find(text, path)
    if found is None:
        raise cloud_config.CannotEditError(f"{'.'.join(path)} is set in it in a way not known")
    at = found.path
    former = cloud_config.span(text, at)
    if edit is not None and _still(text, edit):
        at, former = edit.at, edit.former_text
    text = cloud_config.set_list(text, path, one.items)
    written = cloud_config.span(text, at)
    return text, Edit(at, former, written, one.user.items, one.items, one.ours, one.displaced)


def _still(text: str, edit: Edit) -> bool:
    """Tell whether the text is as our edit left it."""
    try:
        return cloud_config.span(text, edit.at) == edit.written_text
    except cloud_config.CannotEditError:
        return False


def _check(
    disk: Disk, release: Release, composed: Sequence[lists.ArgumentList], after: bytes
) -> None:
    """Raise unless the edited file differs from the former at the lists alone."""
    before = _cloud_config(disk, release)
    edited = _cloud_config(disk.with_files({paths.CLOUD_CONFIG: after}), release)
    expected: Any = before.data
    found: Any = edited.data
    for one in composed:
        if one.user.home == "cloud-config.yml":
            path = ("rancher", "docker", one.user.key)
            if Layers((edited,), release).docker_arguments(one.user.key) != one.items:
                raise cloud_config.CannotEditError(f"{'.'.join(path)} would not read back")
            expected = _with(expected, path, list(one.items))
            found = _with(found, path, list(one.items))
    if edited.problem or found != expected:
        raise cloud_config.CannotEditError("another key of it would change")


def _cloud_config(disk: Disk, release: Release) -> Layer:
    return next(layer for layer in stack(disk, release) if layer.path == paths.CLOUD_CONFIG)


def _with(tree: Any, path: Sequence[str], value: Any) -> dict[Any, Any]:
    """Return a copy of a tree with ``value`` at ``path``; nulls on the way become maps."""
    copy = dict(tree) if isinstance(tree, dict) else {}
    copy[path[0]] = value if len(path) == 1 else _with(copy.get(path[0]), path[1:], value)
    return copy


def _unedited(
    disk: Disk, state: State, reason: cloud_config.CannotEditError
) -> tuple[bytes | None, dict[str, Edit], list[Note]]:
    text = (
        f"no label is set: cloud-config.yml sets Docker's arguments and is not changed: {reason};"
        " write them there as a plain list, or take them out"
    )
    return disk.files.get(paths.CLOUD_CONFIG), dict(state.edits), [error(ExitStatus.FILES, text)]


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
            notes.append(_shadow(predicted, ("rancher", "environment", name), f"variable {name}"))
    for path in sorted(desired.config):
        keys = config_paths.keys(path)
        setter = predicted.setter(keys)
        if setter is not None and setter.path != paths.DROP_IN:
            notes.append(_shadow(predicted, keys, path))
    return notes


def _shadow(predicted: Layers, path: tuple[str, ...], what: str) -> Note:
    setter = predicted.setter(path)
    name = setter.name if setter is not None else "no layer"
    if setter is not None and setter.path == paths.CLOUD_CONFIG and _sets(setter.data, path):
        return warning(f"{what} is left as {name} has it; --override-local takes it out there")
    return error(ExitStatus.FILES, f"{what} is not in force: {name} is stronger; take it out there")


def _sets(tree: Any, path: Sequence[str]) -> bool:
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True
