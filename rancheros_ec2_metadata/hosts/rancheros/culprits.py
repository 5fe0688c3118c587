"""Finds the user's file that overrides a value; used only in messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rancheros_ec2_metadata.hosts.rancheros import cloud_config, paths
from rancheros_ec2_metadata.hosts.rancheros.cloud_config import CannotEditError
from rancheros_ec2_metadata.hosts.rancheros.found import decode
from rancheros_ec2_metadata.hosts.rancheros.proposal import RefusedError

UNNAMED = "a stronger file"


def name_stronger(users: Mapping[str, bytes], path: Sequence[str]) -> str:
    """Return what overrides our drop-in at ``path``, as an operator knows it."""
    parameter = f"{'.'.join(path)}=".encode()
    for name, content in users.items():
        if b"EXTRA_CMDLINE" in content and parameter in content:
            return f"EXTRA_CMDLINE in {paths.name_layer(name)}"
    if parameter in users.get(paths.COMMAND_LINE, b""):
        return paths.name_layer(paths.COMMAND_LINE)
    later = [name for name in paths.list_drop_ins(users) if name > paths.DROP_IN]
    for name in (paths.CLOUD_CONFIG, *reversed(later)):
        text = decode(users.get(name)) or ""
        if cloud_config.sets(text, path):
            why = _explain_edit(text, path) if name == paths.CLOUD_CONFIG else ""
            return paths.name_layer(name) + why
    return UNNAMED


def refuse_difference(users: Mapping[str, bytes], key: str) -> RefusedError:
    """Return why ``key`` would be read otherwise with us: an empty key that our map would fill."""
    for name in (*paths.list_drop_ins(users), paths.CLOUD_CONFIG):
        text = decode(users.get(name)) or ""
        for path in (("rancher",), cloud_config.DOCKER, cloud_config.ENVIRONMENT):
            if cloud_config.is_null(text, path):
                return RefusedError(
                    f"{paths.name_layer(name)} has the empty key {'.'.join(path)}: with ours there"
                    f" it would no longer hide {key}; remove the key"
                )
    return RefusedError(f"{key} would be read otherwise than now; run 'plan --debug' and report it")


def _explain_edit(text: str, path: Sequence[str]) -> str:
    """Return why a list of cloud-config.yml is not changed there; empty if it could be."""
    try:
        cloud_config.find_list(text, path[-1])
    except CannotEditError as why:
        return f", which cannot be edited ({why})"
    return ""
