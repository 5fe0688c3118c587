"""The command line: commands, and one exit status per class of failure."""

from __future__ import annotations

import argparse
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from rancheros_ec2_metadata import __version__, options
from rancheros_ec2_metadata.errors import Ec2MetadataError, ExitStatus, UsageError, error, warning
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.records import dataclass
from rancheros_ec2_metadata.settings import Settings

if TYPE_CHECKING:
    from rancheros_ec2_metadata.watchdog import RunFor

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
    run_for: RunFor = lambda _seconds: None


def main(arguments: Sequence[str], terminal: Terminal) -> int:
    """Run one command and return its exit status."""
    log = Log(terminal.err, debug="--debug" in arguments)
    try:
        return _guarded(lambda: _COMMANDS[_command(arguments)](list(arguments), terminal, log), log)
    except SystemExit as done:  # --help and --version
        terminal.out.flush()
        return int(done.code or 0)


def _guarded(run: Callable[[], int], log: Log) -> int:
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
    except BrokenPipeError:
        raise  # for `start`: nobody reads what is printed
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


def _settings(given: argparse.Namespace, terminal: Terminal, log: Log) -> Settings:
    settings = options.settings(given, terminal.environ)
    _warn_of_unknown(terminal.environ, log)
    log.debug = settings.debug
    return settings


def _apply(arguments: list[str], terminal: Terminal, log: Log) -> int:
    settings = _settings(_parse(arguments, "apply"), terminal, log)
    waited = _splay(settings, terminal, log)
    from rancheros_ec2_metadata import run  # noqa: PLC0415 - --help needs none of it

    return run.apply(settings, log, waited)


def _splay(settings: Settings, terminal: Terminal, log: Log) -> float:
    """Wait as long as --splay says; return the seconds, of which the deadline knows nothing."""
    pause = 0.0
    if settings.splay:
        from rancheros_ec2_metadata import splay  # noqa: PLC0415 - not at boot
        from rancheros_ec2_metadata.ec2 import detect  # noqa: PLC0415 - as above

        pause = splay.pause(settings.splay, detect.detect(settings.root))
    terminal.run_for(pause + settings.deadline)
    if pause:
        log.line(f"waiting {pause:.1f} s of up to {settings.splay:g} s first (--splay)")
        time.sleep(pause)
    return pause


def _plan(arguments: list[str], terminal: Terminal, log: Log) -> int:
    settings = _settings(_parse(arguments, "plan"), terminal, log)
    from rancheros_ec2_metadata import run  # noqa: PLC0415 - as above

    return run.plan(settings, log, terminal.out)


def _show(arguments: list[str], terminal: Terminal, log: Log) -> int:
    given = _parse(arguments, "show")
    settings = _settings(given, terminal, log)
    from rancheros_ec2_metadata import run  # noqa: PLC0415 - as above

    return run.show(settings, log, terminal.out, given.format)


def _clean(arguments: list[str], terminal: Terminal, log: Log) -> int:
    given = _parse(arguments, "clean")
    settings = _settings(given, terminal, log)
    from rancheros_ec2_metadata import run  # noqa: PLC0415 - as above

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
