"""Plans the drop-in, and the lists that cloud-config.yml sets. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, info, quote, warning
from rancheros_ec2_metadata.hosts.base import ArgumentList
from rancheros_ec2_metadata.hosts.rancheros import (
    cloud_config,
    conflicts,
    docker_args,
    drop_in,
    paths,
    shell,
)
from rancheros_ec2_metadata.hosts.rancheros.cloud_config import CannotEditError, UserList
from rancheros_ec2_metadata.hosts.rancheros.found import Found, decode, encode, read_file
from rancheros_ec2_metadata.hosts.rancheros.ros import Answers
from rancheros_ec2_metadata.hosts.state import Edit
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.plan.desired import Desired
from rancheros_ec2_metadata.plan.provenance import LeftOut
from rancheros_ec2_metadata.settings import STATUS_VARIABLE

_IN_DROP_IN = f"cloud-config.d/{paths.DROP_IN_NAME}"


class RefusedError(Exception):
    """No list of ours is written; the message says why and what to do."""


class Proposal(NamedTuple):
    """The planned drop-in and lists.

    Args:
        desired: the desired state that it was made from.
        tree: of the drop-in; empty: there is none.
        cloud_config: the text of cloud-config.yml; None if there is none.
        items: of Docker's arguments, by the label that each sets.
        lists: Docker's arguments, without us and as planned.
        edits: of cloud-config.yml.
        notes: what was decided.
        overridden: what sets a variable or a config path over ours, by name.
        rehearsed: digest of the files that ``ros`` was asked about; None if it was not.
    """

    desired: Desired
    tree: Mapping[str, Any]
    cloud_config: str | None
    items: Mapping[str, str] = {}
    lists: tuple[ArgumentList, ...] = ()
    edits: Mapping[str, Edit] = {}
    notes: tuple[Note, ...] = ()
    overridden: Mapping[str, str] = {}
    rehearsed: str | None = None

    def put_into(self, users: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the user's files with ours among them."""
        in_it = (one for one in self.lists if one.written_to == _IN_DROP_IN)
        addressed = [one.shown[item] for one in in_it for item in one.after if item in one.shown]
        planned = dict(users)
        if self.tree:
            planned[paths.DROP_IN] = drop_in.render_drop_in(self.tree, addressed)
        if self.cloud_config is not None:
            planned[paths.CLOUD_CONFIG] = encode(self.cloud_config)
        return planned

    @property
    def labels(self) -> dict[str, str]:
        """The labels that it sets."""
        return {key: self.desired.labels[key] for key in self.items}

    @property
    def variables(self) -> dict[str, str]:
        """The variables that it sets."""
        return dict(self.tree.get("rancher", {}).get("environment", {}))


def propose_nothing(found: Found, desired: Desired) -> Proposal:
    """Return the user's files; items of ours that cannot be removed stay recorded."""
    edits = found.state.edits if found.stuck else {}
    return Proposal(desired._replace(labels={}, config={}), {}, found.users_text, edits=edits)


def propose_variables(found: Found, desired: Desired) -> Proposal:
    """Return only our variables and config values."""
    nothing = propose_nothing(found, desired)
    return nothing._replace(desired=desired._replace(labels={}), tree=_make_tree(desired, {}))


def propose_off_machine(found: Found, desired: Desired) -> Proposal:
    """Return our values on another machine: only ``ros`` there knows the user's arguments."""
    items, notes = _make_label_items(found, desired.labels, 0)
    if items:
        notes.append(info("the user's own arguments: decided by ros on the machine"))
    lists = {"extra_args": list(items.values())} if items else {}
    tree = _make_tree(desired, lists)
    return Proposal(desired, tree, found.users_text, items, notes=tuple(notes))


def propose(found: Found, desired: Desired, before: Answers) -> Proposal:
    """Return our variables, config values, and labels behind Docker's arguments of ``before``.

    Raises:
        RefusedError: no label may be set.
    """
    users = {key: before.arguments(key) for key in found.release.argument_keys}
    later = tuple(conflicts.find_later_changes(before, found.disk.get(paths.SCRIPT)))
    if not desired.labels:
        return _compose(found, desired, users, {}, list(later))
    if found.stuck:
        raise RefusedError(f"items of an earlier run stay in cloud-config.yml: {found.stuck[0]}")
    if not found.release.known:
        raise RefusedError(
            f"the release is not known: {paths.OS_CONFIG} does not say; mount /usr/share/ros"
            " into this container (/usr/share/ros:/usr/share/ros:ro)"
        )
    _check_words(found, users)
    wanted, notes = _leave_out_conflicts(found, desired.labels, before, users)
    if len(wanted) < len(desired.labels) and desired.variables.get(STATUS_VARIABLE) == "complete":
        return propose(found, desired.with_outcome("partial"), before)
    taken = sum(map(docker_args.count_bytes, users.values()))
    items, left_out = _make_label_items(found, wanted, taken)
    return _compose(found, desired, users, items, [*later, *notes, *left_out])


def _make_label_items(
    found: Found, wanted: Mapping[str, str], taken: int
) -> tuple[dict[str, str], list[Note]]:
    items, left_out = docker_args.make_label_items(wanted, found.release.quoting, taken)
    return items, [
        warning(f"label {quote(key)} is left out: {why}", LeftOut("label", key, why))
        for key, why in left_out.items()
    ]


def _check_words(found: Found, users: Mapping[str, Sequence[str]]) -> None:
    for key, items in users.items():
        try:
            docker_args.find_labels(items, found.release.quoting)
        except shell.NotWordsError as wrong:
            item = quote(docker_args.name_option(items[wrong.item]))
            text = f"item {item} of rancher.docker.{key} has {wrong.reason}"
            raise RefusedError(f"{text}; {wrong.so}") from None


def _leave_out_conflicts(
    found: Found,
    labels: Mapping[str, str],
    before: Answers,
    users: Mapping[str, tuple[str, ...]],
) -> tuple[dict[str, str], list[Note]]:
    """Return the labels that do not stop Docker, and why the others would.

    Raises:
        RefusedError: any label of ours would.
    """
    wanted, notes = dict(labels), []
    everything = [item for items in users.values() for item in items]
    read = partial(read_file, found.root)
    path = conflicts.find_daemon_json(before, everything, found.release.quoting)
    there = None if shell.EXPANDED in path else conflicts.read_as_it_will_be(before, read, path)
    if there is not None and conflicts.has_labels(there):
        raise RefusedError(
            f"{path} has 'labels': Docker does not start with them and a --label; move those"
            " labels to rancher.docker.extra_args"
        )
    opts = conflicts.read_as_it_will_be(before, read, paths.DOCKER_OPTS)
    for key in sorted(conflicts.find_docker_opts_labels(opts, wanted)):
        del wanted[key]
        why = f"DOCKER_OPTS in {paths.DOCKER_OPTS} sets it too, and Docker would not start"
        text = f"label {quote(key)} is left out: {why}; remove it there"
        left_out = LeftOut("label", key, why, by=paths.DOCKER_OPTS)
        notes.append(error(ExitStatus.FILES, text, left_out))
    return wanted, notes


def _compose(
    found: Found,
    desired: Desired,
    users: Mapping[str, tuple[str, ...]],
    items: Mapping[str, str],
    notes: list[Note],
) -> Proposal:
    # args replaces os-config.yml's, so labels go there only if that was read completely.
    target = "args" if users.get("args", ())[:1] == ("daemon",) else "extra_args"
    quoting, text = found.release.quoting, found.users_text
    lists, in_drop_in = [], {}
    edits = dict(found.state.edits) if found.stuck else {}
    for key, before in users.items():
        shown = {item: docker_args.name_option(item) for item in before}
        without = docker_args.remove_labels(before, items, quoting)
        by_item = {item: label for label, item in items.items()} if key == target else {}
        after = (*without.items, *by_item)
        if after == before:
            # cloud-config.yml may set it too.
            lists.append(ArgumentList(key, before, after, {}, None, shown))
            continue
        if without.removed:
            gone = docker_args.find_labels(before, quoting).keys() & items.keys()
            names = ", ".join(map(quote, sorted(gone)))
            notes.append(info(f"labels of rancher.docker.{key} overridden by tags: {names}"))
        there = _find_list(text, key, before)
        if text is not None and there is not None:
            written_to = "cloud-config.yml"
            _check_words(found, {key: there.items})
            own = docker_args.remove_labels(there.items, items, quoting)
            text, source = _edit(found, text, key, there, (*own.items, *by_item))
            edits[key] = Edit(there.source, (source,), tuple(by_item), own.removed)
        else:
            written_to, shown = _IN_DROP_IN, _find_addressed(found, key, before)
            in_drop_in[key] = [shown.get(item, item) for item in after]
        lists.append(ArgumentList(key, before, after, by_item, written_to, shown))
    tree = _make_tree(desired, in_drop_in)
    return Proposal(desired, tree, text, items, tuple(lists), edits, tuple(notes))


def _find_list(text: str | None, key: str, read: Sequence[str]) -> UserList | None:
    """Return a list in a file of the user's that may be the one that ``ros`` reads."""
    try:
        there = cloud_config.find_list(text or "", key)
    except CannotEditError:
        return None
    return there if there is not None and cloud_config.matches(there.items, read) else None


def _find_addressed(found: Found, key: str, read: Sequence[str]) -> dict[str, str]:
    """Return the text of each item in which ``ros`` has filled in an address, by what it read.

    Where a backslash may escape an address, it stays as it was read.
    """
    for path in reversed(paths.list_drop_ins(found.users)):
        content = found.users[path]
        there = _find_list(decode(content), key, read) if b"_ipv" in content else None
        if there is not None:
            pairs = zip(read, there.items, strict=True)
            return {one: text for one, text in pairs if one != text and "\\" not in text}
    return {}


def _edit(
    found: Found, text: str, key: str, there: UserList, items: tuple[str, ...]
) -> tuple[str, str]:
    """Return cloud-config.yml with other items in a list of it, and the text of that list."""
    on_disk = cloud_config.find_list(decode(found.disk[paths.CLOUD_CONFIG]) or "", key)
    if on_disk is not None and on_disk.items == items:
        # The system may have written the same list in a form of its own: it stays as it is.
        source = on_disk.source
    else:
        source = cloud_config.render_list(items)
    after = cloud_config.replace_list(text, there, source)
    written = cloud_config.find_list(after, key)
    return after, source if written is None else written.source


def _make_tree(desired: Desired, lists: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what our drop-in shall set."""
    tree: dict[str, Any] = {}
    for key, items in lists.items():
        drop_in.put(tree, (*cloud_config.DOCKER, key), items)
    for keys, value in list_values(desired).values():
        drop_in.put(tree, keys, value)
    return tree


def list_values(desired: Desired) -> dict[str, tuple[tuple[str, ...], config_paths.Value]]:
    """Return the keys and the value of each config path and each variable."""
    values = {path: (config_paths.keys(path), value) for path, value in desired.config.items()}
    for name, value in sorted(desired.variables.items()):
        values[name] = ((*cloud_config.ENVIRONMENT, name), value)
    return values
