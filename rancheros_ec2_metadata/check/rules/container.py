"""Rules about the container that this program runs in."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from rancheros_ec2_metadata.check import program
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.finding import Found, Rule
from rancheros_ec2_metadata.check.service import Service
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.settings import Settings

_ROS = "/usr/bin/ros"
_RELEASE = "/usr/share/ros"
_DOCKER = "/etc/docker"
# What comes of it where one is missing.
_MOUNTS = {
    paths.CONF: "nothing that is written outlasts the container",
    _RELEASE: "the release and Docker's own arguments are not known: status 5",
    _ROS: "nothing is read back",
    _DOCKER: "a daemon.json with labels is not seen, and Docker would not start",
}
_READ = frozenset({_RELEASE, _ROS, _DOCKER})
_ENV_FILE = "the file of --env-file does not outlast the container"
# RancherOS's own containers for volumes (os-config.yml).
_FROM = {
    "all-volumes": frozenset(_MOUNTS),
    "command-volumes": frozenset({_ROS}),
    "system-volumes": frozenset({paths.CONF, _RELEASE, _DOCKER}),
}


def image(file: File) -> Iterator[Found]:
    """Find services of this program whose image is not named by its version."""
    for service in file.ours:
        name, line = shown(service.name), file.line(*service.path, "image")
        found = service.image
        if found is None:
            why = "there is nothing to run"
            yield Found(line, f"{name} has no image", "name the image, with its version", why)
        elif not found["digest"] and found["tag"] in (None, "latest"):
            there = "the version latest" if found["tag"] else "no version, which means latest"
            yield Found(line, f"the image of {name} has {there}")


def net(file: File) -> Iterator[Found]:
    """Find services of this program that are not on the host's network."""
    for service in file.ours:
        value = service.text("net")
        if value != "host":
            there = f"net: {shown(value)}" if value else "no net"
            yield Found(file.line(*service.path, "net"), f"{shown(service.name)} has {there}")


def privileged(file: File) -> Iterator[Found]:
    """Find services of this program that have every right on the machine."""
    for service in file.ours:
        if service.text("privileged").lower() in ("true", "yes", "on", "y"):
            line = file.line(*service.path, "privileged")
            yield Found(line, f"{shown(service.name)} is privileged")


def mounts(file: File) -> Iterator[Found]:
    """Find services of this program that do not see the files they need."""
    for service in file.ours:
        line = file.line(*service.path, "volumes")
        settings = program.of(file, service) or Settings(ros=program.ROS)
        for path, targets in _needed(settings).items():
            modes = [_mounted(service, path, target) for target in targets]
            mode = next((mode for mode in modes if mode is not None), None)
            where = shown(path)[1:-1]
            if mode is None:
                mend = f"add {where}:{shown(targets[0])[1:-1]}{':ro' if path in _READ else ''}"
                what = f"{shown(service.name)} does not have {where} of the machine mounted"
                yield Found(line, what, mend, _MOUNTS.get(path, _ENV_FILE))
            elif path not in _READ and "ro" in mode.split(","):
                what = f"{shown(service.name)} has {where} mounted read-only"
                yield Found(line, what, "take its :ro out", "nothing can be written there")


def _needed(settings: Settings) -> dict[str, list[str]]:
    """Return the machine's paths that a run needs, each with where it looks for it."""
    root = posixpath.join("/", settings.root)
    needed = [paths.CONF, _RELEASE, _ROS, _DOCKER]
    if settings.env_file and not settings.env_file.startswith(f"{paths.CONF}/"):
        needed.append(posixpath.dirname(settings.env_file))
    found = {path: [posixpath.join(root, path[1:])] for path in needed}
    if settings.ros is None or (root != "/" and settings.ros == program.ROS):
        del found[_ROS]
    elif settings.ros == program.ROS:
        found[_ROS] = [_ROS, "/bin/ros"]
    else:
        found[_ROS] = [posixpath.join("/", settings.ros)]
    return found


def _mounted(service: Service, path: str, target: str) -> str | None:
    """Return how a service sees one of the machine's paths at ``target``; None: not at all."""
    others = [name.partition(":")[0] for name in service.texts("volumes_from")]
    # What a container of somebody else's has cannot be seen here.
    if any(name not in _FROM or path in _FROM[name] for name in others):
        return ""
    found: dict[str, str | None] = {}
    for volume in service.texts("volumes"):
        source, _, rest = volume.partition(":")
        place, _, mode = rest.partition(":")
        place = posixpath.normpath(place) if place.startswith("/") else ""
        if place and source.startswith("/") and posixpath.commonpath([place, target]) == place:
            inside = posixpath.relpath(target, place)
            seen = posixpath.normpath(posixpath.join(source, inside))
            # Of several mounts the deepest is the one that is seen.
            found[place] = mode if seen == path else None
    return found[max(found, key=len)] if found else None


RULES = (
    Rule(
        "image",
        "RancherOS pulls an image only if it has none of that name: nobody knows which one runs",
        "name its version",
        image,
    ),
    Rule(
        "net",
        "the metadata service answers a token request over one network hop only",
        "set net: host",
        net,
    ),
    Rule(
        "mounts",
        "it sees of the machine only what is mounted",
        "mount it where the machine has it",
        mounts,
    ),
    Rule(
        "privileged",
        "it needs no privilege, and whoever can replace the image would have the machine",
        "take privileged out; set read_only: true and cap_drop: [ALL]",
        privileged,
    ),
)
