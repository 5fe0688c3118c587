"""What the rules find in a file: whether RancherOS takes it, and then what is in it."""

from __future__ import annotations

from collections.abc import Iterator

from rancheros_ec2_metadata.check import docker_rules, service_rules
from rancheros_ec2_metadata.check.checked_file import File
from rancheros_ec2_metadata.check.finding import Finding, finding
from rancheros_ec2_metadata.check.schema import find_schema
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


def check(file: File) -> list[Finding]:
    """Return what the rules find in a file, by line."""
    # libyaml reports something missing at the end of a file on the line after the last.
    last = max(1, len(file.raw.splitlines()))
    rules = (_find_not_loaded, _find_not_typed, _find_empty_maps)
    found = [
        one._replace(line=min(one.line, last))
        for find in (*rules, *service_rules.RULES, *docker_rules.RULES)
        for one in find(file)
    ]
    return sorted(dict.fromkeys(found), key=lambda one: one.line)


def _find_not_loaded(file: File) -> Iterator[Finding]:
    if file.ignored and file.form is not Form.SERVICE_FILE:
        meant = (fix for word, fix in _MEANT.items() if word in file.ignored)
        yield finding("no-cloud-config", 1, file.ignored, next(meant, ""))
    yield from file.found


def _find_not_typed(file: File) -> Iterator[Finding]:
    schema = find_schema(file.release, of_service_file=file.form is Form.SERVICE_FILE)
    if file.form is Form.CLOUD_CONFIG:
        yield from schema.compare(file.root, "cloud-config")
    else:
        for one in file.services:
            yield from schema.compare(one.node, "service", (one.name,))


def _find_empty_maps(file: File) -> Iterator[Finding]:
    for path in _MAPS + _MAPS_OF_OLD * file.release.is_before((0, 9, 0)):
        node = file.at(*path[:-1]).fields.get(path[-1])
        if node and node.kind == "null":
            yield finding("empty-map", node.line, f"there is nothing behind {'.'.join(path)}")
