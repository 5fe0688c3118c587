"""cloud-config.yml, where it says over us what our drop-in says: changed there, and taken back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rancheros_ec2_metadata.errors import ExitStatus, Note, error, info, warning
from rancheros_ec2_metadata.plan import legacy, untouched
from rancheros_ec2_metadata.plan.given import Given
from rancheros_ec2_metadata.plan.lists import ArgumentList, UserList, users_items
from rancheros_ec2_metadata.rancheros import cloud_config, cloud_config_keys
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.layers import (
    CLOUD_CONFIG,
    DOCKER,
    ENVIRONMENT,
    Layers,
    stack,
)
from rancheros_ec2_metadata.rancheros.state import Edit, Removal
from rancheros_ec2_metadata.rancheros.yaml_nodes import CannotEditError, find
from rancheros_ec2_metadata.settings import Settings


@dataclass(frozen=True)
class Local:
    """What may be taken out of cloud-config.yml.

    Args:
        override: variables of ours (--override-local); they go back when it is no longer said.
        mapped: names that a mapping gives; the 2016 tool left those too.
        legacy: all that the 2016 tool left, also where its mark is not there (clean --legacy).
        label_prefixes: which labels of its ``args`` were from tags.
    """

    override: bool = False
    mapped: frozenset[str] = frozenset()
    legacy: bool = False
    label_prefixes: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, *, legacy: bool = False) -> Local:
        """Return what a run with ``settings`` may take out."""
        names = (m.target for m in settings.mappings if not m.is_config_path)
        return cls(settings.override_local, frozenset(names), legacy, settings.label_prefixes)


NOTHING = Local()


@dataclass(frozen=True)
class Edited:
    """cloud-config.yml as it shall be, and what of it can be taken back."""

    content: bytes | None
    edits: Mapping[str, Edit]
    removal: Removal | None
    notes: tuple[Note, ...] = ()


def edited(
    given: Given, composed: Sequence[ArgumentList], names: Collection[str], may_go: Local
) -> Edited:
    """Return cloud-config.yml with the lists that live there, and without what is in our way.

    Args:
        given: the machine as it is.
        composed: the argument lists as they shall be.
        names: of our variables.
        may_go: what may be taken out.

    Raises:
        CannotEditError: the file is not plain enough there; it is to be left alone.
    """
    state = given.state
    raw = given.disk.files.get(paths.CLOUD_CONFIG)
    why = given.disk.unreadable.get(paths.CLOUD_CONFIG)
    if why is not None and (state.edits or state.removal):
        return Edited(None, state.edits, state.removal, (_still_ours(why),))
    if raw is None:
        return Edited(None, {}, None)
    layers = stack(given.disk, given.release).only(paths.CLOUD_CONFIG)
    if problems := [layer.problem for layer in layers if layer.problem]:
        # Nothing of it is in force, and what is not understood is not changed.
        if not (state.edits or state.removal):
            return Edited(raw, {}, None)
        return Edited(raw, state.edits, state.removal, (_still_ours(problems[0]),))
    editor = _Editor(layers, state.edits, state.removal, names, may_go)
    try:
        return editor.edited(raw, composed)
    except CannotEditError as reason:
        if state.removal is None and may_go == NOTHING:
            raise
        # The variables' part is not worth the labels.
        lists_only = _Editor(layers, state.edits, None, (), NOTHING).edited(raw, composed)
        text = f"variables of cloud-config.yml stay as they are: {reason}"
        notes = (*lists_only.notes, error(ExitStatus.FILES, text))
        return replace(lists_only, removal=state.removal, notes=notes)


class _Editor:
    """Edits one text; each step takes it from the step before.

    Args:
        layers: of the file alone, as it is.
        edits: of the last run.
        former: what the last run took out.
        names: of our variables.
        may_go: what may be taken out.
    """

    def __init__(
        self,
        layers: Layers,
        edits: Mapping[str, Edit],
        former: Removal | None,
        names: Collection[str],
        may_go: Local,
    ) -> None:
        self._layers = layers
        self._edits = edits
        self._former = former
        self._names = names
        self._may_go = may_go
        self._lists: dict[str, tuple[str, ...]] = {}
        self._gone: set[str] = set()
        self._notes: list[Note] = []

    def edited(self, raw: bytes, composed: Sequence[ArgumentList]) -> Edited:
        text = cloud_config_keys.restored(
            raw.decode("utf-8", "surrogateescape"), ENVIRONMENT, self._former
        )
        edits: dict[str, Edit] = {}
        for one in composed:
            if one.user.home == "cloud-config.yml":
                text, edit = self._with_list(text, one)
                if edit is not None:
                    edits[one.user.key] = edit
        for key in sorted(self._edits.keys() - self._lists.keys()):
            try:
                text = self._without_ours(text, key)
            except CannotEditError as reason:
                edits[key] = self._edits[key]
                self._notes.append(_still_ours(str(reason)))
        if self._may_go.legacy:
            text = self._without_legacy_args(text)
        text, removal = self._without_variables(raw, text)
        content = text.encode("utf-8", "surrogateescape")
        if content != raw:
            kept = {n: value for n, value in self._variables().items() if n not in self._gone}
            untouched.check(content, self._layers, self._lists, kept)
        return Edited(content, edits, removal, tuple(self._notes))

    def _with_list(self, text: str, one: ArgumentList) -> tuple[str, Edit | None]:
        path = (*DOCKER, one.user.key)
        edit = self._edits.get(one.user.key)
        self._lists[one.user.key] = one.items
        if not one.changed:
            if edit is None or one.user.current == one.items:
                return text, None
            if _still(text, edit):
                return cloud_config.replace_span(text, edit.at, edit.former_text), None
            return cloud_config.set_list(text, path, one.items), None
        if edit is not None and edit.written == one.items == one.user.current:
            return text, edit
        found = find(text, path)
        if found is None:
            raise CannotEditError(f"{'.'.join(path)} is set in it in a way not known")
        at, former = found.path, cloud_config.span(text, found.path)
        if edit is not None and _still(text, edit):
            at, former = edit.at, edit.former_text
        elif at != path and "args" in self._layers.release.argument_keys:
            # What it hides says which of the lists is to hold ours.
            above = ".".join(at)
            raise CannotEditError(f"a null at {above} hides args too, which Docker needs to start")
        elif at != path:
            self._notes.append(_null_above(at, path))
        elif one.user.current != one.user.items:
            # The file was written anew since our last edit: what is ours is in its text.
            former = cloud_config.span_with(text, path, one.user.items)
        before, text = text, cloud_config.set_list(text, path, one.items)
        return text, Edit(
            at=at,
            found_text=cloud_config.span(before, at),
            former_text=former,
            written_text=cloud_config.span(text, at),
            found=one.user.current,
            former=one.user.items,
            written=one.items,
            ours=one.ours,
            displaced=one.displaced,
        )

    def _without_ours(self, text: str, key: str) -> str:
        """Return the text without ours in a list that is not in force, by layer or by release.

        It may be again, when nobody would know them as ours any more.
        """
        path = (*DOCKER, key)
        if self._layers.setter(path) is None:
            return text
        current = self._layers.texts(path)
        items = users_items(current, self._edits[key], self._layers.release.quoting)
        user = UserList(key, items, current, "cloud-config.yml", CLOUD_CONFIG)
        return self._with_list(text, ArgumentList(user, items))[0]

    def _without_legacy_args(self, text: str) -> str:
        """Return the text without the labels that the 2016 tool put into ``args``."""
        path = (*DOCKER, "args")
        items = self._lists.get("args", self._layers.texts(path))
        kept = legacy.arguments_kept(items, self._may_go.label_prefixes)
        if kept == items:
            return text
        self._lists["args"] = kept
        if kept:
            return cloud_config.set_list(text, path, kept)
        return cloud_config_keys.cut_keys(text, DOCKER, ["args"])[0]

    def _without_variables(self, raw: bytes, text: str) -> tuple[str, Removal | None]:
        """Return the text without the variables in our way, and what of them can go back.

        Args:
            raw: the file as it is.
            text: as it shall be, but for the variables.
        """
        there = self._variables()
        left = legacy.variables(there, self._may_go.mapped, even_unmarked=self._may_go.legacy)
        if left:
            found = ", ".join(sorted(left))
            text_of_note = f"taken out of cloud-config.yml, left by the 2016 tool: {found}"
            self._notes.append(info(text_of_note))
            # Not to go back, and not to be kept anywhere: credentials are among them.
            text, _ = cloud_config_keys.cut_keys(text, ENVIRONMENT, left)
        overridden: set[str] = set()
        if self._may_go.override:
            overridden.update((set(self._names) & there.keys()) - left)
        self._gone = left | overridden
        if not overridden:
            return text, None
        text, cuts = cloud_config_keys.cut_keys(text, ENVIRONMENT, overridden)
        removal = Removal(
            cloud_config_keys.digest(text),
            tuple(str(cut.at) for cut in cuts),
            tuple(cut.source for cut in cuts),
            {name: there[name] for name in sorted(overridden)},
            *cloud_config_keys.taken_out(raw.decode("utf-8", "surrogateescape"), self._former),
        )
        former = self._former
        as_found: dict[str, Any] = {"found_digest": "", "found_places": (), "found_pieces": ()}
        if former and replace(former, **as_found) == replace(removal, **as_found):
            return text, former  # it is as the last run left it: nothing is written
        return text, removal

    def _variables(self) -> dict[str, str]:
        """Return the variables of the file, those that the last run took out included."""
        return {**(self._former.values if self._former else {}), **self._layers.environment()}


def _still_ours(reason: str) -> Note:
    text = f"what an earlier run changed in cloud-config.yml is not taken back yet: {reason}"
    return error(ExitStatus.FILES, text)


def _null_above(at: tuple[str, ...], path: tuple[str, ...]) -> Note:
    return warning(
        f"cloud-config.yml has a null at {'.'.join(at)}, which hid all that weaker files set below"
        f" it; {'.'.join(path)} is set there now, and the rest is in force again"
    )


def _still(text: str, edit: Edit) -> bool:
    """Tell whether the text is as our edit left it, or, where that was cut off, as it found it."""
    try:
        return cloud_config.span(text, edit.at) in (edit.written_text, edit.found_text)
    except CannotEditError:
        return False
