"""Rules about the variables that services are given."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rancheros_ec2_metadata.check import variables
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.finding import Found, Rule
from rancheros_ec2_metadata.check.form import Form
from rancheros_ec2_metadata.check.places import Text
from rancheros_ec2_metadata.check.service import Service, Variable
from rancheros_ec2_metadata.errors import shown

_BRACED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_BARE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
# What libcompose takes in a service file; anything else behind a $ and it loads no service at all.
_INTERPOLATED = re.compile(r"\$(?:\{[A-Za-z0-9_]+\}|[A-Za-z_][A-Za-z0-9_]*)")
_SHELLS_READ = ("command", "entrypoint")
_LATER = {"console": {"console", "preload-user-images"}, "docker": set[str]()}


def interpolation(file: File) -> Iterator[Found]:
    """Find variables in texts that RancherOS does not replace, or replaces too early."""
    known = variables.of(file)
    by_path = {service.path: service for service in file.services}
    depth = len(file.services_path) + 1
    for text in file.places.texts:
        service = by_path.get(text.path[:depth])
        if text.is_key or "$" not in text.text:
            continue
        if file.form is Form.SERVICE_FILE:
            yield from _in_service_file(text, known) if service else ()
        elif service is None:
            in_environment = text.path[:2] == ("rancher", "environment")
            yield from _never(text, known) if in_environment else ()
        elif text.path[depth] not in _SHELLS_READ or not service.through_shell:
            yield from _never(text, known)


def _never(text: Text, known: variables.Variables) -> Iterator[Found]:
    bare = (n for n in _BARE.findall(text.text) if n in known.here or n in known.ours)
    for name in dict.fromkeys((*_BRACED.findall(text.text), *bare)):
        mend = _composed(text, name) if name in known.ours else ""
        why = "RancherOS replaces no variables in a cloud-config"
        yield Found(text.line, f"${{{name}}} stays as it is", mend, why)


def _in_service_file(text: Text, known: variables.Variables) -> Iterator[Found]:
    rest = text.text.replace("$$", "")
    if "$" in _INTERPOLATED.sub("", rest):
        why = "RancherOS does not load the file"
        yield Found(text.line, "there is a $ without a variable", "write $$ for a $", why)
    for name in dict.fromkeys((*_BRACED.findall(rest), *_BARE.findall(rest))):
        if name in known.ours:
            why = "RancherOS puts it in once, before this program has run"
            yield Found(text.line, f"there is ${{{name}}}", _composed(text, name), why)


def _composed(text: Text, name: str) -> str:
    """Return how a variable of this program can be part of a value."""
    assigned = _ASSIGNED.match(text.text)
    key = text.path[-1]
    target = assigned[1] if assigned else key if isinstance(key, str) else "NAME"
    return (
        f"compose it in this program's command, --set '{shown(target)[1:-1]}=…{{{name}}}…', and"
        " name that in environment"
    )


def wildcard(file: File) -> Iterator[Found]:
    """Find names with a star that stand for several variables."""
    known = variables.of(file)
    for service, variable in _looked_up(file):
        if not variable.name.endswith("*"):
            continue
        prefix = variable.name[:-1]
        matching = _matching(known, service, prefix)
        by_tags = known.may_be(variable.name)
        if len(matching) > 1 or by_tags:
            count = "" if by_tags else f"{len(matching)} "
            name = f"{shown(variable.name)} of {shown(service.name)}"
            yield Found(file.line_of(variable.path), f"{name} stands for {count}variables")


def unset_variable(file: File) -> Iterator[Found]:
    """Find names that nothing gives a value."""
    known = variables.of(file)
    if not known.complete:
        return
    for service, variable in _looked_up(file):
        name = variable.name
        # The service file names all settings there are, for whoever sets one.
        if service.is_ours or f"{service.name}/{name}" in known.here:
            continue
        start = name[:-1] if name.endswith("*") else None
        starred = start is not None and any(
            one.removeprefix(f"{service.name}/").startswith(start) for one in known.all
        )
        if not (starred or name in known.all or known.may_be(name)):
            what = f"nothing in this file sets {shown(name)} of {shown(service.name)}"
            mend = ""
            if name in variables.CREDENTIALS:
                mend = "take it out: AWS's SDKs ask the metadata service for the role's credentials"
            yield Found(file.line_of(variable.path), what, mend)


def too_early(file: File) -> Iterator[Found]:
    """Find services in system-docker that may be started before the variables are there."""
    known = variables.of(file)
    ours = {service.name for service in file.at_boot}
    later = set(ours)
    for service in file.at_boot:
        for name in _names(service, "before"):
            later |= {name, *_LATER.get(name, set())}
    later |= {"docker"}
    new = set(later)
    waiting = [(one.name, _names(one, "after")) for one in file.services]
    while new:
        new = {name for name, others in waiting if others & new} - later
        later |= new
    for service, variable in _looked_up(file):
        if not ours or service.is_ours or service.name in later or not service.in_system_docker:
            continue
        if known.is_ours(variable.name):
            what = f"{shown(service.name)} may start before {shown(variable.name)} is set"
            mend = f"set io.rancher.os.after: {shown(min(ours))[1:-1]}"
            yield Found(file.line_of(variable.path), what, mend)


def _names(service: Service, label: str) -> set[str]:
    text = service.labels.get(f"io.rancher.os.{label}", "")
    return {name.strip() for name in text.split(",")} - {""}


def _looked_up(file: File) -> Iterator[tuple[Service, Variable]]:
    for service in file.services:
        for variable in service.environment:
            if variable.value is None:
                yield service, variable


def _matching(known: variables.Variables, service: Service, prefix: str) -> set[str]:
    own = {name for name in known.here if name.startswith(f"{service.name}/{prefix}")}
    return own or {name for name in known.here | known.ours if name.startswith(prefix)}


RULES = (
    Rule(
        "interpolation",
        "RancherOS never replaces variables in a cloud-config, and once in a service file",
        "name the variable in environment, and let the service itself put it in",
        interpolation,
    ),
    Rule(
        "wildcard",
        "several come out in random order, and RancherOS makes the container anew at most boots",
        "name each variable",
        wildcard,
    ),
    Rule(
        "unset-variable",
        "RancherOS leaves it out, and the service is started without it",
        "map a tag to it (-l TAG:NAME), set it in rancher.environment, or take it out",
        unset_variable,
    ),
    Rule(
        "too-early",
        "a service in system-docker waits for this program only if it says so",
        "name this program's service in io.rancher.os.after",
        too_early,
    ),
)
