"""Where an instance's variables come from, and which are not known where a path failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from .instance import (
    ALWAYS,
    DOCUMENT_PATH,
    IN_DOCUMENT,
    LISTING_PATH,
    MAC_PATH,
    OF_INTERFACE,
    PARTITION_PATH,
    SOMETIMES,
    Document,
    partition_of,
    path_instead,
    source,
)


def said_by(variable: str, fields: Document, variables: Mapping[str, str]) -> str:
    """Return where one instance's variable comes from.

    Args:
        variable: of metadata.
        fields: of the identity document.
        variables: all of the instance's.
    """
    if variable == "AWS_PARTITION" and partition_of(variables.get("AWS_REGION", "")):
        return said_by("AWS_REGION", fields, variables)
    known = variable.replace("_DEFAULT_", "_")
    if known in IN_DOCUMENT and (path := path_instead(known, fields)):
        return f"IMDS, {path.removeprefix(LISTING_PATH)}"
    if variable == "AWS_PARTITION":
        return f"IMDS, {PARTITION_PATH.removeprefix(LISTING_PATH)}"
    text = source(variable).replace("<mac>", variables.get("AWS_MAC_ADDRESS", "<mac>"))
    return text if known in IN_DOCUMENT or text.startswith("tag ") else f"IMDS, {text}"


def told_at(path: str) -> set[str]:
    """Return the variables that are not known where a path could not be read."""
    of_paths = {name: instead for name, (_, instead) in IN_DOCUMENT.items()}
    of_paths |= ALWAYS | SOMETIMES | {"AWS_PARTITION": PARTITION_PATH}
    found = {name for name, at in of_paths.items() if at == path}
    if path == DOCUMENT_PATH:
        found |= {name for name, at in of_paths.items() if at is None}
    interface = path.startswith("meta-data/network/")
    found |= {
        name
        for name, leaf in OF_INTERFACE.items()
        if path == MAC_PATH or (interface and path.endswith(f"/{leaf}"))
    }
    return found | ({"AWS_DEFAULT_REGION"} if "AWS_REGION" in found else set())
