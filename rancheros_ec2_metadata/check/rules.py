"""What the rules find in a file: whether RancherOS takes it, and this program's service in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname

from rancheros_ec2_metadata.check import docker_rules
from rancheros_ec2_metadata.check.checked_file import File
from rancheros_ec2_metadata.check.finding import Finding, finding, load_rules
from rancheros_ec2_metadata.check.schema import find_schema, suggest
from rancheros_ec2_metadata.check.service import ROS, VARIABLES, Service, split
from rancheros_ec2_metadata.check.yaml_reader import FLAGS
from rancheros_ec2_metadata.errors import quote
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.user_data import Form

# Fixes for user-data of another form, by a word in the reason why it is ignored.
_MEANT = {
    "#!": "make #! the first two characters",
    "#compose": "make the first line #compose, with nothing behind it",
}
# Maps that RancherOS, or the image, puts something into.
_KEYS = ("docker", "services", "services_include", "sysctl", "system_docker")
_MAPS = tuple(("rancher", key) for key in _KEYS)
# From v0.9 on a later file of the system's has a map in its place (init.yml, network.yml).
_MAPS_OF_OLD = (("rancher",), ("rancher", "environment"), ("rancher", "network"))
# The settings that say what is set.
_MAPPINGS = (
    *("metadata", "label_prefixes", "mappings", "env_prefixes", "templates"),
    *("metadata_labels", "status_label", "env_file"),
)


def check(file: File) -> list[Finding]:
    """Return what the rules find in a file, by line."""
    # libyaml reports something missing at the end of a file on the line after the last.
    last = max(1, len(file.raw.splitlines()))
    rules = (
        *(_find_not_loaded, _find_empty_maps, _find_in_services),
        *(_find_two_services, _find_in_variables, _find_legacy, *docker_rules.RULES),
    )
    found = (one._replace(line=min(one.line, last)) for find in rules for one in find(file))
    return sorted(dict.fromkeys(found), key=lambda one: one.line)


def _find_not_loaded(file: File) -> Iterator[Finding]:
    if file.ignored and file.form is not Form.SERVICE_FILE:
        meant = (fix for word, fix in _MEANT.items() if word in file.ignored)
        yield finding("no-cloud-config", 1, file.ignored, next(meant, ""))
    yield from file.found
    schema = find_schema(file.release, of_service_file=file.form is Form.SERVICE_FILE)
    if file.form is Form.CLOUD_CONFIG:
        yield from schema.compare(file.root, "cloud-config")
    else:
        for one in file.services:
            yield from schema.compare(one.node, "service", quote(one.name)[1:-1])


def _find_empty_maps(file: File) -> Iterator[Finding]:
    for path in _MAPS + _MAPS_OF_OLD * file.release.is_before((0, 9, 0)):
        node = file.at(*path[:-1]).fields.get(path[-1])
        if node and node.kind == "null":
            yield finding("empty-map", node.line, f"there is nothing behind {'.'.join(path)}")


def _find_in_services(file: File) -> Iterator[Finding]:
    for service in file.ours:
        yield from _find_values(service)
        yield from _find_mounts(service)
        yield from service.wrong
        for item in service.node.at("command").items:
            flag, *rest = split(item.text)
            if rest:
                what = f"{quote(service.name)} has {flag} and more in one item of its command"
                why = "nothing in a list is split, so the space is part of the value"
                yield finding("command", item.line, what, "make an item of each word", why)


def _find_values(service: Service) -> Iterator[Finding]:
    labels = service.read_pairs("labels")
    started = "by cron" if "cron.schedule" in labels else "at boot"
    rules = {name: rule for name, rule in load_rules().items() if rule.started in ("", started)}
    for name, rule in rules.items():
        for key, right in rule.has.items():
            node = service.node.at(key)
            if "." in key:
                node = labels.get(key, service.node.at("labels", key))
            if not re.fullmatch(right, node.text):
                found = f"no {key}" if node.kind == "null" else f"{key}: {quote(node.text)}"
                yield finding(name, node.line, f"{quote(service.name)} has {found}")


def _find_mounts(service: Service) -> Iterator[Finding]:
    """Yield what is wrong with how a service sees the machine's paths."""
    settings, conf, docker = service.settings, paths.CONF, paths.DOCKER_FOLDER
    share, folder = "/usr/share/ros", dirname(settings.env_file or paths.CLOUD_CONFIG)
    has = f"{quote(service.name)} has"
    # By path of the machine: its path in the container, its mode, and what is wrong without it.
    needed = {
        folder: (f"/host{folder}", "", "the file of --env-file does not outlast the container"),
        conf: (f"/host{conf}", "", "it can write nothing, and sets nothing"),
        docker: (f"/host{docker}", ":ro", "a daemon.json with labels would stop Docker unseen"),
        share: (share, ":ro", "the release and Docker's own arguments are not known: status 5"),
        ROS: (str(settings.ros or ""), ":ro", "without ros it sets no label: status 5"),
    }
    for path, (target, mode, why) in needed.items():
        where, place = (quote(one)[1:-1] for one in (path, target))
        mount, line = f"{where}:{place}{mode}", service.node.at("volumes").line
        places = {target, "/bin/ros"} if target == ROS else {target} - {""}
        seen = [one for one in service.volumes if any(one.shows(path, to) for to in places)]
        old = [one for one in service.volumes if one.source == one.place == path != target]
        is_in_others = path == target and service.node.at("volumes_from").items
        if places and not (seen or old or is_in_others):
            what = f"{has} no {where} of the machine at {place}"
            yield finding("mounts", line, what, f"add {mount}", why)
        for one in old:
            what = f"{has} {where} mounted at its old place"
            yield finding("mounts", one.line, what, f"mount it as {mount} alone")
        for one in seen:
            if not mode and "ro" in one.mode.split(","):
                what = f"{has} {where} mounted read-only"
                yield finding("mounts", one.line, what, "take its :ro out", why)


def _find_two_services(file: File) -> Iterator[Finding]:
    mapped = [[getattr(one.settings, name) for name in _MAPPINGS] for one in file.ours]
    for one, mappings in zip(file.ours, mapped, strict=True):
        if mappings != mapped[0]:
            what = f"{quote(one.name)} and {quote(file.ours[0].name)} have different mappings"
            yield finding("two-services", one.node.line, what)


def _find_in_variables(file: File) -> Iterator[Finding]:
    here = file.at("rancher", "environment").fields
    seen = {name for service in file.ours for name in service.environ}
    named = (pair for one in file.ours for pair in one.read_pairs("environment").items())
    for name, node in (*here.items(), *named):
        if name in here and name in VARIABLES - seen and file.ours:
            what = f"no service of this program names {name} in its environment"
            yield finding("setting", node.line, what, f"name it there: - {name}")
        elif name.startswith("AWS_METADATA_") and name[-1] != "*" and name not in VARIABLES:
            what = f"{quote(name)} is no variable of this program"
            yield finding("setting", node.line, what, suggest(name, VARIABLES))


def _find_legacy(file: File) -> Iterator[Finding]:
    # A key is a name of the catalogue's, or the URL of a service file.
    for name, node in file.at("rancher", "services_include").fields.items():
        is_legacy = "amazon-metadata" in name or "/deadroot/rancheros-ec2-metadata" in name
        if is_legacy and FLAGS.get(node.text.lower()):
            what = f"{quote(name)} is turned on"
            yield finding("amazon-metadata", node.line, what, "set amazon-metadata: false")
    for service in file.legacy:
        what = f"{quote(service.name)} is the legacy amazon-metadata"
        yield finding("amazon-metadata", service.node.at("image").line, what)
