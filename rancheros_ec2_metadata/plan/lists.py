"""Docker's argument lists: the user's items in force, and ours put behind them, each in its place.

A list is in our drop-in, unless cloud-config.yml sets it (lists replace, and that file is the
stronger one): then it is changed there. What is stronger still (the kernel command line,
EXTRA_CMDLINE, a drop-in that sorts after ours) cannot be changed, and is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, info, shown, warning
from rancheros_ec2_metadata.plan import arguments, shell
from rancheros_ec2_metadata.plan.provenance import LeftOut, all_labels
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import document
from rancheros_ec2_metadata.rancheros.layers import Layers
from rancheros_ec2_metadata.rancheros.release import Quoting
from rancheros_ec2_metadata.rancheros.state import Edit, State

Home = Literal["drop-in", "cloud-config.yml", "shadowed"]


@dataclass(frozen=True)
class UserList:
    """The user's part of one argument list.

    Args:
        key: ``args`` or ``extra_args``.
        items: the user's items in force.
        current: all items in force, those we put into cloud-config.yml included.
        home: where the list is to be written.
        setter: the layer that sets it, as an operator knows it.
    """

    key: str
    items: tuple[str, ...]
    current: tuple[str, ...]
    home: Home
    setter: str


@dataclass(frozen=True)
class ArgumentList:
    """One argument list as it shall be.

    Args:
        user: the user's part, and where it is written.
        items: all items, ours last.
        ours: those of them that are ours.
        displaced: the user's labels that ours replace.
    """

    user: UserList
    items: tuple[str, ...]
    ours: tuple[str, ...] = ()
    displaced: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Tell whether the list differs from what the user's layers say."""
        return self.items != self.user.items


def user_lists(layers: Layers, state: State) -> tuple[UserList, ...]:
    """Return the user's list for each argument key of the release.

    Args:
        layers: with an empty drop-in of ours in its place.
        state: of the last run: which items of cloud-config.yml are ours.
    """
    return tuple(_user_list(layers, key, state) for key in layers.release.argument_keys)


def _user_list(layers: Layers, key: str, state: State) -> UserList:
    current = layers.docker_arguments(key)
    setter = layers.setter(("rancher", "docker", key))
    name = setter.name if setter else "no file"
    shadow = layers.shadow(("rancher", "docker", key))
    if shadow is None:
        return UserList(key, current, current, "drop-in", name)
    if shadow.path == paths.CLOUD_CONFIG:
        items = users_items(current, state.edits.get(key), layers.release.quoting)
        return UserList(key, items, current, "cloud-config.yml", name)
    return UserList(key, current, current, "shadowed", name)


def users_items(current: tuple[str, ...], edit: Edit | None, quoting: Quoting) -> tuple[str, ...]:
    """Return the items of cloud-config.yml's list that are the user's.

    ``ros`` re-serialises that file, so what our edit of the list put there is known by value.
    Labels of the user's that ours had replaced come back, unless the list has been written without
    any item of ours since, or, where ours are in the other list, without one that we had left. A
    run that was killed may have left the list as it was before the edit, or as the user had it.
    """
    if edit is None:
        return current  # none of ours has ever been in it
    if current in (edit.written, edit.found, edit.former):
        return edit.former
    items = tuple(item for item in current if item not in edit.ours)
    left_there = set(() if edit.ours else edit.written)
    if len(items) < len(current) or (left_there and left_there <= set(current)):
        items += _not_set_again(edit.displaced, items, quoting)
    return items


def _not_set_again(
    displaced: tuple[str, ...], items: tuple[str, ...], quoting: Quoting
) -> tuple[str, ...]:
    """Return the displaced labels whose keys ``items`` do not set: two values stop Docker."""
    try:
        keys = arguments.label_keys(items, quoting)
        return arguments.without_labels(displaced, keys, quoting).kept
    except shell.NotWordsError:
        return displaced


def with_labels(
    lists: Sequence[UserList], labels: Mapping[str, str], quoting: Quoting
) -> tuple[tuple[ArgumentList, ...], dict[str, str], list[Note]]:
    """Return the lists with ``labels`` in them, the labels that are, and why others are not."""
    unchanged = tuple(ArgumentList(user, user.items) for user in lists)
    if not labels:
        return unchanged, {}, []
    target = _target(lists)
    if target.home == "shadowed":
        why = (
            f"rancher.docker.{target.key} is set by {target.setter}, which is stronger than any"
            " file of ours; take it out there"
        )
        return unchanged, {}, [_no_label(labels, why, target)]
    for user in lists:
        if reason := _not_ours_to_write(user, quoting):
            why = f"rancher.docker.{user.key} in {user.setter}: {reason}"
            return unchanged, {}, [_no_label(labels, why, user)]
    notes: list[Note] = []
    free = _not_shadowed(lists, labels, quoting, notes)
    taken = sum(arguments.size(user.items) for user in lists)
    items, left_out = arguments.label_items(free, quoting, taken)
    notes.extend(
        warning(f"label {shown(key)} is left out: {reason}", LeftOut("label", key, reason))
        for key, reason in left_out.items()
    )
    return (
        tuple(_composed(user, target, items, quoting, notes) for user in lists),
        {key: labels[key] for key in items},
        notes,
    )


def _no_label(labels: Mapping[str, str], reason: str, user: UserList) -> Note:
    left_out = all_labels(labels, reason, user.setter)
    return error(ExitStatus.FILES, f"no label is set: {reason}", *left_out)


def _not_ours_to_write(user: UserList, quoting: Quoting) -> str | None:
    """Return why a list of the user's cannot be written again with labels behind it."""
    try:
        arguments.label_keys(user.items, quoting)
    except shell.NotWordsError as wrong:
        item = f"item {shown(arguments.named(user.items[wrong.item]))}"
        return f"{item} has {wrong.reason}: {wrong.so}"
    for item in user.items:
        if reason := document.uncarriable_item(item):
            return f"item {shown(arguments.named(item))}: {reason}"
    return None


def without_ours(lists: Sequence[ArgumentList]) -> tuple[ArgumentList, ...]:
    """Return the lists as the user's own layers have them."""
    return tuple(replace(one, items=one.user.items, ours=(), displaced=()) for one in lists)


def _target(lists: Sequence[UserList]) -> UserList:
    """Return the list that labels go into: args replaces, so only where it was read whole."""
    by_key = {user.key: user for user in lists}
    args = by_key.get("args")
    if args is not None and args.items[:1] == ("daemon",):
        return args
    return by_key["extra_args"]


def _not_shadowed(
    lists: Sequence[UserList], labels: Mapping[str, str], quoting: Quoting, notes: list[Note]
) -> dict[str, str]:
    """Return the labels that no list sets which we cannot change: two values stop Docker."""
    free = dict(labels)
    for user in lists:
        if user.home == "shadowed":
            for key in sorted(arguments.label_keys(user.items, quoting) & set(free)):
                del free[key]
                reason = f"{user.setter} sets it, stronger than us"
                text = f"label {shown(key)} is left out: {reason}"
                one = LeftOut("label", key, reason, by=user.setter)
                notes.append(error(ExitStatus.FILES, text, one))
    return free


def _composed(
    user: UserList,
    target: UserList,
    items: Mapping[str, str],
    quoting: Quoting,
    notes: list[Note],
) -> ArgumentList:
    parted = arguments.without_labels(user.items, items, quoting)
    if parted.displaced:
        gone = arguments.label_keys(user.items, quoting) & items.keys()
        text = f"labels of rancher.docker.{user.key} in {user.setter} give way to tags: "
        notes.append(info(text + ", ".join(map(shown, sorted(gone)))))
    ours = tuple(items.values()) if user is target else ()
    return ArgumentList(user, parted.kept + ours, ours, parted.displaced)
