"""Rules about this program's service: when it is started, what it sees, and what it is to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname

from rancheros_ec2_metadata.check.checked_file import File
from rancheros_ec2_metadata.check.finding import Finding, finding, load_rules
from rancheros_ec2_metadata.check.schema import suggest
from rancheros_ec2_metadata.check.service import ROS, VARIABLES, Service
from rancheros_ec2_metadata.check.yaml_reader import FLAGS
from rancheros_ec2_metadata.errors import quote
from rancheros_ec2_metadata.hosts.rancheros import paths


def _find_in_services(file: File) -> Iterator[Finding]:
    for service in file.ours:
        yield from _find_values(service)
        yield from _find_mounts(service)
        yield from service.wrong


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
        places = {target, "/bin/ros"} if target == ROS else {target} - {""}
        seen = [one for one in service.volumes if any(one.shows(path, to) for to in places)]
        old = [one for one in service.volumes if one.source == one.place == path != target]
        is_in_others = path == target and service.node.at("volumes_from").items
        for one in old:
            what = f"{has} {where} mounted at its old place"
            yield finding("mounts", one.line, what, f"mount it as {where}:{place}{mode} alone", why)
        if places and not seen and not old and not is_in_others:
            what, line = (
                f"{has} no {where} of the machine at {place}",
                service.node.at("volumes").line,
            )
            yield finding("mounts", line, what, f"add {where}:{place}{mode}", why)
        for one in seen:
            if not mode and "ro" in one.mode.split(","):
                what = f"{has} {where} mounted read-only"
                yield finding("mounts", one.line, what, "take its :ro out", why)


def _find_two_services(file: File) -> Iterator[Finding]:
    for one in file.ours[1:]:
        if _mapped(one) != _mapped(file.ours[0]):
            what = f"{quote(one.name)} and {quote(file.ours[0].name)} have different mappings"
            yield finding("two-services", one.node.line, what)


def _mapped(service: Service) -> list[object]:
    names = "metadata label_prefixes mappings env_prefixes templates metadata_labels env_file"
    return [getattr(service.settings, name) for name in (*names.split(), "status_label")]


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


RULES = (_find_in_services, _find_two_services, _find_in_variables, _find_legacy)
