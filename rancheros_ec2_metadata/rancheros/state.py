"""What the last run knew and did: conf/.ec2-metadata.json, which ``ros`` does not load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

SCHEMA = 1


@dataclass(frozen=True)
class Edit:
    """One argument list that was changed in cloud-config.yml, so that it can be taken back.

    Args:
        at: the path of the node whose text was replaced: the list's own, or of a null above it.
        found_text: the text of that node before, an earlier edit of ours included, while a kill
            may leave it so. found: all items then.
        former_text: the text of that node as the user wrote it.
        written_text: the text that replaced it.
        former: the user's items before.
        written: all items that were written.
        ours: those of them that are ours.
        displaced: the user's labels that ours replaced.
    """

    at: tuple[str, ...]
    found_text: str
    former_text: str
    written_text: str
    found: tuple[str, ...]
    former: tuple[str, ...]
    written: tuple[str, ...]
    ours: tuple[str, ...]
    displaced: tuple[str, ...]

    def done(self) -> Edit:
        """Return the same once the file is written: it is as the edit left it."""
        return replace(self, found_text=self.written_text, found=self.written)


@dataclass(frozen=True)
class Removal:
    """Variables of the user's that were taken out of cloud-config.yml, so that they can go back.

    Args:
        digest: of the file after it; while it is so, the pieces fit where they were.
        places: where each piece was in what was left, as decimal numbers.
        pieces: the pieces of the text.
        values: the variables, for when the file has been written anew since.
        found_digest: of the file before it, from which an earlier run had taken some out: a run
            that is killed leaves it so. found_places, found_pieces: those of that file.
    """

    digest: str
    places: tuple[str, ...]
    pieces: tuple[str, ...]
    values: Mapping[str, str]
    found_digest: str = ""
    found_places: tuple[str, ...] = ()
    found_pieces: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """What is kept between runs.

    Args:
        instance_id: the instance that the values are of.
        product_uuid: its DMI product_uuid.
        pending_time: when it was last started, as the identity document says.
        tags: the tags used.
        metadata: the AWS_ variables, also those that were shadowed.
        labels: Docker labels that were set. variables: those of rancher.environment.
        items: our items in Docker's arguments, wherever they are.
        edits: lists changed in cloud-config.yml, by argument key.
        removal: variables taken out of it.
        env_files: paths of files of ours for ``docker run --env-file``.
        status: the outcome that was written.
    """

    instance_id: str | None = None
    product_uuid: str | None = None
    pending_time: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    items: tuple[str, ...] = ()
    edits: Mapping[str, Edit] = field(default_factory=dict)
    removal: Removal | None = None
    env_files: tuple[str, ...] = ()
    status: str | None = None

    def holds_values(self) -> bool:
        """Tell whether a machine could still have something of ours."""
        ours = (self.labels, self.variables, self.items, self.edits, self.removal, self.env_files)
        return any(ours)


class DamagedStateError(ValueError):
    """The state file is not one of ours, or no longer whole."""


def parse(raw: bytes) -> State:
    """Return the state that ``raw`` holds: each field that reads as what it should be.

    A newer schema is read as far as it is known: after a roll-back the older program must still
    know its values from the user's.

    Raises:
        DamagedStateError: it is not a JSON object with a schema.
    """
    try:
        found = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedStateError("it is not JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("schema"), int):
        raise DamagedStateError("it has no schema")
    texts: dict[str, Any] = {
        name: found[name]
        for name in ("instance_id", "product_uuid", "pending_time", "status")
        if isinstance(found.get(name), str)
    }
    maps: dict[str, Any] = {
        name: _texts_by_name(found.get(name))
        for name in ("tags", "metadata", "labels", "variables")
    }
    edits = found.get("edits")
    return State(
        **texts,
        **maps,
        items=_texts(found.get("items")) or (),
        edits={
            key: edit
            for key, value in (edits.items() if isinstance(edits, dict) else ())
            if (edit := _edit(value)) is not None
        },
        removal=_removal(found.get("removal")),
        env_files=_texts(found.get("env_files")) or (),
    )


def render(state: State) -> bytes:
    """Return the state as the bytes of its file: ASCII JSON, the same for the same state."""
    return (
        json.dumps({"schema": SCHEMA, **asdict(state)}, indent=1, sort_keys=True) + "\n"
    ).encode("ascii")


def _texts(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def _texts_by_name(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}


def _edit(value: Any) -> Edit | None:
    if not isinstance(value, dict):
        return None
    read: dict[str, Any] = {}
    for name in (one.name for one in fields(Edit)):
        part = value.get(name)
        read[name] = part if isinstance(part, str) else _texts(part)
        if read[name] is None or isinstance(read[name], str) != name.endswith("_text"):
            return None
    return Edit(**read)


def _removal(value: Any) -> Removal | None:
    if not isinstance(value, dict) or not isinstance(value.get("digest"), str):
        return None
    values = _texts_by_name(value.get("values"))
    return Removal(*_cuts(value, ""), values, *_cuts(value, "found_"))


def _cuts(value: Mapping[str, Any], prefix: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return digest, places and pieces; none where they do not read."""
    digest = value.get(f"{prefix}digest")
    places, pieces = _texts(value.get(f"{prefix}places")), _texts(value.get(f"{prefix}pieces"))
    if not isinstance(digest, str) or places is None or pieces is None:
        return "", (), ()
    if len(places) != len(pieces) or not all(p.isdecimal() and p.isascii() for p in places):
        return "", (), ()
    return digest, places, pieces
