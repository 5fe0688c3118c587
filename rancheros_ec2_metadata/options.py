"""The command line: the commands, their flags and variables, and how they are read."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from rancheros_ec2_metadata import __version__
from rancheros_ec2_metadata.errors import Note, UsageError, shown, warning
from rancheros_ec2_metadata.plan import config_paths, env_file
from rancheros_ec2_metadata.plan.labels import METADATA_LABELS
from rancheros_ec2_metadata.settings import (
    ApiSettings,
    EnvPrefix,
    ImdsSettings,
    Settings,
    TagMapping,
    Template,
)

PROGRAM = "rancheros-ec2-metadata"
PREFIX = "AWS_METADATA_"
_WIDTH = 80
_ROS = ("/usr/bin/ros", "/bin/ros")
_SWITCH = {"true": True, "yes": True, "on": True, "1": True}
_SWITCH |= {"false": False, "no": False, "off": False, "0": False}
_LONGEST_SECONDS = 24 * 60 * 60  # far more is more than the system's own clocks can wait for


class Option(NamedTuple):
    """One setting of a run.

    Args:
        setting: the field of Settings.
        flags: short and long.
        variable: the environment's name for it. A flag that is given beats it.
        read: text to value; raises UsageError.
        metavar: what stands for the value in the help; empty for a switch.
        help: for an operator.
        commands: which take it.
        separator: of the variable's list; empty where it is one value.
    """

    setting: str
    flags: tuple[str, ...]
    variable: str
    read: Callable[[str], Any]
    metavar: str
    help: str
    commands: tuple[str, ...] = ("apply", "plan")
    separator: str = ""


class Command(NamedTuple):
    """One command; what it does is in the module of its name in commands/.

    Args:
        summary: what it is, in a line.
        about: what it does, in its help.
        examples: command lines, each with what it is for.
        statuses: the exit statuses that it can have, in words.
        arguments: of argparse, those that only commands have and no variable.
    """

    summary: str
    about: str
    examples: Mapping[str, str]
    statuses: Mapping[int, str]
    arguments: tuple[tuple[str, Mapping[str, Any]], ...] = ()


class Invocation(NamedTuple):
    """A command line, read: the command, its own arguments, and the settings of the run."""

    command: str
    given: argparse.Namespace
    settings: Settings


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCH:
        raise UsageError(f"{shown(text)} is neither true nor false")
    return _SWITCH[text.lower()]


def _deadline(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= _LONGEST_SECONDS:
        raise UsageError(f"{shown(text)} is not a number of seconds from 1 to {_LONGEST_SECONDS}")
    return seconds


def _one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise UsageError(f"{shown(text)} is not one of {', '.join(names)}")
        return text

    return read


def _mapping(text: str) -> TagMapping:
    mapping = TagMapping.parse(text)
    if mapping.is_config_path:
        config_paths.find(mapping.target)
    return mapping


def _tag_key(text: str) -> str:
    if not text:
        raise UsageError("the tag key is empty")
    return text


_EVERY = ("apply", "plan", "show", "status", "clean")
_READING = ("apply", "plan", "show")

OPTIONS = (
    Option(
        "metadata",
        ("-m", "--metadata"),
        "AWS_METADATA_LOAD",
        _switch,
        "",
        "import the EC2 metadata as AWS_ variables (the default; the variable can say false)",
    ),
    Option(
        "label_prefixes",
        ("-t", "--tag-prefix"),
        "AWS_METADATA_TAG_PREFIXES",
        str,
        "PREFIX",
        "tags whose key starts with PREFIX become Docker labels (default docker.; '' is all tags)",
        ("apply", "plan", "clean"),
        separator=";",
    ),
    Option(
        "mappings",
        ("-l", "-e", "--tag-variable"),
        "AWS_METADATA_TAG_VARIABLES",
        _mapping,
        "TAG:TARGET",
        "the tag's value becomes the variable TARGET, or the config path TARGET if it has a dot",
        ("apply", "plan", "clean"),
        separator=";",
    ),
    Option(
        "env_prefixes",
        ("--env-prefix",),
        "AWS_METADATA_ENV_PREFIXES",
        EnvPrefix.parse,
        "PREFIX:NAME",
        "every tag below PREFIX becomes a variable below NAME: example.:APP_ makes APP_DB_HOST",
        separator=";",
    ),
    Option(
        "templates",
        ("--set",),
        "AWS_METADATA_SET",
        Template.parse,
        "NAME=TEXT",
        "a variable composed of {AWS_LOCAL_IPV4}, any variable, and {tag:KEY}",
        separator=";",
    ),
    Option(
        "metadata_labels",
        ("--metadata-labels",),
        "AWS_METADATA_LABELS",
        _one_of(*METADATA_LABELS),
        "FIELD,FIELD",
        "metadata that becomes labels too: instance-type makes aws.instance-type",
        separator=",",
    ),
    Option(
        "status_label",
        ("--status-label",),
        "AWS_METADATA_STATUS_LABEL",
        _switch,
        "",
        "also set the label ec2-metadata.status to the outcome",
    ),
    Option(
        "env_file",
        ("--env-file",),
        "AWS_METADATA_ENV_FILE",
        env_file.path,
        "PATH",
        "write all variables there too, for docker run --env-file",
    ),
    Option(
        "require_tags",
        ("--require-tag",),
        "AWS_METADATA_REQUIRE_TAGS",
        _tag_key,
        "KEY",
        "wait for this tag for as long as the deadline leaves; without it the status is 6",
        separator=";",
    ),
    Option(
        "deadline",
        ("--deadline",),
        "AWS_METADATA_DEADLINE",
        _deadline,
        "SECONDS",
        "end after so long, whatever it is doing (default 120)",
        ("apply", "plan", "show", "clean"),
    ),
    Option(
        "tags",
        ("--tags",),
        "AWS_METADATA_TAGS",
        _one_of("auto", "imds", "api", "none"),
        "SOURCE",
        "where tags are read: auto (IMDS, else the API), imds, api or none",
        _READING,
    ),
    Option(
        "imds_version",
        ("--imds",),
        "AWS_METADATA_IMDS",
        _one_of("auto", "v2"),
        "VERSION",
        "v2 never speaks IMDSv1; auto does where no token can be had",
        _READING,
    ),
    Option(
        "root",
        ("--root",),
        "AWS_METADATA_ROOT",
        Path,
        "DIR",
        "the folder that stands for the machine's / (default /)",
        _EVERY,
    ),
    Option(
        "ros",
        ("--ros",),
        "AWS_METADATA_ROS",
        str,
        "PATH",
        "the ros command to ask, or none (default: where it is, with --root only if given)",
        ("apply", "plan", "clean"),
    ),
    Option(
        "debug",
        ("--debug",),
        "AWS_METADATA_DEBUG",
        _switch,
        "",
        "log every request and, on a bug of ours, a traceback",
        _EVERY,
    ),
)


def _format(*forms: str) -> tuple[str, Mapping[str, Any]]:
    text = f"one of {', '.join(forms)} (default {forms[0]})"
    return "--format", {"choices": forms, "default": forms[0], "metavar": "FORM", "help": text}


_INSTANCE = (
    ("--instance", {"metavar": "ID", "help": "ask the EC2 API for this instance"}),
    ("--profile", {"metavar": "NAME", "help": "for --instance: the profile of ~/.aws"}),
    ("--region", {"metavar": "NAME", "help": "for --instance: the region"}),
)
_FAILED = {1: "a bug of this program", 2: "wrong usage: nothing was done"}
_READ = {3: "not on EC2", 4: "EC2 said it only in part"}
_FILES = {5: "a file cannot be read or written, or is in the way"}
_RUN = {
    **_FAILED,
    **_READ,
    **_FILES,
    6: "a tag of --require-tag never came",
    7: "the deadline passed",
}

COMMANDS = {
    "apply": Command(
        "the run at boot: read EC2, write the configuration, exit",
        "Reads this EC2 instance's metadata and tags, and writes them into RancherOS's"
        " configuration, so that user Docker starts with docker.* tags as its labels. Done too"
        " where no command is named.",
        {
            "-m": "docker.* tags to labels, the metadata to variables",
            "-t docker. -t team. -l example.db.host:DB_HOST": (
                "labels of two prefixes, and a variable from a tag"
            ),
            "apply --set 'SWARM_ADVERTISE={AWS_LOCAL_IPV4}:2375'": (
                "a variable composed of another"
            ),
        },
        {0: "done", **_RUN},
    ),
    "plan": Command(
        "the same, writing nothing: shows what would change",
        "Does all that the run at boot does but write. Shows the diff of each file; the labels,"
        " variables and config paths with where each is from and when it counts; Docker's"
        " arguments; and what is left out, and why.",
        {
            "plan": "what the service would do here, now",
            "plan -t docker. -l example.db.host:DB_HOST": "what it would do with other flags",
            "plan --metadata-labels instance-type,availability-zone --status-label": (
                "what metadata would be as labels"
            ),
            "plan --format json": "for a program (docs/plan.md)",
            "plan --instance i-0123456789abcdef0 --user-data user-data.yml": (
                "from your workstation: a first boot of that instance with that user-data"
            ),
        },
        {0: "nothing would change", **_RUN, 10: "something would change"},
        (
            *_INSTANCE,
            (
                "--user-data",
                {"metavar": "FILE", "help": "plan for a first boot with it; - is standard input"},
            ),
            ("--release", {"metavar": "VERSION", "help": "of that boot (default v1.5.8)"}),
            _format("text", "json"),
        ),
    ),
    "show": Command(
        "what the instance and its tags are",
        "Shows what the instance and its tags are, where each came from, and what the instance"
        " does not have. Warns where what RancherOS has saved of the metadata names another host.",
        {
            "show": "a table",
            "show --format json": "for a program (docs/plan.md)",
            "show --format yaml": "the same as YAML",
            "show --instance i-0123456789abcdef0 --region eu-west-1": (
                "from your workstation: that instance, with your own AWS profile"
            ),
        },
        {0: "shown", **_FAILED, **_READ, **_FILES},
        (*_INSTANCE, _format("table", "json", "yaml")),
    ),
    "status": Command(
        "what the last run did, and whether it is still so",
        "Shows how the last run at boot ended, whether the files are still as it left them, and"
        " whether Docker was started since its labels changed. Asks EC2 nothing.",
        {"status": "after a boot", "status --format json": "for a program"},
        {
            0: "the last run ended with 0, and all is as it left it",
            **_RUN,
            5: "a file has changed, no run is known, or the last run ended with 5",
            7: "no run has ended since the machine started",
        },
        (_format("text", "json"),),
    ),
    "check": Command(
        "what in a cloud-config would break, before it is booted",
        "Reads cloud-configs (user-data), or files for `ros service enable`, and shows what in"
        " them would break or surprise on a machine with this program: the line, the reason and"
        " the fix (docs/check.md). Asks nobody, and writes nothing.",
        {
            "check user-data.yml": "what is wrong with it, a line for each finding",
            "check --release v0.6.1 --format json user-data.yml ec2-metadata.yml": (
                "two files, for an older RancherOS, as JSON"
            ),
        },
        {0: "nothing was found", **_FAILED, 5: "a file cannot be read", 11: "something was found"},
        (
            ("files", {"metavar": "FILE", "nargs": "+", "help": "- is standard input"}),
            (
                "--release",
                {"metavar": "VERSION", "help": "of RancherOS, such as v1.5.8 (default newest)"},
            ),
            _format("text", "json"),
        ),
    ),
    "clean": Command(
        "remove what this program wrote, restore what it changed",
        "Removes everything this program wrote, and restores what it changed. Run as the"
        " service's command for one boot it removes the service's traces, or prepares an image.",
        {
            "clean --dry-run": "what would be removed",
            "clean": "remove it",
            "clean --legacy": "also what the tool of 2016 left, its credentials first of all",
        },
        {0: "done", **_FAILED, **_FILES, 7: "the deadline passed"},
        (
            ("--legacy", {"action": "store_true", "help": "also what the 2016 tool left"}),
            ("--dry-run", {"action": "store_true", "help": "only say what would be removed"}),
        ),
    ),
    "demo": Command(
        "play a boot on this machine, on a fake EC2; needs no AWS and no root",
        "Plays a boot on this machine: a fake EC2 on loopback, a RancherOS disk in a temporary"
        " folder. Shows the files before and after, and the arguments that Docker would get.",
        {"demo": "play it"},
        {0: "played", **_FAILED, **_FILES},
    ),
    "fake-imds": Command(
        "the fake metadata service alone",
        "Answers as the EC2 metadata service would, for an instance described in a JSON file"
        " (docs/image.md), until it is stopped. The file may be edited meanwhile.",
        {"fake-imds --listen 127.0.0.1:1338 --data instance.json": "serve instance.json"},
        {0: "it was stopped", **_FAILED, **_FILES},
        (
            ("--listen", {"metavar": "HOST:PORT", "required": True, "help": "where to answer"}),
            ("--data", {"metavar": "FILE", "required": True, "help": "the instance, as JSON"}),
        ),
    ),
}


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> Invocation:
    """Read a command line.

    Args:
        arguments: without the program's name.
        environ: has the variables; those that the command does not take are not read.

    Raises:
        UsageError: it makes no sense; the message names the word, and one that may be meant.
        SystemExit: --help or --version was printed.
    """
    words = list(arguments)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, "apply")
    if not words[0].startswith("-") and words[0] not in COMMANDS:
        raise UsageError(f"unknown command {shown(words[0])}{_meant(words[0], COMMANDS)}")
    given, unknown = _parser().parse_known_args(words)
    for word in unknown:
        flag = word.partition("=")[0]
        if not flag.startswith("-"):
            raise UsageError(f"{given.command} takes no argument {shown(word)}")
        text = f"{given.command} has no flag {shown(flag)}"
        raise UsageError(f"{text}{_meant(flag, _flags(given.command))}")
    return Invocation(given.command, given, _settings(given, environ))


def unknown_variables(environ: Iterable[str]) -> Iterator[Note]:
    """Yield a warning for each variable that has our prefix and is none of ours."""
    known = [option.variable.removeprefix(PREFIX) for option in OPTIONS]
    for name in sorted(environ):
        rest = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and rest not in known:
            yield warning(f"unknown variable {name}: ignored{_meant(rest, known, PREFIX)}")


def _meant(word: str, known: Iterable[str], prefix: str = "") -> str:
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean {shown(prefix + near[0])}?" if near else ""


def _flags(command: str) -> Iterator[str]:
    for option in OPTIONS:
        if command in option.commands:
            yield from option.flags
    yield from (flag for flag, _ in COMMANDS[command].arguments)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> argparse.ArgumentParser:
    def form(prog: str) -> argparse.HelpFormatter:
        return argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=_WIDTH)

    top = _Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [COMMAND] [FLAG ...]",
        description="EC2 tags and metadata into RancherOS, before Docker starts.",
        epilog="Without a command it is apply. Each command has a --help of its own.",
        formatter_class=form,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = top.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        parser = commands.add_parser(
            name,
            usage=f"{PROGRAM} {'[apply]' if name == 'apply' else name} [FLAG ...]",
            help=command.summary,
            description=textwrap.fill(command.about, _WIDTH),
            epilog="\n".join([*_examples(command), "", *_statuses(command)]),
            formatter_class=form,
            allow_abbrev=False,
        )
        for option in OPTIONS:
            if name in option.commands:
                _add(parser, option)
        for flag, settings in command.arguments:
            parser.add_argument(flag, **settings)
    return top


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    kind: dict[str, Any] = {"metavar": option.metavar}
    if not option.metavar:
        kind = {"action": "store_const", "const": "true"}
    elif option.separator:
        kind["action"] = "append"
    text = f"{option.help} [{option.variable}]"
    parser.add_argument(*option.flags, dest=option.setting, help=text, **kind)


def _examples(command: Command) -> Iterator[str]:
    yield "examples:"
    for arguments, what in command.examples.items():
        yield f"  {PROGRAM} {arguments}"
        yield f"      {what}"


def _statuses(command: Command) -> Iterator[str]:
    yield "exit status:"
    for status, words in sorted(command.statuses.items()):
        yield f"  {status:2}  {words}"


def _settings(given: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    values: dict[str, Any] = {}
    for option in OPTIONS:
        flag = getattr(given, option.setting, None)
        if flag is not None:
            values[option.setting] = _value(option, flag, option.flags[0])
        elif given.command in option.commands and environ.get(option.variable, "").strip():
            text = environ[option.variable]
            texts = _items(text, option.separator) if option.separator else text
            values[option.setting] = _value(option, texts, option.variable)
    values["ros"] = _ros(values.get("ros"), values.get("root", Path("/")))
    version = values.pop("imds_version", "auto")
    return Settings(imds=_imds(environ, version), api=_api(environ), **values)


def _items(text: str, separator: str) -> list[str]:
    return [item.strip() for item in text.split(separator) if item.strip()]


def _value(option: Option, given: str | Sequence[str], where: str) -> Any:
    try:
        if isinstance(given, str):
            return option.read(given)
        if option.separator == ",":
            given = [item for text in given for item in _items(text, ",")]
        return tuple(map(option.read, given))
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _ros(text: str | None, root: Path) -> Path | None:
    """Return the ros command: on PATH, /usr/bin or /bin; below another root only if named."""
    if text == "none":
        return None
    if text is not None:
        return Path(text)
    if root != Path("/"):
        return None
    found = shutil.which("ros") or next(filter(os.path.exists, _ROS), None)
    return Path(found) if found else None


def _imds(environ: Mapping[str, str], version: str) -> ImdsSettings:
    mode = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE") or None
    modes: dict[str, Literal["IPv4", "IPv6"]] = {"ipv4": "IPv4", "ipv6": "IPv6"}
    if mode is not None and mode.lower() not in modes:
        raise UsageError(
            f"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: {shown(mode)} is not IPv4 or IPv6"
        )
    endpoint = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or None
    _check_url("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
    return ImdsSettings(
        endpoint=endpoint,
        mode=modes[mode.lower()] if mode else None,
        disabled=_is_true(environ, "AWS_EC2_METADATA_DISABLED"),
        v1=version != "v2" and not _is_true(environ, "AWS_EC2_METADATA_V1_DISABLED"),
    )


def _api(environ: Mapping[str, str]) -> ApiSettings:
    endpoint = environ.get("AWS_ENDPOINT_URL_EC2") or None
    _check_url("AWS_ENDPOINT_URL_EC2", endpoint)
    return ApiSettings(
        endpoint=endpoint,
        ca_bundle=environ.get("AWS_CA_BUNDLE") or None,
        fips=_is_true(environ, "AWS_USE_FIPS_ENDPOINT"),
        dualstack=_is_true(environ, "AWS_USE_DUALSTACK_ENDPOINT"),
    )


def _check_url(name: str, url: str | None) -> None:
    if url is not None and "@" in url:
        # Not shown: addresses are logged, and passwords are not.
        raise UsageError(f"{name}: no user and no password may be in the address")
    if url is not None and not url.startswith(("http://", "https://")):
        raise UsageError(f"{name}: {shown(url)} is not an http:// or https:// address")


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    # As AWS's SDKs read these: the word true in any case, everything else is false.
    return environ.get(name, "").strip().lower() == "true"
