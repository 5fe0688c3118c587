"""Rules about Docker: its arguments, its daemon.json, and who else sets them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from rancheros_ec2_metadata.check import program, variables
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.finding import Found, Rule
from rancheros_ec2_metadata.check.form import Form
from rancheros_ec2_metadata.errors import shown
from rancheros_ec2_metadata.plan import arguments, blocked, shell
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.layers import DOCKER
from rancheros_ec2_metadata.rancheros.ros_yaml import Node

_LISTS = ("args", "extra_args")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
# The console runs these after this program and before Docker, as it does a runcmd.
_SCRIPTS = ("/etc/rc.local", "/opt/rancher/bin/start.sh")


def args(file: File) -> Iterator[Found]:
    """Find an ``args`` that is not read, or that leaves out what Docker needs."""
    if file.get(*DOCKER, "args") is None:
        return
    line = file.line(*DOCKER, "args")
    if "args" not in file.release.argument_keys:
        yield Found(line, "RancherOS reads rancher.docker.args before v0.7 only")
    elif file.docker_items("args")[:1] != ["daemon"]:
        what = "rancher.docker.args replaces the list of the release, and begins without daemon"
        yield Found(line, what, "use extra_args")


def arguments_read(file: File) -> Iterator[Found]:
    """Find arguments of Docker that the shell reads as something else."""
    if file.release.quoting != "shell":
        return
    for key in file.docker_lists:
        for index, item in enumerate(file.docker_items(key)):
            line, name = file.line(*DOCKER, key, index), shown(arguments.named(item))
            try:
                arguments.label_keys([item], file.release.quoting)
                starts = [word.text[:8] for word in shell.words([item])]
            except shell.NotWordsError as wrong:
                yield Found(line, f"the item {name} has {wrong.reason}")
                continue
            if starts[:1] == ["--label="] and starts[1:] and starts[1][:1] != "-":
                yield Found(line, f"the item {name} has a space, and is two words")


def docker_variable(file: File) -> Iterator[Found]:
    """Find variables of this program in Docker's arguments."""
    ours = variables.of(file).ours
    passed = {item.partition("=")[0] for item in file.docker_items("environment")}
    for key in file.docker_lists:
        for index, item in enumerate(file.docker_items(key)):
            for name in dict.fromkeys(_VARIABLE.findall(item)):
                if name in ours - passed:
                    yield Found(file.line(*DOCKER, key, index), f"${name} in rancher.docker.{key}")


def docker_environment(file: File) -> Iterator[Found]:
    """Find items of Docker's environment that are no assignments."""
    for index, item in enumerate(file.docker_items("environment")):
        if "=" not in item:
            line = file.line(*DOCKER, "environment", index)
            yield Found(line, f"item {index + 1} of rancher.docker.environment has no =")


def daemon_json(file: File) -> Iterator[Found]:
    """Find a daemon.json that Docker does not start with."""
    path = blocked.daemon_json(file.layers, file.release.quoting)
    index = _written(file, path)
    if index is None:
        return
    line = file.line("write_files", index)
    content = blocked.as_it_will_be(file.disk, file.layers, path)
    if content is None:
        yield Found(line, f"the content of {path} cannot be decoded", "mend its encoding")
        return
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        yield Found(line, f"{path} is no JSON", "mend its content")
        return
    if blocked.has_labels(found):
        yield Found(line, f"{path} has labels")


def docker_opts(file: File) -> Iterator[Found]:
    """Find labels in DOCKER_OPTS that tags may set too."""
    index = _written(file, paths.DOCKER_OPTS)
    if index is None:
        return
    every = list(program.all_settings(file))
    for key in sorted(blocked.docker_opts_labels(file.disk, file.layers, {})):
        if any(settings.is_label(key) for settings in every):
            line = file.line("write_files", index)
            yield Found(line, f"DOCKER_OPTS in {paths.DOCKER_OPTS} sets the label {shown(key)}")


def runcmd(file: File) -> Iterator[Found]:
    """Find commands that set Docker's arguments after this program has."""
    if file.form is not Form.CLOUD_CONFIG:
        return
    for index, item in enumerate(file.list_at("runcmd")):
        if blocked.mentions_docker(item):
            yield Found(file.line("runcmd", index), "a runcmd mentions rancher.docker")
    for path in _SCRIPTS:
        written = _written(file, path)
        content = blocked.as_it_will_be(file.disk, file.layers, path) or b""
        if written is not None and b"rancher.docker" in content:
            yield Found(file.line("write_files", written), f"{path} mentions rancher.docker")


def extra_cmdline(file: File) -> Iterator[Found]:
    """Find an EXTRA_CMDLINE that is stronger than what this program writes."""
    for layer in file.layers:
        if not layer.name.startswith("EXTRA_CMDLINE"):
            continue
        rancher = layer.data.get("rancher")
        set_there = rancher if isinstance(rancher, dict) else {}
        docker, environment = set_there.get("docker"), set_there.get("environment")
        ours = variables.of(file).ours
        names = [f"rancher.docker.{key}" for key in _LISTS if key in _keys(docker)]
        names += [f"rancher.environment.{key}" for key in _keys(environment) if key in ours]
        for name in names:
            yield Found(file.line("EXTRA_CMDLINE"), f"EXTRA_CMDLINE sets {name}")


def amazon_metadata(file: File) -> Iterator[Found]:
    """Find the tool of 2016 beside this program."""
    path = ("rancher", "services_include")
    for name, enabled in file.map_at(*path).items():
        if name == "amazon-metadata" and enabled is True:
            yield Found(file.line(*path, name), "amazon-metadata is turned on")


def _keys(node: Node) -> Sequence[str]:
    return list(node) if isinstance(node, dict) else []


def _written(file: File, path: str) -> int | None:
    """Return the number of the ``write_files`` entry that counts for a path."""
    entries = file.layers.get(("write_files",))
    numbers = (
        index
        for index, entry in enumerate(entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and blocked.writes(entry, path)
    )
    return max(numbers, default=None)


RULES = (
    Rule(
        "args",
        "Docker is started without it, or not at all",
        "use rancher.docker.extra_args",
        args,
    ),
    Rule(
        "docker-arguments",
        "a shell reads the arguments: Docker does not start, or no tag becomes a label",
        "quote it for the shell: \"--label='motto=a b'\"",
        arguments_read,
    ),
    Rule(
        "docker-variable",
        "Docker's arguments do not see rancher.environment: it is empty there",
        "use a tag (-t) or --metadata-labels for a label",
        docker_variable,
    ),
    Rule(
        "docker-environment",
        "RancherOS runs it as a command in place of Docker",
        "write NAME=VALUE",
        docker_environment,
    ),
    Rule(
        "daemon-json",
        "beside its labels Docker takes no other, so no tag becomes one; broken it stops Docker",
        "move its labels to rancher.docker.extra_args",
        daemon_json,
    ),
    Rule(
        "docker-opts",
        "with a tag of that key the label would have two values: the tag is left out",
        "move it to rancher.docker.extra_args, where the tag replaces it",
        docker_opts,
    ),
    Rule(
        "runcmd",
        "it runs after this program and may replace Docker's arguments, the labels with them",
        "set them in this file, under rancher.docker",
        runcmd,
    ),
    Rule(
        "extra-cmdline",
        "it is stronger than any file: no label is set, or the variable is never the tag's",
        "set it in this file under rancher instead",
        extra_cmdline,
    ),
    Rule(
        "amazon-metadata",
        "the tool of 2016 writes credentials to the disk, and variables that win over ours",
        "set amazon-metadata: false",
        amazon_metadata,
    ),
)
