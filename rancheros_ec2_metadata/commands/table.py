"""The commands by name: their help, their examples and their own flags.

What a command does is in the module of its name, which is imported when it is called.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command.

    Args:
        summary: what it is, in a line.
        about: what it does, in its help.
        examples: command lines, each with what it is for.
        add_flags: adds the flags that only it has.
        has_settings: it takes the flags and the variables of a run too.
    """

    summary: str
    about: str
    examples: tuple[tuple[str, str], ...]
    add_flags: Callable[[argparse.ArgumentParser], None] = lambda _parser: None
    has_settings: bool = True


def _add_instance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--instance", metavar="ID", help="ask the EC2 API for this instance, not this machine"
    )
    parser.add_argument("--profile", metavar="NAME", help="for --instance: of ~/.aws")
    parser.add_argument("--region", metavar="NAME", help="for --instance")


def _add_format(parser: argparse.ArgumentParser, *forms: str) -> None:
    """Add --format; the first of ``forms`` is the default."""
    parser.add_argument("--format", choices=forms, default=forms[0], help=f"(default {forms[0]})")


def _plan_flags(parser: argparse.ArgumentParser) -> None:
    _add_instance(parser)
    parser.add_argument(
        "--user-data", metavar="FILE", help="plan for a first boot with it, not a disk; - is stdin"
    )
    parser.add_argument("--release", metavar="VERSION", help="of that boot (default v1.5.8)")
    _add_format(parser, "text", "json")


def _show_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="show this value alone")
    _add_instance(parser)
    _add_format(parser, "table", "json", "yaml", "env")


def _status_flags(parser: argparse.ArgumentParser) -> None:
    _add_format(parser, "text", "json")


def _clean_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--legacy", action="store_true", help="also the 2016 tool's")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")


def _check_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="- is the standard input")
    parser.add_argument(
        "--release", metavar="VERSION", help="of RancherOS, such as v1.5.8 (default newest)"
    )
    _add_format(parser, "text", "json")


def _fake_imds_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listen", metavar="HOST:PORT", required=True, help="where to answer")
    parser.add_argument("--data", metavar="FILE", required=True, help="the instance, as JSON")


COMMANDS = {
    "apply": Command(
        summary="the run at boot: read EC2, write the configuration, exit",
        about="""\
Reads this EC2 instance's metadata and tags, and writes them into RancherOS's configuration, so that
user Docker starts with docker.* tags as its labels. Done too where no command is named.
""",
        examples=(
            ("-m", "docker.* tags to labels, the metadata to variables"),
            (
                "-t docker. -t team. -l example.db.host:DB_HOST",
                "labels of two prefixes, and a variable from a tag",
            ),
            (
                "apply --set 'SWARM_ADVERTISE={AWS_LOCAL_IPV4}:2375'",
                "a variable composed of another",
            ),
        ),
    ),
    "plan": Command(
        summary="the same, writing nothing: shows what would change",
        about="""\
Does all that the run at boot does but write. Shows the diff of each file; the labels, variables and
config paths that come, change, stay and go, where each is from and when it counts; Docker's
arguments with the layer that each is of; and what is left out, and why. The exit status is 10 if
anything would change, 0 if nothing would, and the run's own if it would fail.
""",
        examples=(
            ("plan", "what the service would do here, now"),
            ("plan -t docker. -l example.db.host:DB_HOST", "what it would do with other flags"),
            (
                "plan --metadata-labels instance-type,availability-zone --status-label",
                "what metadata would be as labels",
            ),
            ("plan --format json", "for a program (docs/plan.md)"),
            (
                "plan --instance i-0123456789abcdef0 --user-data user-data.yml",
                "from your workstation: a first boot of that instance with that user-data",
            ),
        ),
        add_flags=_plan_flags,
    ),
    "show": Command(
        summary="what the instance and its tags are",
        about="""\
Shows what the instance and its tags are, where each came from, and what the instance does not have.
Warns where what RancherOS has saved of the metadata names another host.
""",
        examples=(
            ("show", "a table"),
            ("show local-ipv4", "one value alone: a variable, a field of the metadata, or a tag"),
            ("show --format json", "for a program (docs/plan.md)"),
            ("show --format env", "the metadata as NAME=value"),
            (
                "show --instance i-0123456789abcdef0 --region eu-west-1",
                "from your workstation: that instance, with your own AWS profile",
            ),
        ),
        add_flags=_show_flags,
    ),
    "status": Command(
        summary="what the last runs did, and whether it is still so",
        about="""\
Shows how the last five runs at boot ended, whether the files are still as the last one left them,
and whether Docker was started since its labels changed. Asks EC2 nothing. The exit status is 5 if a
file has changed or no run is known, 7 if no run has ended since the machine started, else the last
run's own.
""",
        examples=(("status", "after a boot"), ("status --format json", "for a program")),
        add_flags=_status_flags,
    ),
    "check": Command(
        summary="what in a cloud-config would break, before it is booted",
        about="""\
Reads cloud-configs (user-data), or files for `ros service enable`, and shows what in them would
break or surprise on a machine with this program: the line, the reason and the fix (docs/check.md).
Asks nobody, and writes nothing. The exit status is 11 if anything was found, 5 if a file cannot be
read.
""",
        examples=(
            ("check user-data.yml", "what is wrong with it, and what to do"),
            (
                "check --release v0.6.1 --format json user-data.yml ec2-metadata.yml",
                "two files, for an older RancherOS, as JSON",
            ),
        ),
        add_flags=_check_flags,
        has_settings=False,
    ),
    "clean": Command(
        summary="take back everything this program wrote",
        about="""\
Takes back everything this program wrote, and restores what it changed. Run as the service's command
for one boot it removes the service's traces, or prepares an image.
""",
        examples=(
            ("clean --dry-run", "what would go"),
            ("clean", "take it back"),
            ("clean --legacy", "also what the tool of 2016 left, its credentials first of all"),
        ),
        add_flags=_clean_flags,
    ),
    "demo": Command(
        summary="play a boot on this machine, on a fake EC2; needs no AWS and no root",
        about="""\
Plays a boot on this machine: a fake EC2 on loopback, a RancherOS disk in a temporary folder. Shows
the files before and after, and the arguments that Docker would get.
""",
        examples=(("demo", "play it"),),
        has_settings=False,
    ),
    "fake-imds": Command(
        summary="the fake metadata service alone",
        about="""\
Answers as the EC2 metadata service would, for an instance described in a JSON file (docs/image.md),
until it is stopped.
""",
        examples=(
            ("fake-imds --listen 127.0.0.1:1338 --data instance.json", "serve instance.json"),
        ),
        add_flags=_fake_imds_flags,
        has_settings=False,
    ),
}


def named(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command that a command line names, empty where it names none, and the rest."""
    if arguments and arguments[0] in COMMANDS:
        return arguments[0], list(arguments[1:])
    return "", list(arguments)
