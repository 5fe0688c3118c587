"""The command line: commands, and one exit status per class of failure."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from rancheros_ec2_metadata import __version__, options
from rancheros_ec2_metadata.errors import Ec2MetadataError, ExitStatus, UsageError, error, warning
from rancheros_ec2_metadata.log import Log

_PROGRAM = "rancheros-ec2-metadata"
_DESCRIPTION = """\
Reads this EC2 instance's metadata and tags, and writes them into RancherOS's configuration, so that
user Docker starts with docker.* tags as its labels. Without a command: apply.

commands:
  apply      the run at boot: read EC2, write the configuration, exit
  plan       the same, writing nothing: shows what would change (status 10 if anything would)
  show       what the instance and its tags are
  clean      take back everything this program wrote
  demo       play a boot on this machine, on a fake EC2; needs no AWS and no root
  fake-imds  the fake metadata service alone
"""
_EPILOG = """\
exit status: 0 done, 1 a bug, 2 wrong usage, 3 not on EC2, 4 EC2 said it only in part,
5 a file, 6 a required tag never came, 7 the deadline passed, 10 plan: something would change.
"""


@dataclass(frozen=True)
class Terminal:
    """What a command is given of the process it runs in."""

    environ: Mapping[str, str]
    out: TextIO
    err: TextIO


def console() -> None:
    """Run the program as the console script and ``python -m`` do."""
    sys.exit(main(sys.argv[1:], Terminal(os.environ, sys.stdout, sys.stderr)))


def main(arguments: Sequence[str], terminal: Terminal) -> int:
    """Run one command and return its exit status."""
    log = Log(terminal.err, debug="--debug" in arguments)
    return guarded(lambda: _COMMANDS[_command(arguments)](list(arguments), terminal, log), log)


def guarded(run: Callable[[], int], log: Log) -> int:
    """Return the exit status of ``run``, also where it raises: no traceback reaches an operator."""
    try:
        return run()
    except UsageError as wrong:
        log.note(wrong.note())
        log.line(f"nothing was touched; see {_PROGRAM} --help; exit {int(ExitStatus.USAGE)}")
        return ExitStatus.USAGE
    except Ec2MetadataError as known:
        log.note(known.note())
    except KeyboardInterrupt:
        return 130
    except Exception as bug:  # noqa: BLE001 - the promise above
        _report(bug, log)
    log.line(f"exit {int(log.status())}")
    return log.status()


def _report(bug: BaseException, log: Log) -> None:
    """Log a bug of ours: one line, and with --debug the traceback."""
    text = f"this is a bug of {_PROGRAM} {__version__}: {type(bug).__name__}; please report it"
    log.note(error(ExitStatus.BUG, text))
    if log.debug:
        # Without the message: what it quotes may be anybody's.
        for line in "".join(traceback.format_tb(bug.__traceback__)).splitlines():
            log.line(line)


def _command(arguments: Sequence[str]) -> str:
    first = arguments[0] if arguments else ""
    return first if first in _COMMANDS else "apply"


def _parser(command: str, *, with_options: bool = True) -> options.Parser:
    parser = options.Parser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} [COMMAND] [FLAG ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    if with_options:
        options.add_to(parser)
    if command == "show":
        choices = ("table", "json", "yaml")
        parser.add_argument("--format", choices=choices, default="table", help="(show)")
    elif command == "clean":
        parser.add_argument("--legacy", action="store_true", help="(clean) also the 2016 tool's")
        parser.add_argument("--dry-run", action="store_true", help="(clean) only say what would go")
    elif command == "fake-imds":
        parser.add_argument("--listen", metavar="HOST:PORT", required=True)
        parser.add_argument("--data", metavar="FILE", required=True)
    return parser


def _parse(arguments: list[str], command: str, **kwargs: bool) -> argparse.Namespace:
    given = arguments[1:] if arguments[:1] == [command] else arguments
    return _parser(command, **kwargs).parse_args(given)


def _warn_of_unknown(environ: Mapping[str, str], log: Log) -> None:
    known = {option.variable for option in options.OPTIONS}
    for name in sorted(environ):
        if name.startswith("AWS_METADATA_") and name not in known:
            log.note(warning(f"variable {name} is not one this program knows; ignored"))


def _apply(arguments: list[str], terminal: Terminal, log: Log) -> int:
    from rancheros_ec2_metadata import run  # noqa: PLC0415 - --help needs none of it

    settings = options.settings(_parse(arguments, "apply"), terminal.environ)
    _warn_of_unknown(terminal.environ, log)
    log.debug = settings.debug
    return run.apply(settings, log, lambda work: guarded(work, log))


def _plan(arguments: list[str], terminal: Terminal, log: Log) -> int:
    from rancheros_ec2_metadata import run  # noqa: PLC0415 - as above

    settings = options.settings(_parse(arguments, "plan"), terminal.environ)
    return run.plan(settings, log, terminal.out)


def _show(arguments: list[str], terminal: Terminal, log: Log) -> int:
    from rancheros_ec2_metadata import run  # noqa: PLC0415 - as above

    given = _parse(arguments, "show")
    settings = options.settings(given, terminal.environ)
    return run.show(settings, log, terminal.out, given.format)


def _clean(arguments: list[str], terminal: Terminal, log: Log) -> int:
    from rancheros_ec2_metadata import run  # noqa: PLC0415 - as above

    given = _parse(arguments, "clean")
    settings = options.settings(given, terminal.environ)
    return run.clean(settings, log, terminal.out, legacy=given.legacy, dry_run=given.dry_run)


def _demo(arguments: list[str], terminal: Terminal, _log: Log) -> int:
    from rancheros_ec2_metadata.fake_ec2 import demo  # noqa: PLC0415 - never at boot

    _parse(arguments, "demo", with_options=False)
    return demo.play(terminal.out, colour=terminal.out.isatty())


def _fake_imds(arguments: list[str], terminal: Terminal, _log: Log) -> int:
    from pathlib import Path  # noqa: PLC0415 - never at boot

    from rancheros_ec2_metadata.fake_ec2 import serve  # noqa: PLC0415 - never at boot

    given = _parse(arguments, "fake-imds", with_options=False)
    return serve.serve(given.listen, Path(given.data), terminal.err)


_COMMANDS: dict[str, Callable[[list[str], Terminal, Log], int]] = {
    "apply": _apply,
    "plan": _plan,
    "show": _show,
    "clean": _clean,
    "demo": _demo,
    "fake-imds": _fake_imds,
}
