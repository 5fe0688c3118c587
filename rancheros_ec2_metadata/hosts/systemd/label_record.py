"""The record of our labels in daemon.json: beside it, so that both are copied and restored."""

from __future__ import annotations

import json
from typing import NamedTuple

from rancheros_ec2_metadata.hosts.state import Edit, parse_edit
from rancheros_ec2_metadata.hosts.systemd import daemon_json
from rancheros_ec2_metadata.hosts.systemd.daemon_json import CannotMergeError

SCHEMA = 1


class LabelRecord(NamedTuple):
    """What of daemon.json is ours.

    Args:
        edit: how to restore it; None if nothing in it is ours.
        existed: there was a file before ours.
        pending: Docker has not shown yet that it has the labels of the file.
    """

    edit: Edit | None = None
    existed: bool = True
    pending: bool = False


def parse_record(raw: bytes) -> LabelRecord:
    """Return the record that ``raw`` holds.

    Raises:
        ValueError: this program did not write it, or it is not whole.
    """
    try:
        found = json.loads(raw.decode("utf-8"))
        edit = parse_edit(found["edit"]) if found["edit"] is not None else None
        if edit is None and found["edit"] is not None:
            raise ValueError("it has no edit that reads")
        if edit is not None:
            daemon_json.read_items(json.loads(edit.former or "null"))
        return LabelRecord(edit, bool(found["existed"]), bool(found["pending"]))
    except (KeyError, TypeError, RecursionError, CannotMergeError) as why:
        raise ValueError("it is not a record of labels") from why


def render_record(record: LabelRecord) -> bytes:
    """Return the record as the bytes of its file: ASCII JSON, the same for the same record."""
    edit = record.edit and record.edit._asdict()
    tree = {"schema": SCHEMA, **record._asdict(), "edit": edit}
    return (json.dumps(tree, indent=1) + "\n").encode("ascii")
