"""Rules about what RancherOS reads in the file, where that is not what is written there."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rancheros_ec2_metadata.check import compose, known_keys
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.finding import Found, Rule
from rancheros_ec2_metadata.check.form import Form
from rancheros_ec2_metadata.check.places import Path, dotted
from rancheros_ec2_metadata.check.spelling import instead
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.rancheros import config_types
from rancheros_ec2_metadata.rancheros.ros_scalars import NULLS, plain, text_of

_TOP = ("hostname", "rancher", "runcmd", "ssh_authorized_keys", "write_files")


def duplicate_key(file: File) -> Iterator[Found]:
    """Find keys that a map has twice."""
    for twice in file.places.twice:
        key = shown(str(twice.path[-1]))
        yield Found(twice.line, f"the key {key} is there already, in line {twice.first}")


def unknown_key(file: File) -> Iterator[Found]:
    """Find keys that RancherOS drops."""
    if file.form is Form.CLOUD_CONFIG:
        yield from _unknown_at_the_top(file)
        yield from _unknown(file, ("rancher",), known_keys.RANCHER)
        yield from _unknown(file, ("rancher", "docker"), known_keys.DOCKER)
    if file.form is Form.SERVICE_FILE:
        for key in file.tree.keys() & {"version", *file.services_path}:
            what = f"{shown(key)} belongs to compose version 2 or later"
            mend = "use version 1: the services stand at the top of the file"
            yield Found(file.line(key), what, mend)
    for service in file.services:
        for key in service.tree.keys() - compose.KEYS:
            what = f"{shown(key)} is no key of a service in compose version 1"
            mend = compose.INSTEAD.get(key) or instead(key, compose.KEYS)
            yield Found(file.line(*service.path, key), what, mend)


def _unknown_at_the_top(file: File) -> Iterator[Found]:
    for key in file.tree:
        if config_types.is_known(key) or key == "EXTRA_CMDLINE":
            continue
        mend = "put it below rancher" if key in known_keys.RANCHER else instead(key, _TOP)
        yield Found(file.line(key), f"{shown(key)} is no key of RancherOS's cloud-config", mend)


def _unknown(file: File, path: tuple[str, ...], known: Collection[str]) -> Iterator[Found]:
    for key in file.map_at(*path):
        if key not in known:
            what = f"{shown(key)} is no key below {'.'.join(path)}"
            yield Found(file.line(*path, key), what, instead(key, known))


def empty_map(file: File) -> Iterator[Found]:
    """Find nulls that hide what is in weaker layers."""
    if file.form is not Form.CLOUD_CONFIG:
        return
    for path in known_keys.MAPS:
        above = file.get(*path[:-1])
        if isinstance(above, dict) and path[-1] in above and above[path[-1]] is None:
            yield Found(file.line(*path), f"there is nothing behind {'.'.join(path)}")


def retyped(file: File) -> Iterator[Found]:
    """Find texts that arrive as others."""
    if file.form is not Form.CLOUD_CONFIG:
        return
    for text in file.places.texts:
        if text.is_key or not _is_wanted_as_text(text.path):
            continue
        where = dotted(text.path)
        value = None if text.quoted else plain(text.text)
        if text.quoted and text.text in NULLS:
            what = f"{where} is {text.text}, which arrives empty even in quotes"
            yield Found(text.line, what, "choose another text")
        elif value is not None and text_of(value) != text.text:
            yield Found(text.line, f"{where} has no quotes, and arrives changed")


def _is_wanted_as_text(path: Path) -> bool:
    match path:
        case ("hostname",):
            return True
        case ("rancher", "environment" | "sysctl", str()):
            return True
        case ("rancher", "docker", "log_opts", str()):
            return True
        case ("write_files", int(), "permissions" | "path" | "owner"):
            return True
    return False


RULES = (
    Rule(
        "duplicate-key",
        "the last one replaces the others whole; they are not merged",
        "write one of them, with what is in all",
        duplicate_key,
    ),
    Rule(
        "unknown-key",
        "RancherOS drops it without a word",
        "look up its name, and where it belongs",
        unknown_key,
    ),
    Rule(
        "empty-map",
        "a null takes out all that RancherOS and the image set there",
        "take the key out, or put something below it",
        empty_map,
    ),
    Rule(
        "retyped",
        "RancherOS reads a number, a flag or a date in it, and passes on what it made of that",
        "put it in quotes",
        retyped,
    ),
)
