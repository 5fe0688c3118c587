"""Rules about whether RancherOS takes the file, and what it reads in it."""

from __future__ import annotations

from collections.abc import Iterator

from rancheros_ec2_metadata.check import schema
from rancheros_ec2_metadata.check.checked_file import File, Form
from rancheros_ec2_metadata.check.finding import Found, rule
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.hosts.rancheros.user_data import NO_FIRST_LINE

# Bytes; EC2, "Run commands when you launch an EC2 instance with user data input".
_MOST_USER_DATA = 16384
# Of user-data that was meant to be another kind, by a word of why it is ignored.
_FIXES = {
    "#!": "make #! the first two characters",
    "#compose": "make the first line #compose, with nothing behind it",
}
# Maps that RancherOS, or the image, puts something into.
_EMPTY_MAPS = tuple(
    ("rancher", key)
    for key in ("docker", "services", "services_include", "sysctl", "system_docker")
)
# From v0.9 on a later file of the system's has a map in its place (init.yml, network.yml).
_EMPTY_MAPS_OF_OLD = (("rancher",), ("rancher", "environment"), ("rancher", "network"))


@rule(
    "no-cloud-config",
    "RancherOS knows user-data by its first line alone, and ignores this",
    "make the first line #cloud-config, with nothing before it",
)
def _no_cloud_config(file: File) -> Iterator[Found]:
    if file.ignored and file.form is not Form.SERVICE_FILE:
        yield Found(
            1, file.ignored, next((_FIXES[one] for one in _FIXES if one in file.ignored), "")
        )


@rule(
    "not-read",
    "RancherOS does not load the file; before v0.5 the boot fails",
    "correct it; a text with a special character in it needs quotes",
)
def _not_read(file: File) -> Iterator[Found]:
    problem = file.document.problem
    if problem and file.ignored in ("", NO_FIRST_LINE) and file.raw.strip():
        yield problem


@rule(
    "characters",
    "RancherOS reads back ASCII alone: it loses the whole file, or all of its configuration",
    "write it in ASCII; a comment may have any character",
)
def _characters(file: File) -> Iterator[Found]:
    for line, character in file.document.lost:
        yield Found(line, f"U+{ord(character):04X} in a key or a value")


@rule(
    "wrong-type",
    "for one value of a wrong type RancherOS drops the whole file",
    "write it as it has to be: in quotes, if it is a text",
)
def _wrong_type(file: File) -> Iterator[Found]:
    for one in file.differences():
        if one.what:
            yield Found(one.line, one.what, "close its quotes" * ("be split" in one.what))


@rule(
    "several-documents",
    "RancherOS reads the first document alone",
    "take the --- out, so that it is one document",
)
def _several_documents(file: File) -> Iterator[Found]:
    if file.document.second:
        yield Found(file.document.second, "a second YAML document begins")


@rule("too-large", "EC2 takes 16384 bytes of user-data at most", "move a part of it into the image")
def _too_large(file: File) -> Iterator[Found]:
    if file.form is not Form.SERVICE_FILE and file.size > _MOST_USER_DATA:
        yield Found(1, f"the file has {file.size} bytes")


@rule(
    "duplicate-key",
    "the last one replaces the others whole; they are not merged",
    "write one of them, with what is in all",
)
def _duplicate_key(file: File) -> Iterator[Found]:
    for line, key, first in file.document.repeated:
        yield Found(line, f"the key {shown(key)} is there already, in line {first}")


@rule("unknown-key", "RancherOS drops it without a word", "look up its name, and where it belongs")
def _unknown_key(file: File) -> Iterator[Found]:
    for one in file.differences():
        if not one.what:
            yield _find_unknown_key(file, one)


def _find_unknown_key(file: File, one: schema.Difference) -> Found:
    *above, key = one.path
    where = f"below {schema.dotted(above)}" if above else "of RancherOS's cloud-config"
    fix, why = schema.similar(key, file.types[one.type_]), ""
    if one.type_ == "service":
        where = "of a service in compose version 1"
    elif not above and key in file.types["rancher"]:
        fix = "put it below rancher"
    elif one.type_ == "docker":
        where += f" in {file.release.text}"
        fix = _find_docker_key(file, key) or fix
    elif one.type_ == "file" and "content" not in one.node.fields:
        why = "RancherOS drops it without a word, and writes the file without content"
    elif one.type_ == "file" and "path" not in one.node.fields:
        why = "RancherOS drops it without a word, and writes no file"
    return Found(one.line, f"{shown(key)} is no key {where}", fix, why)


def _find_docker_key(file: File, key: str) -> str:
    """Return what the release has in place of a key, if it is known."""
    if key == "args":
        return "write extra_args"
    bare = key.lower().replace("-", "").replace("_", "").replace("dir", "root")
    if bare not in ("dataroot", "graph", "graphroot"):
        return ""
    known = [one for one in ("graph", "data_root") if one in file.types["docker"]]
    return f"write {'; on BurmillaOS from v2.0.0 write '.join(known)}"


@rule(
    "empty-map",
    "a null takes out all that RancherOS and the image set there",
    "take the key out, or put something below it",
)
def _empty_map(file: File) -> Iterator[Found]:
    is_old = file.release.is_before((0, 9, 0))
    for path in _EMPTY_MAPS_OF_OLD * is_old + _EMPTY_MAPS:
        node = file.at(*path[:-1]).fields.get(path[-1])
        if node and node.kind == "null":
            yield Found(node.line, f"there is nothing behind {'.'.join(path)}")


LOADING = (_no_cloud_config, _not_read, _characters, _wrong_type, _several_documents, _too_large)
RULES = (*LOADING, _duplicate_key, _unknown_key, _empty_map)
