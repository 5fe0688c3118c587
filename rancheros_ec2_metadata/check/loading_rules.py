"""Rules about whether RancherOS takes the file, and what it reads in it."""

from __future__ import annotations

from collections.abc import Iterator

from rancheros_ec2_metadata.check import schema
from rancheros_ec2_metadata.check.checked_file import ADDRESS, File, Form
from rancheros_ec2_metadata.check.finding import Found, rule
from rancheros_ec2_metadata.check.yaml_reader import NULLS, Document, first_lost
from rancheros_ec2_metadata.errors import shown

# Bytes; EC2, "Run commands when you launch an EC2 instance with user data input".
_MOST_USER_DATA = 16384
_DOCKERS = ("docker", "system_docker", "bootstrap_docker")
_TEXTS = (("rancher", "environment"), ("rancher", "sysctl"), ("rancher", "docker", "log_opts"))
_TEXTS_OF_FILES = ("permissions", "path", "owner")


@rule(
    "no-cloud-config",
    "RancherOS knows user-data by its first line alone, and ignores this",
    "make the first line #cloud-config, with nothing before it",
)
def _no_cloud_config(file: File) -> Iterator[Found]:
    if file.ignored and file.form is not Form.SERVICE_FILE:
        yield Found(1, file.ignored)


@rule(
    "not-read",
    "RancherOS does not load the file; before v0.5 the boot fails",
    "correct it; a text with a special character in it needs quotes",
)
def _not_read(file: File) -> Iterator[Found]:
    problem = file.document.problem
    if problem and (file.form is not Form.UNKNOWN or file.is_unrecognised):
        yield Found(problem.line, problem.what, why=problem.why)


@rule(
    "characters",
    "RancherOS reads back ASCII alone: it loses the whole file, or all of its configuration",
    "write it in ASCII; a comment may have any character",
)
def _characters(file: File) -> Iterator[Found]:
    for line, text, top in file.document.texts:
        # What is under a key that it does not know is gone before it writes anything out.
        fatal = file.form is Form.SERVICE_FILE or top in schema.CLOUD_CONFIG
        character = first_lost(text, fatal=fatal)
        if character:
            yield Found(line, f"U+{ord(character):04X} in a key or a value")


@rule(
    "wrong-type",
    "for one value of a wrong type RancherOS drops the whole file",
    "write it as it has to be: in quotes, if it is a text",
)
def _wrong_type(file: File) -> Iterator[Found]:
    yield from _wrong_types(file, file.document)


def _wrong_types(file: File, document: Document) -> Iterator[Found]:
    for one in file.differences(document):
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
    "address-variable",
    "where the machine has no such address nothing is put there, and RancherOS drops the file",
    'put it in quotes: "$private_ipv4"',
)
def _address_variable(file: File) -> Iterator[Found]:
    if file.form not in (Form.CLOUD_CONFIG, Form.COMPOSE):
        return
    without = file.with_addresses("")
    if without.problem:
        lines = {without.problem.line}
    else:
        lines = {
            one.line
            for one in {*_wrong_types(file, without)} - {*_wrong_types(file, file.document)}
        }
    raw = file.raw.decode("utf-8", "replace").split("\n")
    for line in sorted(lines):
        name = ADDRESS.search(raw[line - 1]) if line <= len(raw) else None
        yield Found(line, f"{name[0] if name else 'an address of the machine'} has no quotes")


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
    for one in file.differences(file.document):
        if not one.what:
            yield _unknown_key_found(file, one)
    if file.form is Form.SERVICE_FILE:
        for key in file.document.root.fields.keys() & {"version", *file.services_path}:
            what = f"{shown(key)} belongs to compose version 2 or later"
            fix = "use version 1: the services stand at the top of the file"
            yield Found(file.at(key).line, what, fix)
    for above in _DOCKERS if file.form is Form.CLOUD_CONFIG else ():
        for key, node in file.at("rancher", above).fields.items():
            if not schema.has_docker_key(file.release, key):
                what = f"{shown(key)} is no key below rancher.{above} in {file.release.text}"
                yield Found(node.line, what, _root_fix(file, key) or "take it out")


def _unknown_key_found(file: File, one: schema.Difference) -> Found:
    *above, key = one.path
    where = f"below {schema.dotted(above)}" if above else "of RancherOS's cloud-config"
    if one.known is schema.SERVICE:
        where = "of a service in compose version 1"
    fix, why = schema.similar(key, one.known), ""
    if not above and key in schema.RANCHER:
        fix = "put it below rancher"
    elif one.known is schema.DOCKER:
        fix = _root_fix(file, key) or fix
    elif one.known is schema.FILE and "content" not in one.node.fields:
        why = "RancherOS drops it without a word, and writes the file without content"
    return Found(one.line, f"{shown(key)} is no key {where}", fix, why)


def _root_fix(file: File, key: str) -> str:
    """Return what the release calls the folder of Docker's data, if the key means that."""
    if key.replace("-", "_").replace("dir", "root") not in ("data_root", "graph"):
        return ""
    if not schema.has_docker_key(file.release, "graph"):
        return "write data_root"
    both = schema.has_docker_key(file.release, "data_root")
    return "write graph" + "; on BurmillaOS from v2.0.0 write data_root" * both


@rule(
    "empty-map",
    "a null takes out all that RancherOS and the image set there",
    "take the key out, or put something below it",
)
def _empty_map(file: File) -> Iterator[Found]:
    if file.form is not Form.CLOUD_CONFIG:
        return
    old = file.release.version is not None and file.release.version < schema.HAS_INIT_YML
    rancher = file.at("rancher")
    if old and "rancher" in file.document.root.fields and rancher.kind == "null":
        yield Found(rancher.line, "there is nothing behind rancher")
    for key in (*schema.EMPTY_MAPS, *(schema.EMPTY_MAPS_OF_OLD if old else ())):
        if key in rancher.fields and rancher.at(key).kind == "null":
            yield Found(rancher.at(key).line, f"there is nothing behind rancher.{key}")


@rule(
    "retyped",
    "RancherOS reads a number, a flag or a date in it, and passes on what it made of that",
    "put it in quotes",
)
def _retyped(file: File) -> Iterator[Found]:
    if file.form is not Form.CLOUD_CONFIG:
        return
    for path, node in file.document.root.scalars():
        of_file = path[:1] == ("write_files",) and path[-1] in _TEXTS_OF_FILES
        if not (path == ("hostname",) or path[:-1] in _TEXTS or of_file):
            continue
        if node.quoted and node.text in NULLS:
            what = f"{schema.dotted(path)} is {node.text}, which arrives empty even in quotes"
            yield Found(node.line, what, "choose another text")
        elif node.arrives_changed:
            yield Found(node.line, f"{schema.dotted(path)} has no quotes, and arrives changed")


LOADING = (_no_cloud_config, _not_read, _characters, _wrong_type, _several_documents, _too_large)
RULES = (*LOADING, _address_variable, _duplicate_key, _unknown_key, _empty_map, _retyped)
