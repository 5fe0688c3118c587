"""Rules about the variables that services are given."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rancheros_ec2_metadata.check.checked_file import File, Form
from rancheros_ec2_metadata.check.finding import Found, rule
from rancheros_ec2_metadata.check.program import Variables
from rancheros_ec2_metadata.check.service import Service, Variable
from rancheros_ec2_metadata.check.yaml_reader import Node
from rancheros_ec2_metadata.errors import shown

_BRACED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_BARE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
# What libcompose takes in a service file; anything else behind a $ and it loads no service at all.
_INTERPOLATED = re.compile(r"\$(?:\{[A-Za-z0-9_]+\}|[A-Za-z_][A-Za-z0-9_]*)")
_CREDENTIALS = frozenset(
    {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KE"),
        *("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"),
    }
)
_LATER = {"console": {"console", "preload-user-images"}}


@rule(
    "interpolation",
    "RancherOS never replaces variables in a cloud-config, and once in a service file",
    "name the variable in environment, and let the service itself put it in",
)
def _interpolation(file: File) -> Iterator[Found]:
    known = file.variables
    for service in file.services:
        for path, node in service.node.scalars():
            if "$" not in node.text:
                continue
            if file.form is Form.SERVICE_FILE:
                yield from _in_service_file(path, node, known)
            elif path[:1] not in (("command",), ("entrypoint",)) or not service.through_shell:
                yield from _never_replaced(path, node, known)
    for name, node in file.here.items():
        yield from _never_replaced(("environment", name), node, known)


def _never_replaced(path: tuple[str, ...], node: Node, known: Variables) -> Iterator[Found]:
    bare = (n for n in _BARE.findall(node.text) if n in known.here or n in known.ours)
    for name in dict.fromkeys((*_BRACED.findall(node.text), *bare)):
        fix = _composed(path, node, name) if name in known.ours else ""
        why = "RancherOS replaces no variables in a cloud-config"
        yield Found(node.line, f"${{{name}}} stays as it is", fix, why)


def _in_service_file(path: tuple[str, ...], node: Node, known: Variables) -> Iterator[Found]:
    rest = node.text.replace("$$", "")
    if "$" in _INTERPOLATED.sub("", rest):
        why = "RancherOS does not load the file"
        yield Found(node.line, "there is a $ without a variable", "write $$ for a $", why)
    for name in dict.fromkeys((*_BRACED.findall(rest), *_BARE.findall(rest))):
        if name in known.ours:
            why = "RancherOS puts it in once, before this program has run"
            fix = _composed(path, node, name)
            yield Found(node.line, f"there is ${{{name}}}", fix, why)


def _composed(path: tuple[str, ...], node: Node, name: str) -> str:
    """Return how a variable of this program can be part of a value."""
    assigned = _ASSIGNED.match(node.text)
    in_map = path[1] if path[0] == "environment" and path[1:] else ""
    target = assigned[1] if assigned else in_map or "NAME"
    return (
        f"compose it in this program's command, --set '{shown(target)[1:-1]}=…{{{name}}}…', and"
        " name that in environment"
    )


@rule(
    "wildcard",
    "several come out in random order, and RancherOS makes the container anew at most boots",
    "name each variable",
)
def _wildcard(file: File) -> Iterator[Found]:
    known = file.variables
    for service, (name, _, line) in _looked_up(file):
        if not name.endswith("*"):
            continue
        stem = name[:-1]
        own = {one for one in known.here if one.startswith(f"{service.name}/{stem}")}
        matching = own or {one for one in known.here | known.ours if one.startswith(stem)}
        by_tags = known.may_be(name)
        if len(matching) > 1 or by_tags:
            count = "" if by_tags else f"{len(matching)} "
            what = f"{shown(name)} of {shown(service.name)} stands for {count}variables"
            yield Found(line, what)


@rule(
    "unset-variable",
    "RancherOS leaves it out, and the service is started without it",
    "map a tag to it (-l TAG:NAME), set it in rancher.environment, or take it out",
)
def _unset_variable(file: File) -> Iterator[Found]:
    known = file.variables
    for service, (name, _, line) in _looked_up(file):
        # The service file names all settings there are, for whoever sets one.
        if not known.complete or service.is_ours or f"{service.name}/{name}" in known.here:
            continue
        stem = name[:-1] if name.endswith("*") else None
        names = {one.removeprefix(f"{service.name}/") for one in known.all}
        is_set = name in names if stem is None else any(one.startswith(stem) for one in names)
        # What a command was meant to set is found there.
        if is_set or known.may_be(name) or (stem or name) in known.rejected:
            continue
        fix = ""
        if name in _CREDENTIALS:
            fix = "take it out: AWS's SDKs ask IMDS for the role's credentials"
        yield Found(line, f"nothing in this file sets {shown(name)} of {shown(service.name)}", fix)


@rule(
    "too-early",
    "a service in system-docker waits for this program only if it says so",
    "name this program's service in io.rancher.os.after",
)
def _too_early(file: File) -> Iterator[Found]:
    ours = {service.name for service in file.at_boot}
    later = {"docker", *ours}
    for service in file.at_boot:
        for name in service.names("before"):
            later |= {name, *_LATER.get(name, set())}
    new = set(later)
    waiting = [(one.name, one.names("after")) for one in file.services]
    while new:
        new = {name for name, others in waiting if others & new} - later
        later |= new
    for service, (name, _, line) in _looked_up(file):
        if (
            not ours
            or service.is_ours
            or service.name in later
            or service.label("scope") != "system"
        ):
            continue
        if file.variables.is_ours(name):
            what = f"{shown(service.name)} may start before {shown(name)} is set"
            yield Found(line, what, f"set io.rancher.os.after: {shown(min(ours))[1:-1]}")


def _looked_up(file: File) -> Iterator[tuple[Service, Variable]]:
    for service in file.services:
        for variable in service.environment:
            if not variable.value:
                yield service, variable


RULES = (_interpolation, _wildcard, _unset_variable, _too_early)
