"""Rules about this program's service: when it is started, what it sees, and what it is to do."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname

from rancheros_ec2_metadata.check.checked_file import File
from rancheros_ec2_metadata.check.finding import Found, Rule, rule
from rancheros_ec2_metadata.check.schema import similar
from rancheros_ec2_metadata.check.service import LABEL, ROS, VARIABLES, Service
from rancheros_ec2_metadata.check.yaml_reader import FLAGS
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.hosts.rancheros import paths

_SHARE = "/usr/share/ros"
# What comes of it where one is missing.
_MOUNTS = {
    paths.CONF: "it can write nothing, and sets nothing",
    paths.DOCKER_FOLDER: "a daemon.json with labels is not seen, and Docker would not start",
    _SHARE: "the release and Docker's own arguments are not known: status 5",
    ROS: "without ros it sets no label: status 5",
}
_READ_ONLY = frozenset({_SHARE, ROS, paths.DOCKER_FOLDER})


# What a label io.rancher.os.NAME has to be, and what comes of it if not; empty is none.
_LABELS = {
    "scope": ("system", "it does not run in system-docker, so it cannot come before Docker"),
    "detach": ("false", "nobody waits for it, and Docker starts unlabelled"),
    "after": ("network", "for this exact word alone RancherOS waits for a default route first"),
    "before": ("console docker", "Docker does not wait for it, and starts unlabelled"),
    "reloadconfig": ("true", "services that start later are given the variables of a former boot"),
    "createonly": (" false", "it is made, and not started"),
}
# The same for a key of the service.
_KEYS = {
    "restart": (" no false", "it is done when it ends, and would be started again and again"),
    "net": ("host", "a token from IMDS does not pass the default hop limit of 1"),
    "privileged": (" n no false off", "it needs no privilege, and has the whole machine with it"),
}


def _value_rule(name: str, right: str, why: str) -> Rule:
    values, is_label = right.split(" "), name in _LABELS

    def find(file: File) -> Iterator[Found]:
        for service in file.ours:
            if service.by_cron and is_label and name != "scope":
                continue
            value = service.label(name) if is_label else service.node.at(name).text.lower()
            # Only of "before" may there be several.
            found = value.replace(" ", "").split(",") if name == "before" else [value]
            if not set(found) & set(values):
                yield _wrong_value(service, LABEL * is_label + name)

    name_and_value = f'{LABEL}{name}: "{values[0]}"' if is_label else f"{name}: {values[0]}"
    return Rule(name, why, f"set {name_and_value}" if values[0] else "take it out", find)


def _wrong_value(service: Service, name: str, fix: str = "") -> Found:
    node = service.labels.get(name) or service.node.fields.get(name)
    there = f"{name}: {shown(node.text)}" if node else f"no {name}"
    line = node.line if node else service.line("labels" if name.startswith(LABEL) else name)
    return Found(line, f"{service.shown} has {there}", fix)


@rule(
    "cron",
    "system-cron starts a container that has been made for it, by a schedule of six fields",
    "write it as in docs/cron.md",
)
def _cron(file: File) -> Iterator[Found]:
    for service in (one for one in file.ours if one.by_cron):
        node = service.labels["cron.schedule"]
        count = len(node.text.split())
        if not node.text.startswith("@") and count != 6:
            fix = "second, minute, hour, day of month, month, day of week: '0 5 * * * *'"
            what = f"{service.shown} has a cron.schedule of {count} fields"
            yield Found(node.line, what, fix)
        for key, value in (("createonly", "true"), ("before", "system-cron")):
            if service.label(key) != value:
                yield _wrong_value(service, LABEL + key, f'set {LABEL}{key}: "{value}"')


@rule(
    "two-services",
    "each run takes out what it does not want itself: they undo each other's work",
    "give both the same mappings",
)
def _two_services(file: File) -> Iterator[Found]:
    runs = [one for one in file.ours if one.settings]
    for one in runs[1:]:
        if _find_mapped(one) != _find_mapped(runs[0]):
            what = f"{one.shown} and {runs[0].shown} have different mappings"
            yield Found(one.node.line, what)


def _find_mapped(service: Service) -> list[object]:
    names = "metadata label_prefixes mappings env_prefixes templates metadata_labels env_file"
    return [getattr(service.settings, name) for name in (*names.split(), "status_label")]


@rule(
    "mounts",
    "it sees of the machine only what is mounted",
    "mount it where the program looks for it",
)
def _mounts(file: File) -> Iterator[Found]:
    for service in file.ours:
        needed = {path: f"/host{path}" for path in (paths.CONF, paths.DOCKER_FOLDER)}
        needed |= {_SHARE: _SHARE, ROS: ROS}
        if service.settings:
            needed[ROS] = str(service.settings.ros or "")
            folder = dirname(service.settings.env_file or paths.CLOUD_CONFIG)
            needed[folder] = f"/host{folder}"
        for path, target in needed.items():
            if target:
                yield from _mount(service, path, target)


def _mount(service: Service, path: str, target: str) -> Iterator[Found]:
    """Yield what is wrong with how a service sees one of the machine's paths."""
    where = shown(path)[1:-1]
    write = f"{where}:{shown(target)[1:-1]}{':ro' if path in _READ_ONLY else ''}"
    targets = (target, "/bin/ros") if path == target == ROS else (target,)
    seen = [one for one in service.volumes if any(one.shows(path, place) for place in targets)]
    old = [one.line for one in service.volumes if one.source == one.place == path != target]
    if old:
        why = "the program, and ros in its container, look for it elsewhere"
        fix = f"take {where}:{where} out" if seen else f"write {write}"
        yield Found(old[0], f"{service.shown} has {where} mounted at its old place", fix, why)
    elif not seen and not (path == target and service.node.at("volumes_from").items):
        what = f"{service.shown} does not have {where} of the machine at {shown(target)[1:-1]}"
        why = _MOUNTS.get(path, "the file of --env-file does not outlast the container")
        yield Found(service.line("volumes"), what, f"add {write}", why)
    for one in seen if path not in _READ_ONLY else ():
        if "ro" in one.mode.split(","):
            what = f"{service.shown} has {where} mounted read-only"
            yield Found(one.line, what, "take its :ro out", "nothing can be written there")


@rule(
    "command",
    "the run ends with status 2 and nothing is set, or not what is meant",
    "correct it; docs/reference.md has the flags and variables",
)
def _command(file: File) -> Iterator[Found]:
    for service in file.ours:
        yield from service.wrong


@rule(
    "setting",
    "the run does not see it",
    "correct it; docs/reference.md has the variables",
)
def _setting(file: File) -> Iterator[Found]:
    seen = {name for service in file.ours for name in service.environ}
    named = (pair for service in file.ours for pair in service.environment)
    for name, node in (*file.here.items(), *named):
        if name in file.here and name in VARIABLES - seen and file.ours:
            what = f"no service of this program names {name} in its environment"
            yield Found(node.line, what, f"name it there: - {name}")
        elif name.startswith("AWS_METADATA_") and name[-1] != "*" and name not in VARIABLES:
            what = f"{shown(name)} is no variable of this program"
            yield Found(node.line, what, similar(name, VARIABLES))


@rule(
    "amazon-metadata",
    "it writes credentials to the disk, and variables that override ours",
    "take the service out",
)
def _amazon_metadata(file: File) -> Iterator[Found]:
    # A key is a name of the catalogue's, or the URL of a service file.
    for name, node in file.at("rancher", "services_include").fields.items():
        is_legacy = "amazon-metadata" in name or "/deadroot/rancheros-ec2-metadata" in name
        if is_legacy and FLAGS.get(node.text.lower()):
            yield Found(node.line, f"{shown(name)} is turned on", "set amazon-metadata: false")
    for service in file.legacy:
        yield Found(service.line("image"), f"{service.shown} is the program of 2016")


RULES = (
    *(_value_rule(name, *row) for name, row in (_LABELS | _KEYS).items()),
    *(_cron, _two_services, _mounts, _command, _setting, _amazon_metadata),
)
