"""Rules about this program's service: when it is started, what it sees, and what it is to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from posixpath import commonpath, dirname, join, normpath, relpath
from typing import NamedTuple

from rancheros_ec2_metadata.check import program
from rancheros_ec2_metadata.check.checked_file import File, Form
from rancheros_ec2_metadata.check.finding import Finder, Found, rule
from rancheros_ec2_metadata.check.service import LABEL, Service
from rancheros_ec2_metadata.check.yaml_reader import Node
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.settings import Settings

_SYSTEM_CRON = (1, 1, 0)  # the release that brought it
_CONF = "/var/lib/rancher/conf"
_DOCKER = "/etc/docker"
_SHARE = "/usr/share/ros"
_ROS = str(program.ROS)
# Below it the machine's files are mounted: at conf's own place `ros` reads a copy.
_HOST = "/host"
# What comes of it where one is missing.
_MOUNTS = {
    _CONF: "it can write nothing, and sets nothing",
    _DOCKER: "a daemon.json with labels is not seen, and Docker would not start",
    _SHARE: "the release and Docker's own arguments are not known: status 5",
    _ROS: "without ros it sets no label: status 5",
}
_READ_ONLY = frozenset({_SHARE, _ROS, _DOCKER})


def _has_label(name: str, *right: str) -> Finder:
    """Return the finder of services at boot without one of these values in a label."""

    def find(file: File) -> Iterator[Found]:
        for service in file.ours if name == "scope" else file.at_boot:
            # Only of "before" may there be several.
            values = service.names(name) if name == "before" else {service.label(name)}
            if not values & set(right):
                yield _wrong_label(service, name)

    return find


def _wrong_label(service: Service, name: str, fix: str = "") -> Found:
    node = service.labels.get(LABEL + name)
    there = f"the label {LABEL}{name}: {shown(node.text)}" if node else f"no label {LABEL}{name}"
    line = node.line if node else service.line("labels")
    return Found(line, f"{shown(service.name)} has {there}", fix)


def _has_key(key: str, *right: str) -> Finder:
    """Return the finder of services without one of these values; empty is none."""

    def find(file: File) -> Iterator[Found]:
        for service in file.ours:
            value = service.text(key)
            if value.lower() not in right:
                there = f"{key}: {shown(value)}" if value else f"no {key}"
                yield Found(service.line(key), f"{shown(service.name)} has {there}")

    return find


_scope = rule(
    "scope",
    "it does not run in system-docker, so it cannot come before Docker",
    "set io.rancher.os.scope: system",
)(_has_label("scope", "system"))
_detach = rule(
    "detach",
    "nobody waits for it, and Docker starts unlabelled",
    'set io.rancher.os.detach: "false"',
)(_has_label("detach", "false"))
_after = rule(
    "after",
    "only for the exact word network does RancherOS wait for a default route first",
    "set io.rancher.os.after: network",
)(_has_label("after", "network"))
_before = rule(
    "before",
    "Docker does not wait for it, and starts unlabelled",
    "set io.rancher.os.before: console",
)(_has_label("before", "console", "docker"))
_reloadconfig = rule(
    "reloadconfig",
    "services that start later are given the variables of the boot before",
    'set io.rancher.os.reloadconfig: "true"',
)(_has_label("reloadconfig", "true"))
_createonly = rule("createonly", "it is made, and not started", "take the label out")(
    _has_label("createonly", "", "false")
)
_restart = rule(
    "restart", "it is done when it ends, and would be started again and again", "take restart out"
)(_has_key("restart", "", "no", "false"))
_net = rule("net", "a token from IMDS does not pass the default hop limit of 1", "set net: host")(
    _has_key("net", "host")
)
_privileged = rule(
    "privileged",
    "it needs no privilege, and whoever can replace the image would have the machine",
    "take privileged out; set read_only: true and cap_drop: [ALL]",
)(_has_key("privileged", "", "n", "no", "false", "off"))


@rule(
    "cron",
    "system-cron starts a container that has been made for it, by a schedule of six fields",
    "write it as in docs/cron.md",
)
def _cron(file: File) -> Iterator[Found]:
    for service in (one for one in file.ours if one.by_cron):
        node, name = service.labels["cron.schedule"], shown(service.name)
        count = len(node.text.split())
        if not node.text.startswith("@") and count != 6:
            fix = "second, minute, hour, day of month, month, day of week: '0 5 * * * *'"
            why = "a schedule begins with the second, so it does not mean what it would elsewhere"
            yield Found(node.line, f"{name} has a cron.schedule of {count} fields", fix, why)
        if file.release.version and file.release.version < _SYSTEM_CRON:
            why = f"{file.release.text} has no system-cron"
            yield Found(node.line, f"{name} has a cron.schedule", "use v1.1 or later", why)
        for key, value in (("createonly", "true"), ("before", "system-cron")):
            if service.label(key) != value:
                yield _wrong_label(service, key, f'set {LABEL}{key}: "{value}"')


@rule(
    "two-services",
    "each run takes out what it does not want itself: they undo each other's work",
    "give both the same mappings",
)
def _two_services(file: File) -> Iterator[Found]:
    runs = [one for one in file.programs if one.settings]
    for one in runs[1:]:
        if one.mapped != runs[0].mapped:
            names = f"{shown(one.service.name)} and {shown(runs[0].service.name)}"
            yield Found(one.service.node.line, f"{names} have different mappings")


@rule(
    "image",
    "RancherOS pulls an image only if it has none of that name: nobody knows which one runs",
    "name its version",
)
def _image(file: File) -> Iterator[Found]:
    for service in file.ours:
        name, line, found = shown(service.name), service.line("image"), service.image
        if found is None:
            fix, why = "name the image, with its version", "there is nothing to run"
            yield Found(line, f"{name} has no image", fix, why)
        elif not found["digest"] and found["tag"] in (None, "latest"):
            there = "the version latest" if found["tag"] else "no version, which means latest"
            yield Found(line, f"the image of {name} has {there}")


@rule(
    "mounts",
    "it sees of the machine only what is mounted",
    "mount it where the program looks for it",
)
def _mounts(file: File) -> Iterator[Found]:
    for one in file.programs:
        volumes = list(_volumes(one.service))
        for path, target in _needed(one.settings or Settings(ros=program.ROS)).items():
            yield from _mount(one.service, volumes, path, target)


class _Volume(NamedTuple):
    """A folder of the machine, and where the container has it."""

    source: str
    place: str
    mode: str
    line: int


def _volumes(service: Service) -> Iterator[_Volume]:
    for item in service.node.at("volumes").items:
        source, _, rest = item.text.partition(":")
        place, _, mode = rest.partition(":")
        if source.startswith("/") and place.startswith("/"):
            yield _Volume(normpath(source), normpath(place), mode, item.line)


def _needed(settings: Settings) -> Mapping[str, str]:
    """Return the machine's paths that a run needs, each with where it looks for it."""
    root = join("/", settings.root)
    host = _HOST if root == "/" else root
    needed = {_CONF: host + _CONF, _DOCKER: host + _DOCKER, _SHARE: _SHARE}
    if settings.ros is not None:
        needed[_ROS] = join("/", settings.ros)
    if settings.env_file and not settings.env_file.startswith(f"{_CONF}/"):
        folder = dirname(settings.env_file)
        needed[folder] = join(host, folder[1:])
    return needed


def _mount(service: Service, volumes: Sequence[_Volume], path: str, target: str) -> Iterator[Found]:
    """Yield what is wrong with how a service sees one of the machine's paths."""
    name, where, place = shown(service.name), shown(path)[1:-1], shown(target)[1:-1]
    write = f"{where}:{place}{':ro' if path in _READ_ONLY else ''}"
    seen = _seen(volumes, path, target)
    if seen is None and path == _ROS and target == _ROS:
        seen = _seen(volumes, path, "/bin/ros")
    old = next((one for one in volumes if one.source == one.place == path != target), None)
    if old is not None:
        why = f"the program looks for it at {place}"
        why += ", and at the old place ros would not see the copy" if path == _CONF else ""
        fix = f"take {where}:{where} out" if seen else f"write {write}"
        yield Found(old.line, f"{name} has {where} mounted at its old place", fix, why)
    elif seen is None and not (path == target and service.node.at("volumes_from").items):
        what = f"{name} does not have {where} of the machine mounted at {place}"
        why = _MOUNTS.get(path, "the file of --env-file does not outlast the container")
        yield Found(service.line("volumes"), what, f"add {write}", why)
    if seen and path not in _READ_ONLY and "ro" in seen.mode.split(","):
        what, why = f"{name} has {where} mounted read-only", "nothing can be written there"
        yield Found(seen.line, what, "take its :ro out", why)


def _seen(volumes: Sequence[_Volume], path: str, target: str) -> _Volume | None:
    """Return the mount that shows one of the machine's paths at ``target``."""
    around = [one for one in volumes if commonpath([one.place, target]) == one.place]
    # Of several mounts the deepest is the one that is seen.
    deepest = max(around, key=lambda one: len(one.place), default=None)
    if deepest and normpath(join(deepest.source, relpath(target, deepest.place))) == path:
        return deepest
    return None


@rule(
    "command",
    "the run ends with status 2 and nothing is set, or not what is meant",
    "correct it; docs/reference.md has the flags",
)
def _command(file: File) -> Iterator[Found]:
    for one in file.programs:
        yield from one.command_findings


@rule(
    "setting",
    "the run does not see it, or ends with status 2 for it",
    "correct it; docs/reference.md has the variables",
)
def _setting(file: File) -> Iterator[Found]:
    seen: dict[str, Node] = {}
    for one in file.programs:
        seen |= one.environ
        for variable in one.service.environment:
            yield from program.unknown_variable(variable.name, variable.line)
    for name, node in file.here.items():
        yield from program.unknown_variable(name, node.line)
        if file.ours and name in program.VARIABLES and name not in seen:
            what = f"no service of this program names {name} in its environment"
            yield Found(node.line, what, f"name it there: - {name}", "the run does not see it")
    yield from program.wrong_variables(seen if file.ours else file.here)


@rule(
    "amazon-metadata",
    "it writes credentials to the disk, and variables that override ours",
    "take the service out",
)
def _amazon_metadata(file: File) -> Iterator[Found]:
    # A key is a name of the catalogue's, or the URL of a service file.
    for name, node in file.at("rancher", "services_include").fields.items():
        if file.form is Form.CLOUD_CONFIG and "amazon-metadata" in name and node.is_true:
            yield Found(node.line, f"{shown(name)} is turned on", "set amazon-metadata: false")
    for service in file.legacy:
        yield Found(service.line("image"), f"{shown(service.name)} is the program of 2016")


RULES = (
    *(_scope, _detach, _after, _before, _reloadconfig, _createonly, _restart, _cron),
    *(_two_services, _image, _net, _mounts, _privileged, _command, _setting, _amazon_metadata),
)
