"""The command line: the commands with their help, and how one is read."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, NoReturn

from rancheros_ec2_metadata import __version__, called_as, options
from rancheros_ec2_metadata.errors import UsageError, quote
from rancheros_ec2_metadata.options import suggest
from rancheros_ec2_metadata.settings import Settings

_WIDTH = 80
_FORMATTER = partial(argparse.RawDescriptionHelpFormatter, max_help_position=26, width=_WIDTH)
_OF_THE_PROGRAM = ("-h", "--help", "-V", "--version")
_SHORTEST, _LONGEST = 5, 86_400  # seconds between runs of --follow


class Command(NamedTuple):
    """One command; what it does is in the module of its name in commands/.

    Args:
        summary: what it is, in a line.
        about: what follows that in its help.
        examples: command lines, each with what it is for.
        statuses: the exit statuses that it can have, in words.
        arguments: of argparse, those that only commands have and no variable.
        usage: what follows the command in its usage line.
    """

    summary: str
    about: str
    examples: Mapping[str, str]
    statuses: Mapping[int, str]
    arguments: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    usage: str = "[FLAG ...]"


class CommandLine(NamedTuple):
    """A command line, read: the command, its own arguments, and the settings of the run."""

    command: str
    given: argparse.Namespace
    settings: Settings


def _make_format(*forms: str) -> tuple[str, Mapping[str, Any]]:
    text = f"one of {', '.join(forms)} (default {forms[0]})"
    return "--format", {"choices": forms, "default": forms[0], "metavar": "FORM", "help": text}


def _follow(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not _SHORTEST <= int(text) <= _LONGEST:
        text = f"{quote(text)} is not a number of seconds from {_SHORTEST} to {_LONGEST}"
        raise UsageError(f"--follow: {text}")
    return int(text)


def _instance(text: str) -> str:
    if not re.fullmatch("i-[0-9a-f]{1,32}", text):
        text = f"{quote(text)} is no instance id, such as i-0123456789abcdef0"
        raise UsageError(f"--instance: {text}")
    return text


_LOGIN = (
    ("--profile", {"metavar": "NAME", "help": "the profile of ~/.aws, to ask AWS's API"}),
    ("--region", {"metavar": "NAME", "help": "the region, to ask AWS's API"}),
)
_INSTANCE = (
    ("--instance", {"metavar": "ID", "type": _instance, "help": "ask AWS's API for this instance"}),
    *_LOGIN,
)
_DRY_RUN = ("--dry-run", {"action": "store_true", "help": "only say what would be removed"})
_DONE = {0: "done", 1: "a bug of this program", 2: "wrong usage: nothing was done"}
_FILES = {5: "a file cannot be read or written, or is in the way"}
_READ = {3: "not on EC2", 4: "EC2 said it only in part", **_FILES}
_RUN = {**_DONE, **_READ, 6: "a tag of --require-tag never came", 7: "the deadline passed"}
_FOUND = {0: "nothing was found", 11: "something was found"}
_CLEANED = {**_DONE, **_FILES, 7: _RUN[7], 10: "with --dry-run: something would change"}

COMMANDS = {
    "apply": Command(
        "the run at boot: read EC2, write the configuration, exit",
        "The configuration is that of RancherOS, or of Docker on a host with systemd: Docker starts"
        " with docker.* tags as its labels. Done too where no command is named.",
        {
            "-m": "docker.* tags to labels, the metadata to variables",
            "-t docker. -t team. -l example.db.host:DB_HOST": "two prefixes, and a variable",
            "apply --set 'SWARM_ADVERTISE={AWS_LOCAL_IPV4}:2375'": "a composed variable",
        },
        _RUN,
    ),
    "plan": Command(
        "what the run at boot would change; writes nothing",
        "Shows the diff of each file; the labels, variables and config paths with where each is"
        " from and when it counts; Docker's arguments; and what is left out, and why.",
        {
            "plan": "what the service would do here, now",
            "plan -t docker. -l example.db.host:DB_HOST": "what it would do with other flags",
            "plan --metadata-labels instance-type --status-label": "with metadata as labels",
            "plan --format json": "for a program (docs/plan.md)",
            "plan --instance i-0123456789abcdef0 --user-data user-data.yml": (
                "from your workstation: a first boot of that instance with that user-data"
            ),
        },
        {**_RUN, 0: "nothing would change", 10: "something would change"},
        (
            *_INSTANCE,
            (
                "--user-data",
                {"metavar": "FILE", "help": "of a first boot; - is standard input"},
            ),
            ("--release", {"metavar": "VERSION", "help": "of that boot (default v1.5.8)"}),
            _make_format("text", "json"),
        ),
    ),
    "show": Command(
        "what the instance and its tags are",
        "Shows also where each came from, and what the instance does not have.",
        {
            "show": "a table",
            "show local-ipv4": "one value alone: a variable, a field of the metadata, or a tag",
            "show --format json": "for a program (docs/plan.md)",
            "show --format env": "the metadata as NAME=value",
            "show --instance i-0123456789abcdef0 --region eu-west-1": (
                "from your workstation: that instance, with your own AWS profile"
            ),
        },
        {**_DONE, **_READ},
        (
            ("name", {"metavar": "NAME", "nargs": "?", "help": "show this value alone"}),
            *_INSTANCE,
            _make_format("table", "json", "yaml", "env"),
        ),
        usage="[FLAG ...] [NAME]",
    ),
    "status": Command(
        "what the last run did, and whether it is still so",
        "Shows whether the files are still as the last run at boot left them, and whether Docker"
        " was started since its labels changed. Asks EC2 nothing.",
        {"status": "after a boot", "status --format json": "for a program"},
        {
            **_RUN,
            0: "the last run ended with 0, and all is as it left it",
            5: "a file has changed, no run is known, or the last run ended with 5",
            7: "no run has ended since the machine started",
        },
        (_make_format("text", "json"),),
    ),
    "check": Command(
        "what in a cloud-config would break, before it is booted",
        "Reads cloud-configs (user-data), or files for `ros service enable`, and shows the line,"
        " the reason and the fix (docs/check.md). Asks nobody, and writes nothing.",
        {
            "check user-data.yml": "what is wrong with it, a line for each finding",
            "check --release v0.6.1 --format json user-data.yml ec2-metadata.yml": (
                "two files, for an older RancherOS, as JSON"
            ),
        },
        {**_DONE, **_FILES, **_FOUND},
        (
            ("files", {"metavar": "FILE", "nargs": "+", "help": "- is standard input"}),
            ("--release", {"metavar": "VERSION", "help": "of RancherOS (default newest)"}),
            _make_format("text", "json"),
        ),
        usage="[FLAG ...] FILE [FILE ...]",
    ),
    "preflight": Command(
        "what the next instance of an Auto Scaling group gets, before it is there",
        "Asks AWS, from your workstation or a pipeline, and shows the labels and variables with the"
        " tag of each, and what would stop them (docs/preflight.md). The flags are those of the"
        " user-data's own service or install line; flags that are given here replace them."
        " Writes nothing.",
        {
            "preflight --auto-scaling-group web": "with the flags that are in its user-data",
            "preflight --auto-scaling-group web --region eu-west-1 -l example.db.host:DB_HOST": (
                "an image has the service, and these are its flags"
            ),
            "preflight --launch-template web:2 --format json": "a version of a launch template",
        },
        {**_DONE, 4: "not said by AWS, or only in part", **_FOUND},
        (
            ("--auto-scaling-group", {"metavar": "NAME", "help": "the group"}),
            ("--launch-template", {"metavar": "ID", "help": "or a template: ID or NAME[:VERSION]"}),
            *_LOGIN,
            _make_format("text", "json"),
        ),
    ),
    "clean": Command(
        "remove what this program wrote, restore what it changed",
        "As the service's command for one boot it removes the service's traces, or prepares an"
        " image.",
        {
            "clean --dry-run": "what would be removed",
            "clean": "remove it",
            "clean --legacy": "also what amazon-metadata left, its credentials first of all",
        },
        _CLEANED,
        (
            ("--legacy", {"action": "store_true", "help": "also what amazon-metadata left"}),
            _DRY_RUN,
        ),
    ),
    "install": Command(
        "on a host with systemd: run before Docker at each boot",
        "Copies the program to /usr/local/lib, writes and enables a unit that runs it with these"
        " flags, and starts it without waiting. Done again, it changes what differs.",
        {
            "install": "docker.* tags to labels, the metadata to /run/metadata/ec2",
            "install --follow 30 -l example.db.host:DB_HOST": (
                "a variable too; a changed tag is a label within 30 seconds"
            ),
            "install --dry-run": "show the units",
        },
        {**_DONE, **_FILES},
        (
            ("--follow", {"metavar": "SECONDS", "type": _follow, "help": "also run so often"}),
            ("--dry-run", {"action": "store_true", "help": "only show the units"}),
        ),
    ),
    "uninstall": Command(
        "on a host with systemd: remove the units and all that was written",
        "Restores daemon.json.",
        {"uninstall --dry-run": "what would be removed", "uninstall": "remove it"},
        _CLEANED,
        (_DRY_RUN,),
    ),
    "demo": Command(
        "play a boot on this machine, on a fake EC2; needs no AWS, no root",
        "The disk of a host is a temporary folder. Shows the files and what Docker would get.",
        {"demo": "RancherOS", "demo --host systemd": "a Linux with systemd"},
        {**_DONE, **_FILES},
    ),
    "fake-imds": Command(
        "a fake instance metadata service (IMDS), for trying without AWS",
        "Answers for an instance described in a JSON file (docs/fake-imds.md), until it is stopped."
        " The file may be edited meanwhile.",
        {"fake-imds --listen 127.0.0.1:1338 --data instance.json": "serve instance.json"},
        {**_DONE, **_FILES},
        (
            ("--listen", {"metavar": "HOST:PORT", "required": True, "help": "where to answer"}),
            ("--data", {"metavar": "FILE", "required": True, "help": "the instance, as JSON"}),
        ),
    ),
}


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> CommandLine:
    """Read a command line.

    Args:
        arguments: without the program's name.
        environ: has the variables; those that the command does not take are not read.

    Raises:
        UsageError: it makes no sense; the message names the word, and one that may be meant.
        SystemExit: --help or --version was printed.
    """
    words = list(arguments)
    if not words or (words[0].startswith("-") and words[0] not in _OF_THE_PROGRAM):
        words.insert(0, "apply")
    if not words[0].startswith("-") and words[0] not in COMMANDS:
        raise UsageError(f"unknown command {quote(words[0])}{suggest(words[0], COMMANDS)}")
    given, unknown = _make_parser(words[0]).parse_known_args(words)
    if unknown:
        flag = unknown[0].partition("=")[0]
        if not flag.startswith("-"):
            raise UsageError(f"{given.command} takes no argument {quote(unknown[0])}")
        near = suggest(flag, _list_flags(given.command))
        raise UsageError(f"{given.command} has no flag {quote(flag)}{near}")
    return CommandLine(given.command, given, options.read_settings(given, environ))


def _list_flags(command: str) -> Iterator[str]:
    for option in options.OPTIONS:
        if command in option.commands:
            yield from option.flags
    yield from (flag for flag, _ in COMMANDS[command].arguments)


class _Parser(argparse.ArgumentParser):
    """An argument parser that ends with UsageError, not with the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _make_parser(first: str) -> argparse.ArgumentParser:
    program = called_as()
    top = _Parser(
        prog=program,
        usage=f"{program} [COMMAND] [FLAG ...]",
        description="EC2 tags and metadata as Docker labels and variables, before Docker starts.",
        epilog="Without a command it is apply. Each command has a --help of its own.",
        formatter_class=_FORMATTER,
        allow_abbrev=False,
    )
    top.add_argument("-V", "--version", action="version", version=f"{program} {__version__}")
    commands = top.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    # The others would take longer to make than to read anything.
    named = {first: COMMANDS[first]} if first in COMMANDS else COMMANDS
    for name, command in named.items():
        start = command.summary[0].upper() + command.summary[1:]
        parser = commands.add_parser(
            name,
            usage=f"{program} {'[apply]' if name == 'apply' else name} {command.usage}",
            help=command.summary,
            description=textwrap.fill(f"{start}. {command.about}", _WIDTH),
            epilog="\n".join([*_render_examples(command), "", *_render_statuses(command)]),
            formatter_class=_FORMATTER,
            allow_abbrev=False,
        )
        options.add_flags(parser, name)
        for flag, settings in command.arguments:
            parser.add_argument(flag, **settings)
    return top


def _render_examples(command: Command) -> Iterator[str]:
    yield "examples:"
    for arguments, what in command.examples.items():
        words = f"{called_as()} {arguments}"
        lines = textwrap.wrap(words, _WIDTH - 6, break_long_words=False, break_on_hyphens=False)
        yield "  " + " \\\n    ".join(lines)
        yield f"      {what}"


def _render_statuses(command: Command) -> Iterator[str]:
    yield "exit status:"
    for status, words in sorted(command.statuses.items()):
        yield f"  {status:2}  {words}"
