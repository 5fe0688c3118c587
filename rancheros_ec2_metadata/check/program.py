"""The settings that this program would have as a service of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rancheros_ec2_metadata import invocation
from rancheros_ec2_metadata.check import places
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.service import Service, Variable
from rancheros_ec2_metadata.errors import UsageError
from rancheros_ec2_metadata.rancheros.ros_scalars import text_of
from rancheros_ec2_metadata.settings import Settings

OURS = "AWS_METADATA_"
# What a run uses that is not told otherwise; not looked for on the machine this is checked on.
ROS = Path("/usr/bin/ros")
_ROS = {"AWS_METADATA_ROS": str(ROS)}


@dataclass(frozen=True)
class Given:
    """A variable that a service is given, and where its value stands."""

    value: str
    path: places.Path


def here(file: File) -> dict[str, Given]:
    """Return what the file itself sets in rancher.environment."""
    path = ("rancher", "environment")
    return {
        name: Given(text_of(value), (*path, name))
        for name, value in file.map_at(*path).items()
        if not isinstance(value, list | dict)
    }


def given(file: File, service: Service) -> dict[str, Given]:
    """Return the variables that a service is given by the file alone."""
    known = here(file)
    found: dict[str, Given] = {}
    for variable in service.environment:
        if variable.value is not None:
            found[variable.name] = Given(variable.value, variable.path)
        else:
            found.update(looked_up(known, service, variable))
    return found


def looked_up(known: Mapping[str, Given], service: Service, variable: Variable) -> dict[str, Given]:
    """Return what RancherOS finds for a name: the service's own first (``service/NAME``)."""
    for name in (f"{service.name}/{variable.name}", variable.name):
        if name.endswith("*"):
            matching = {k: v for k, v in known.items() if k.startswith(name[:-1])}
        else:
            matching = {name: known[name]} if name in known else {}
        if matching:
            return {key.partition("/")[2] or key: value for key, value in matching.items()}
    return {}


def arguments(service: Service) -> tuple[str, list[str]]:
    """Return the command of this program that a service runs, and its arguments.

    Raises:
        ValueError: the service's command is no command line.
    """
    words = list(service.words())
    return (words.pop(0), words) if words and words[0] in invocation.COMMANDS else ("apply", words)


def settings(words: list[str], environ: Mapping[str, str]) -> Settings:
    """Return the settings of a run.

    Raises:
        UsageError: the program would not take them.
    """
    try:
        return invocation.parse(["apply", *words], {**_ROS, **environ}).settings
    except SystemExit:
        raise UsageError("--help is no run") from None


def of(file: File, service: Service) -> Settings | None:
    """Return the settings of a service; None where it would not run, or not as a run at boot."""
    environ = {name: one.value for name, one in given(file, service).items()}
    try:
        command, words = arguments(service)
        return settings(words, environ) if command == "apply" else None
    except (UsageError, ValueError):
        return None


def mapped(file: File, service: Service) -> tuple[object, ...] | None:
    """Return the settings that decide what is written; None where there are none."""
    found = of(file, service)
    if found is None:
        return None
    return (
        found.metadata,
        found.label_prefixes,
        found.mappings,
        found.env_prefixes,
        found.templates,
        found.metadata_labels,
        found.status_label,
        found.env_file,
    )


def all_settings(file: File) -> Iterator[Settings]:
    """Yield the settings of the services that are readable."""
    for service in file.ours:
        found = of(file, service)
        if found is not None:
            yield found
